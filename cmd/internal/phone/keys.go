package phone

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/pion/rtp"
)

// ErrNoEvents is returned when keys are to go by RFC 4733 but the peer did not offer telephone-event.
var ErrNoEvents = errors.New("phone: telephone-event was not negotiated")

// keypad is the event codes of RFC 4733 §3.2 in order; '!' is flash.
const keypad = "0123456789*#ABCD!"

// press is a key on its way out.
type press struct {
	digit  byte
	inBand bool
	ticks  int
	start  uint32 // timestamp of the event
}

const (
	toneTicks  = 5 // 100 ms
	pauseTicks = 3
)

// key is the key that sounds in this tick; nil for none or the pause after one. mu is held.
func (m *media) key() *press {
	if len(m.presses) == 0 {
		return nil
	}
	k := &m.presses[0]
	if k.ticks == 0 {
		k.start = m.ts
		m.begun++
	}
	if k.ticks++; k.ticks <= toneTicks {
		return k
	}
	if k.ticks == toneTicks+pauseTicks {
		m.presses = m.presses[1:]
		m.pressed++
		m.touch()
	}
	return nil
}

// eventPackets is one tick of a key: a lengthening event, the last one three times (RFC 4733 §2.5.1.4).
func (m *media) eventPackets(k *press) [][]byte {
	payload := []byte{byte(strings.IndexByte(keypad, k.digit)), 10, 0, 0}
	binary.BigEndian.PutUint16(payload[2:], uint16(k.ticks*frame))
	n := 1
	if k.ticks == toneTicks {
		payload[1] |= 0x80
		n = 3
	}
	var out [][]byte
	for range n {
		out = append(out, m.packet(m.events, k.start, k.ticks == 1, payload))
	}
	return out
}

// tone puts the two tones of ITU-T Q.23 in the place of speech.
func (k *press) tone(pcm []int16) {
	const layout = "123A456B789C*0#D"
	at := strings.IndexByte(layout, k.digit)
	if at < 0 {
		return
	}
	low, high := []float64{697, 770, 852, 941}[at/4], []float64{1209, 1336, 1477, 1633}[at%4]
	for i := range pcm {
		t := 2 * math.Pi * float64((k.ticks-1)*frame+i) / 8000
		pcm[i] = int16(5000*math.Sin(low*t) + 6000*math.Sin(high*t))
	}
}

// keysSeen is the keys that came as events, one for each press.
type keysSeen struct {
	digits []byte
	ssrc   uint32
	ts     uint32
	any    bool
}

func (k *keysSeen) take(p *rtp.Packet) {
	if len(p.Payload) < 4 || int(p.Payload[0]) >= len(keypad) {
		return
	}
	// RFC 4733 §2.5.1.2: the timestamp names the event; start, updates and three ends share it.
	if k.any && k.ssrc == p.SSRC && k.ts == p.Timestamp {
		return
	}
	k.any, k.ssrc, k.ts = true, p.SSRC, p.Timestamp
	k.digits = append(k.digits, keypad[p.Payload[0]])
}

// Digits is the keys that came by RFC 4733.
func (c *Call) Digits() string {
	m := c.voice()
	if m == nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.keys.digits)
}

// WaitDigits waits until the keys that came by RFC 4733 end in digits.
func (c *Call) WaitDigits(ctx context.Context, digits string) error {
	m := c.voice()
	if m == nil {
		return fmt.Errorf("%w: no media", ErrState)
	}
	err := m.wait(ctx, func() bool { return strings.HasSuffix(string(m.keys.digits), digits) || m.closed })
	if got := c.Digits(); err != nil || !strings.HasSuffix(got, digits) {
		return fmt.Errorf("phone: digits %q, not %q: %w", got, digits, errors.Join(err, ErrState))
	}
	return nil
}

// Method is how a key is sent.
type Method int

// The ways that desk phones know.
const (
	RFC4733    Method = iota
	InfoRelay         // INFO application/dtmf-relay, Signal=5
	InfoDTMF          // INFO application/dtmf, 5
	InfoNortel        // INFO application/vnd.nortelnetworks.digits, d=5
	InBand            // two tones in the voice
	Both              // RFC4733 and InfoRelay, as Yealink's dtmf.type=3
)

// SendDTMF presses keys one after the other and waits until the last is out (and, for INFO, answered).
func (c *Call) SendDTMF(ctx context.Context, digits string, how Method) error {
	for i := range len(digits) {
		if !strings.Contains(keypad, digits[i:i+1]) {
			return fmt.Errorf("phone: %q is no key", digits[i])
		}
		var pressed func(context.Context) error
		if how == RFC4733 || how == InBand || how == Both {
			var err error
			if pressed, err = c.press(digits[i], how == InBand); err != nil {
				return err
			}
		}
		if how != RFC4733 && how != InBand {
			if err := c.sendInfo(ctx, digits[i], how); err != nil {
				return err
			}
		}
		if pressed != nil {
			if err := pressed(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// press queues a key and gives back what waits for its end.
func (c *Call) press(digit byte, inBand bool) (func(context.Context) error, error) {
	m := c.voice()
	if m == nil {
		return nil, fmt.Errorf("%w: no media", ErrState)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !inBand && m.events == 0 {
		return nil, ErrNoEvents
	}
	m.presses = append(m.presses, press{digit: digit, inBand: inBand})
	want := m.pressed + len(m.presses)
	return func(ctx context.Context) error {
		begun := false
		err := m.wait(ctx, func() bool { begun = m.begun >= want; return m.pressed >= want || m.closed })
		if err == nil && !begun {
			err = ErrState // a key that ends its own call is as good as pressed
		}
		if err != nil {
			return fmt.Errorf("phone: key %q: %w", digit, err)
		}
		return nil
	}, nil
}

// sendInfo is one key in one INFO, with the bodies that phones use.
func (c *Call) sendInfo(ctx context.Context, digit byte, how Method) error {
	kind, body := "application/dtmf-relay", fmt.Sprintf("Signal=%c\r\nDuration=100\r\n", digit)
	switch how {
	case InfoDTMF:
		kind, body = "application/dtmf", string(digit)
		if i := strings.IndexByte(keypad, digit); i >= 10 {
			body = fmt.Sprint(i) // 10 is *, 11 is #, 16 is flash
		}
	case InfoNortel:
		kind, body = "application/vnd.nortelnetworks.digits",
			fmt.Sprintf("p=Digit-Collection\r\ny=Digits\r\ns=success\r\nu=0\r\ni=0\r\nd=%c\r\n", digit)
	}
	_, err := c.Request(ctx, "INFO", []Header{{"Content-Type", kind}}, []byte(body))
	return err
}

// infoKey reads the key of an INFO body; "" when it is none.
func infoKey(kind, body string) string {
	kind, _, _ = strings.Cut(kind, ";")
	key := strings.TrimSpace(body)
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf-relay":
		line, _, _ := strings.Cut(key, "\n")
		_, key, _ = strings.Cut(line, "=")
	case "application/dtmf":
	case "application/vnd.nortelnetworks.digits":
		_, key, _ = strings.Cut("\n"+body, "\nd=")
		key, _, _ = strings.Cut(key, "\n")
	default:
		return ""
	}
	switch key = strings.TrimSpace(key); key {
	case "10":
		return "*"
	case "11":
		return "#"
	case "16":
		return "!"
	}
	return key
}
