package e2e

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
)

// keyPress is a key by RFC 4733 at a time of the voice.
type keyPress struct {
	at    time.Duration
	digit byte
}

// presses is digits from a time on, 200 ms each.
func presses(at time.Duration, digits string) []keyPress {
	var out []keyPress
	for i := range len(digits) {
		out = append(out, keyPress{at + time.Duration(i)*200*time.Millisecond, digits[i]})
	}
	return out
}

// voicePcap writes a recording for SIPp to play: A-law of a tone as one RTP stream, keys (payload type 101) in their
// place.
func voicePcap(t testing.TB, dir string, hz float64, length time.Duration, keys ...keyPress) {
	t.Helper()
	speech := phone.Tone(hz, time.Second)
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	for _, v := range []uint32{2 | 4<<16, 0, 0, 65535, 1} { // version 2.4, Ethernet
		out = binary.LittleEndian.AppendUint32(out, v)
	}
	r := recording{seq: 100, ssrc: 0x5150}
	for at := time.Duration(0); at < length; at += 20 * time.Millisecond {
		ts := uint32(at/time.Millisecond) * 8
		if event, start, end := keyAt(keys, at); event != nil {
			for range end {
				out = append(out, r.packet(at, 101, start, event)...)
			}
			continue
		}
		from := int(ts) % len(speech)
		out = append(out, r.packet(at, 8, ts, phone.PCMA.Encode(nil, speech[from:from+160]))...)
	}
	must(t, os.WriteFile(filepath.Join(dir, "voice.pcap"), out, 0o600))
}

// keyAt is the event of this tick: 100 ms of lengthening, the last packet three times.
func keyAt(keys []keyPress, at time.Duration) (payload []byte, start uint32, times int) {
	for _, k := range keys {
		if at < k.at || at >= k.at+100*time.Millisecond {
			continue
		}
		step := int((at-k.at)/(20*time.Millisecond)) + 1
		payload = []byte{byte(strings.IndexByte("0123456789*#", k.digit)), 10, 0, 0}
		binary.BigEndian.PutUint16(payload[2:], uint16(step*160))
		times = 1
		if step == 5 {
			payload[1] |= 0x80
			times = 3
		}
		return payload, uint32(k.at/time.Millisecond) * 8, times
	}
	return nil, 0, 0
}

type recording struct {
	seq  uint16
	ssrc uint32
}

// packet is one record: Ethernet, IPv4, UDP, RTP. SIPp puts in the addresses, ports and checksum.
func (r *recording) packet(at time.Duration, pt byte, ts uint32, payload []byte) []byte {
	rtp := []byte{0x80, pt}
	rtp = binary.BigEndian.AppendUint16(rtp, r.seq)
	rtp = binary.BigEndian.AppendUint32(rtp, ts)
	rtp = append(binary.BigEndian.AppendUint32(rtp, r.ssrc), payload...)
	r.seq++
	udp := binary.BigEndian.AppendUint16([]byte{0x1f, 0x40, 0x1f, 0x40}, uint16(8+len(rtp)))
	udp = append(append(udp, 0, 0), rtp...)
	ip := binary.BigEndian.AppendUint16([]byte{0x45, 0}, uint16(20+len(udp)))
	ip = append(append(ip, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1), udp...)
	ether := append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}, ip...)
	var rec []byte
	for _, v := range []int{1 + int(at/time.Second), int(at % time.Second / time.Microsecond), len(ether), len(ether)} {
		rec = binary.LittleEndian.AppendUint32(rec, uint32(v))
	}
	return append(rec, ether...)
}
