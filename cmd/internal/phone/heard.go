package phone

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// heard is all voice that came, laid out by timestamp; what is missing is silence.
type heard struct {
	samples []int16
	first   time.Time
	last    time.Time
	ssrc    uint32
	base    uint32 // timestamp of samples[origin]
	origin  int
}

const longestGap = 60 * 8000 // samples; a timestamp further away starts anew

func (h *heard) take(p *rtp.Packet, pcm []int16, at time.Time) {
	pos := h.origin + int(int32(p.Timestamp-h.base))
	switch {
	case h.first.IsZero():
		h.first = at
		pos = h.start(p)
	case p.SSRC == h.ssrc && pos < h.origin && pos > h.origin-8000:
		return // out of order at the very start
	case p.SSRC != h.ssrc || pos > len(h.samples)+longestGap || pos < h.origin:
		// Another stream: its place follows from when it came, on the 20 ms grid.
		quiet := min(int(at.Sub(h.last)/frameTime)*frame, longestGap) - frame
		h.samples = append(h.samples, make([]int16, max(0, quiet))...)
		pos = h.start(p)
	}
	h.last = at
	if need := pos + len(pcm) - len(h.samples); need > 0 {
		h.samples = append(h.samples, make([]int16, need)...)
	}
	copy(h.samples[pos:], pcm)
}

func (h *heard) start(p *rtp.Packet) int {
	h.ssrc, h.base, h.origin = p.SSRC, p.Timestamp, len(h.samples)
	return h.origin
}

// Heard is everything the call's phone has heard so far (Config.Record), in the order of its coming, 8 kHz.
func (c *Call) Heard() []int16 {
	m := c.voice()
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard.samples)
}

// HeardSince is when the first sample came; zero when none did.
func (c *Call) HeardSince() time.Time {
	m := c.voice()
	if m == nil {
		return time.Time{}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard.first
}

// WaitHeard looks at the latest window of what is heard from now on, five times a second of sound, until ok likes it.
// It fails when the call ends first or ctx does.
func (c *Call) WaitHeard(ctx context.Context, window time.Duration, ok func(pcm []int16) bool) error {
	m := c.voice()
	if m == nil {
		return fmt.Errorf("%w: nothing can be heard before the media stands", ErrState)
	}
	size := int(window.Seconds() * 8000)
	m.mu.Lock()
	next := len(m.heard.samples) + size
	m.mu.Unlock()
	for {
		var pcm []int16
		gone := false
		err := m.wait(ctx, func() bool {
			if gone = m.closed; len(m.heard.samples) >= next {
				pcm = slices.Clone(m.heard.samples[len(m.heard.samples)-size:])
			}
			return pcm != nil || gone
		})
		if err != nil {
			return fmt.Errorf("phone: %s has not heard it: %w", c.phone.cfg.Name, err)
		}
		if pcm != nil && ok(pcm) {
			return nil
		}
		if gone {
			return fmt.Errorf("%w: the call ended before it was heard", ErrState)
		}
		next += 1600
	}
}

// WriteWAV writes 8 kHz mono 16-bit sound.
func WriteWAV(w io.Writer, pcm []int16) error {
	size := uint32(2 * len(pcm))
	head := make([]byte, 0, 44)
	head = append(head, "RIFF"...)
	head = binary.LittleEndian.AppendUint32(head, 36+size)
	head = append(head, "WAVEfmt "...)
	head = binary.LittleEndian.AppendUint32(head, 16)
	for _, v := range []uint16{1, 1} { // PCM, mono
		head = binary.LittleEndian.AppendUint16(head, v)
	}
	for _, v := range []uint32{8000, 16000} {
		head = binary.LittleEndian.AppendUint32(head, v)
	}
	for _, v := range []uint16{2, 16} { // bytes a frame, bits a sample
		head = binary.LittleEndian.AppendUint16(head, v)
	}
	head = append(head, "data"...)
	head = binary.LittleEndian.AppendUint32(head, size)
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("phone: WAV: %w", err)
	}
	if err := binary.Write(w, binary.LittleEndian, pcm); err != nil {
		return fmt.Errorf("phone: WAV: %w", err)
	}
	return nil
}
