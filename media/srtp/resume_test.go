package srtp

import (
	"bytes"
	"testing"
)

// TestProgress: another process goes on where the first one was: at each side of a wrap the peer opens what comes, no
// index is used twice, and what the first has heard is a copy.
func TestProgress(t *testing.T) {
	for suite := range lengths {
		for _, last := range []uint64{100, 0xfff0, 0xffff, 0x10000} {
			p := newPair(t, key(suite, 1))
			var old []byte
			for n := uint64(0); n <= last; n++ {
				old = p.seal(7, uint16(n))
				p.opens(old, 7, uint16(n))
			}
			p.reports(7)
			s := p.sender.Progress(7)
			if s.Index != last || !s.Begun || s.RTCP == 0 {
				t.Fatalf("%s: %+v, want index %d", suite, s, last)
			}
			s.Index, s.RTCP = s.Index+600, s.RTCP+64
			sender, err := ResumeSender(s)
			if err != nil {
				t.Fatal(err)
			}
			next := pair{t, sender, p.receiver}
			for n := last + 601; n < last+800; n++ {
				next.opens(next.seal(7, uint16(n)), 7, uint16(n))
			}
			next.reports(7)

			heard := p.receiver.Progress(7, uint16(last+799))
			receiver, err := ResumeReceiver(heard)
			if err != nil {
				t.Fatal(err)
			}
			if s := receiver.Progress(0, 0); s != heard {
				t.Fatalf("%s: %+v before anything has come, want %+v", suite, s, heard)
			}
			if receiver, err = ResumeReceiver(receiver.Progress(7, 0)); err != nil { // it dies before anything has come
				t.Fatal(err)
			}
			again := pair{t, sender, receiver}
			again.refuses("what was heard", old)
			forged := next.seal(7, uint16(last+900))
			forged[20] ^= 1
			again.refuses("forged", forged)
			for n := last + 901; n < last+1000; n++ {
				again.opens(next.seal(7, uint16(n)), 7, uint16(n))
			}
			again.refuses("what was heard", old)
			if !bytes.Equal([]byte(heard.Key.Material), []byte(p.receiver.Key().Material)) {
				t.Error("the key does not go on")
			}
		}
	}
}
