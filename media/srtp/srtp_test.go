package srtp

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

var lengths = map[string]int{"AES_CM_128_HMAC_SHA1_80": 30, "AES_256_CM_HMAC_SHA1_80": 46, "AEAD_AES_128_GCM": 28,
	"AEAD_AES_256_GCM": 44}

// key is a key of a suite, another one for each seed.
func key(suite string, seed byte) Key {
	b := make([]byte, lengths[suite])
	for i := range b {
		b[i] = seed + byte(i)
	}
	return Key{Suite: suite, Material: string(b)}
}

const suite = "AES_CM_128_HMAC_SHA1_80"

type pair struct {
	t        testing.TB
	sender   *Sender
	receiver *Receiver
}

func newPair(t testing.TB, k Key) pair {
	t.Helper()
	s, err1 := NewSender(k)
	r, err2 := NewReceiver(k)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return pair{t, s, r}
}

func packet(t testing.TB, ssrc uint32, seq uint16) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: seq, Timestamp: uint32(seq) * 160,
		SSRC: ssrc}, Payload: bytes.Repeat([]byte{byte(seq)}, 160)}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(make([]byte, 0, len(b)+Overhead), b...)
}

func (p pair) seal(ssrc uint32, seq uint16) []byte {
	p.t.Helper()
	b, err := p.sender.RTP(packet(p.t, ssrc, seq))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p pair) opens(sealed []byte, ssrc uint32, seq uint16) {
	p.t.Helper()
	got, err := p.receiver.RTP(bytes.Clone(sealed))
	if err != nil {
		p.t.Fatalf("%d of %x: %v", seq, ssrc, err)
	}
	if !bytes.Equal(got, packet(p.t, ssrc, seq)) {
		p.t.Fatalf("%d of %x came out as %x", seq, ssrc, got)
	}
}

// reports sends a report.
func (p pair) reports(ssrc uint32) {
	p.t.Helper()
	plain, err1 := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: ssrc}})
	sealed, err2 := p.sender.RTCP(bytes.Clone(plain))
	if err := errors.Join(err1, err2); err != nil {
		p.t.Fatal(err)
	}
	if got, err := p.receiver.RTCP(sealed); err != nil || !bytes.Equal(got, plain) {
		p.t.Errorf("report: %x %v", got, err)
	}
}

func (p pair) refuses(what string, sealed []byte) {
	p.t.Helper()
	if _, err := p.receiver.RTP(bytes.Clone(sealed)); !errors.Is(err, ErrRefused) {
		p.t.Errorf("%s: %v", what, err)
	}
}

func TestSealedPacketsAreSecretAndWhole(t *testing.T) {
	for suite := range lengths {
		p := newPair(t, key(suite, 1))
		sealed := p.seal(7, 100)
		if bytes.Contains(sealed, bytes.Repeat([]byte{100}, 8)) || len(sealed) > 172+Overhead {
			t.Errorf("%s: %x", suite, sealed)
		}
		for i := range sealed {
			forged := bytes.Clone(sealed)
			forged[i] ^= 1
			p.refuses(fmt.Sprint(suite, " byte ", i), forged)
		}
		p.opens(sealed, 7, 100)
		p.refuses(suite+": heard before", sealed)
		p.refuses(suite+": nothing", nil)
		p.refuses(suite+": another key", newPair(t, key(suite, 2)).seal(7, 101))
	}
}

// The roll-over counter is not on the wire: both ends count the wraps of the
// sequence number, through losses and reordering, and for each source by itself.
func TestSequenceWraps(t *testing.T) {
	p := newPair(t, key(suite, 1))
	for n := range 200_000 {
		if n%7 == 3 {
			p.seal(7, uint16(n)) // lost
			continue
		}
		p.opens(p.seal(7, uint16(n)), 7, uint16(n))
	}
	p.opens(p.seal(8, 65535), 8, 65535) // a new source begins at 0
	late := p.seal(8, 0)
	p.opens(p.seal(8, 1), 8, 1)
	p.opens(late, 8, 0)
}

func TestKeyChanges(t *testing.T) {
	for suite := range lengths {
		for _, keeps := range []bool{false, true} {
			t.Run(fmt.Sprint(suite, keeps), func(t *testing.T) { keyChanges(t, suite, keeps) })
		}
	}
}

func keyChanges(t *testing.T, suite string, keeps bool) {
	p := newPair(t, key(suite, 1))
	for n := 0; n < 70_000; n += 1000 {
		p.opens(p.seal(7, uint16(n)), 7, uint16(n))
	}
	if err := p.receiver.Rekey(key(suite, 2)); err != nil {
		t.Fatal(err)
	}
	p.opens(p.seal(7, 4464), 7, 4464) // on its way when the key changed
	p.reports(7)
	old := p.seal(7, 4465)
	next, _ := NewSender(key(suite, 2))
	if keeps { // RFC 3711 §3.3.1: the roll-over counter "MUST NOT be reset to zero"
		next.context.SetROC(7, 1)
	}
	p.sender = next
	p.opens(p.seal(7, 4466), 7, 4466)
	p.refuses("the old key after the new one", old)
	if err := p.receiver.Rekey(key(suite, 2)); err != nil {
		t.Fatal(err)
	}
	p.opens(p.seal(7, 4467), 7, 4467) // the same key again is no change
}

// The sequence number may wrap just when the key changes, and the counter go on with it.
func TestKeyChangesAtAWrap(t *testing.T) {
	for suite := range lengths {
		p := newPair(t, key(suite, 1))
		p.opens(p.seal(7, 65534), 7, 65534)
		if err := p.receiver.Rekey(key(suite, 2)); err != nil {
			t.Fatal(err)
		}
		p.sender, _ = NewSender(key(suite, 2))
		p.sender.context.SetROC(7, 1)
		p.opens(p.seal(7, 0), 7, 0)
		p.opens(p.seal(7, 1), 7, 1)
	}
}

// Whoever has the key cannot fill the memory, and who has not leaves no trace.
func TestSourcesAreBounded(t *testing.T) {
	p, other := newPair(t, key(suite, 1)), newPair(t, key(suite, 2))
	for ssrc := range uint32(1000) {
		p.refuses("forged", other.seal(ssrc, 1))
	}
	for ssrc := range uint32(maxSources) {
		p.opens(p.seal(ssrc, 1), ssrc, 1)
	}
	p.refuses("one too many", p.seal(maxSources, 1))
	p.opens(p.seal(0, 2), 0, 2)

	if err := p.receiver.Rekey(key(suite, 3)); err != nil {
		t.Fatal(err)
	}
	opened := 0 // by the old key, of which packets may still be on their way
	for ssrc := range uint32(1000) {
		if _, err := p.receiver.RTP(p.seal(2000+ssrc, 1)); err == nil {
			opened++
		}
	}
	if opened > maxSources {
		t.Errorf("%d sources by the old key", opened)
	}
	for ssrc := range uint32(maxSources) {
		p.reports(ssrc)
	}
	report, err := p.sender.RTCP(append([]byte{0x80, 201, 0, 1, 9, 9, 9, 9}, make([]byte, Overhead)...)[:8])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.receiver.RTCP(report); !errors.Is(err, ErrRefused) {
		t.Errorf("one reporter too many: %v", err)
	}
}

func TestRTCP(t *testing.T) {
	for suite := range lengths {
		p := newPair(t, key(suite, 1))
		plain, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 7},
			rtcp.NewCNAMESourceDescription(7, "name-of-it")})
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := p.sender.RTCP(bytes.Clone(plain))
		if err != nil || bytes.Contains(sealed, []byte("name-of-it")) {
			t.Fatal(err, sealed)
		}
		copied := bytes.Clone(sealed)
		if got, err := p.receiver.RTCP(sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %x %v", suite, got, err)
		}
		if _, err := p.receiver.RTCP(copied); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: a copy: %v", suite, err)
		}
		if _, err := p.receiver.RTCP(plain); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: in the open: %v", suite, err)
		}
	}
}

func TestKeysThatAreNone(t *testing.T) {
	for _, k := range []Key{{}, {Suite: "AES_CM_128_HMAC_SHA1_80"}, {Suite: "ROT13", Material: strings.Repeat("x", 30)},
		{Suite: suite, Material: strings.Repeat("x", 31)}} {
		if _, err := NewSender(k); !errors.Is(err, ErrSuite) {
			t.Errorf("sender: %v", err)
		}
		if _, err := NewReceiver(k); !errors.Is(err, ErrSuite) {
			t.Errorf("receiver: %v", err)
		}
	}
}

func TestKeysDoNotShow(t *testing.T) {
	k := Key{Suite: suite, Material: "open sesame"}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "key", k)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", k)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "stream", struct{ Seal Key }{k}) // as a part of what is logged
	if s := b.String() + fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(s, "sesame") {
		t.Error(s)
	}
}

// BenchmarkSealAndOpen is what a packet of 20 ms costs the switch that takes it in and sends it on.
func BenchmarkSealAndOpen(b *testing.B) {
	for suite := range lengths {
		b.Run(suite, func(b *testing.B) {
			p := newPair(b, key(suite, 1))
			buffer := make([]byte, 172, 200)
			copy(buffer, packet(b, 7, 0))
			plain := bytes.Clone(buffer)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				copy(buffer[:172], plain)
				buffer[2], buffer[3] = byte(n>>8), byte(n)
				sealed, err := p.sender.RTP(buffer[:172])
				if err != nil {
					b.Fatal(err)
				}
				if _, err := p.receiver.RTP(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
