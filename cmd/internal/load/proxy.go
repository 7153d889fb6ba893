package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"liandong/cmd/internal/phone"
)

// ErrProxy is wrapped when a media proxy does not give a call its ports.
var ErrProxy = errors.New("load: media proxy")

var errUnanswered = errors.New("is not answered")

// proxy is a media proxy that is asked for ports by the ng protocol of rtpengine (its docs/ng_control_protocol.md): a
// cookie, a blank and a JSON object in a datagram, and the same in the answer. Owned by the run.
type proxy struct {
	conn   *net.UDPConn
	cookie int
}

// ngAnswer is what is read of an answer.
type ngAnswer struct {
	Result string `json:"result"`
	Reason string `json:"error-reason"`
	SDP    string `json:"sdp"`
}

const (
	ngTries = 10 // each datagram may be lost, and a proxy that is busy with sound be late
	ngWait  = time.Second
)

func dialProxy(at netip.AddrPort) (*proxy, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("load: --ng %s: %w", at, err)
	}
	return &proxy{conn: conn}, nil
}

// ask sends a command until it is answered.
func (p *proxy) ask(ctx context.Context, fields map[string]string) (a ngAnswer, err error) {
	body, err := json.Marshal(fields)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrProxy, err)
	}
	p.cookie++
	cookie := strconv.Itoa(p.cookie) + " "
	answer := make([]byte, 1<<16)
	for range ngTries {
		till := time.Now().Add(ngWait)
		_ = p.conn.SetReadDeadline(till) // fails for a closed socket, as reading then does
		_, _ = p.conn.Write(append([]byte(cookie), body...))
		var n int
		for n, err = p.conn.Read(answer); err == nil; n, err = p.conn.Read(answer) {
			text, ok := strings.CutPrefix(string(answer[:n]), cookie)
			if !ok {
				continue // to what was asked twice
			}
			if err = json.Unmarshal([]byte(text), &a); err == nil && a.Result != "ok" {
				err = fmt.Errorf("%s: %s %s", fields["command"], a.Result, a.Reason)
			}
			if err != nil {
				return a, fmt.Errorf("%w: %w", ErrProxy, err)
			}
			return a, nil
		}
		if !sleep(ctx, time.Until(till)) { // it may only begin
			break
		}
	}
	return a, fmt.Errorf("%w: %s %w: %w", ErrProxy, fields["command"], errUnanswered, errors.Join(err, ctx.Err()))
}

// connect lets two streams speak with each other through the proxy.
func (p *proxy) connect(ctx context.Context, t Target, call string, from, to *voice) error {
	offer := map[string]string{"command": "offer", "call-id": call, "from-tag": "a", "ICE": "remove",
		"sdp": proxySDP(from.Addr(), t.codec())}
	answer := map[string]string{"command": "answer", "call-id": call, "from-tag": "a", "to-tag": "b", "ICE": "remove",
		"sdp": proxySDP(to.Addr(), t.codec())}
	for _, one := range []struct {
		fields map[string]string
		hears  *voice // of what the proxy answers
	}{{offer, to}, {answer, from}} {
		a, err := p.ask(ctx, one.fields)
		if err != nil {
			return err
		}
		at, err := proxyAddress(a.SDP)
		if err != nil {
			return err
		}
		if !t.reachable(at.Addr()) {
			return fmt.Errorf("%w names %s for sound; allowed: its own address and --media-allow", ErrProxy, at)
		}
		one.hears.Connect(phone.Talk{To: at, Codec: t.codec(), Sends: true})
	}
	return nil
}

// proxySDP is the description of a stream of one codec of RFC 3551.
func proxySDP(at netip.AddrPort, c phone.Codec) string {
	pt, name := laws[c].PayloadType(), "PCMA"
	if c == phone.PCMU {
		name = "PCMU"
	}
	family := "IP4"
	if at.Addr().Is6() {
		family = "IP6"
	}
	return fmt.Sprintf("v=0\r\no=- 1 1 IN %[1]s %[2]s\r\ns=-\r\nc=IN %[1]s %[2]s\r\nt=0 0\r\n"+
		"m=audio %[3]d RTP/AVP %[4]d\r\na=rtpmap:%[4]d %[5]s/8000\r\na=ptime:20\r\na=sendrecv\r\n",
		family, at.Addr(), at.Port(), pt, name)
}

// proxyAddress is where a description wants the sound.
func proxyAddress(sdp string) (at netip.AddrPort, err error) {
	var host, port string
	for line := range strings.Lines(sdp) {
		if f := strings.Fields(line); strings.HasPrefix(line, "c=") && len(f) == 3 {
			host = f[2]
		} else if strings.HasPrefix(line, "m=audio ") && len(f) > 2 {
			port = f[1]
		}
	}
	if at, err = netip.ParseAddrPort(net.JoinHostPort(host, port)); err != nil {
		return at, fmt.Errorf("%w: no address for sound in its description: %w", ErrProxy, err)
	}
	return at, nil
}

// throughProxy is calls whose sound goes through a media proxy, with no signalling at all.
func (c Relay) throughProxy(ctx context.Context) (*Report, error) {
	c.Server = c.NG
	p, err := dialProxy(c.NG)
	if err != nil {
		return nil, err
	}
	defer p.conn.Close()
	r, err := start(ctx, "relay", c.Target, needs{sound: true, unsignalled: true, streams: 2 * c.Calls})
	if err != nil {
		return nil, err
	}
	begun, err := r.connectAll(ctx, p, c.Calls)
	if err == nil {
		sleep(ctx, settle)
		err = r.window(ctx, c.Duration, nil)
	}
	err = errors.Join(err, p.forget(begun+1)) // the last may have begun with half of its ports
	report, e := r.finish(ctx, c.Calls)
	report.Calls.Tried, report.Calls.Up = begun, begun
	r.collect(true)
	return report, errors.Join(err, e)
}

// forget has the proxy give up the ports of so many calls, also when the run is interrupted, and for a while only.
func (p *proxy) forget(calls int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for n := range calls {
		_, err := p.ask(ctx, map[string]string{"command": "delete", "call-id": callName(n), "from-tag": "a"})
		if errors.Is(err, errUnanswered) {
			return err
		}
	}
	return nil
}

func callName(n int) string { return "load-" + strconv.Itoa(n) }

// connectAll begins calls at the rate and says how many it has begun.
func (r *run) connectAll(ctx context.Context, p *proxy, calls int) (begun int, err error) {
	every := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
	defer every.Stop()
	var ends [2]*voice
	for begun < calls {
		for i, s := range []side{caller, desk} {
			clip, err := clipOf(s)
			if err == nil {
				ends[i], err = r.engine.newVoice(s, []netip.Addr{r.From, r.At}[i], clip)
			}
			if err != nil {
				return begun, err
			}
		}
		if err = p.connect(ctx, r.Target, callName(begun), ends[0], ends[1]); err != nil {
			return begun, err
		}
		begun++
		select {
		case <-every.C:
		case <-ctx.Done():
			return begun, nil
		}
	}
	return begun, nil
}
