package engine

import (
	"testing"

	"liandong/media/codec"
	"liandong/media/socket"
)

// FuzzReceive: whatever a party's phone sends, the engine lives, and the others get one clean
// stream of what was agreed on.
func FuzzReceive(f *testing.F) {
	audio := append([]byte{0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7}, make([]byte, 160)...)
	f.Add(audio, audio[:12], false)
	f.Add([]byte{0x80, 101, 0, 2, 0, 0, 0, 160, 0, 0, 0, 7, 5, 0x8a, 3, 0x20}, []byte{0xb0, 8, 0, 1}, false)
	f.Add([]byte{0x80, 200, 0, 6}, []byte{0x81, 201, 0, 7, 0, 0, 0, 1}, true)
	f.Fuzz(func(t *testing.T, one, other []byte, rtcp bool) {
		r := newRig(t, labConfig(nil))
		a, b, c := r.phone(1, codec.PCMA), r.phone(2, codec.PCMU), r.phone(3, codec.PCMA)
		b.hears(Playlist{}, a)
		c.hears(Playlist{}, a, b)
		port := a.port
		if rtcp {
			port++
		}
		for range 4 {
			for _, data := range [][]byte{one, other} {
				r.wire.in = append(r.wire.in, socket.Packet{Socket: r.wire.socketAt(port), From: a.addr, Data: data})
			}
			r.step()
		}
		for _, p := range []*phone{b, c} {
			for _, packet := range p.got {
				if packet.SSRC != p.got[0].SSRC || packet.PayloadType != p.codec.PayloadType() ||
					len(packet.CSRC)+len(packet.Extensions) > 0 {
					t.Errorf("leg %d got %v", p.leg, packet.Header)
				}
			}
		}
	})
}
