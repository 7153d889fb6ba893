package phone

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// ITU-T G.191's sweep, coded and decoded: the laws bit by bit.
func TestG711Vectors(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "testdata", "g711")
	words := func(name string) []int16 {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Skip("no test vectors: ", err)
		}
		out := make([]int16, len(raw)/2)
		for i := range out {
			out[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		return out
	}
	for _, law := range []struct {
		codec         Codec
		coded, linear string
	}{{PCMA, "sweep-r.a", "sweep-r.rea"}, {PCMU, "sweep-r.u", "sweep-r.reu"}} {
		src, coded, linear := words("sweep.src"), words(law.coded), words(law.linear)
		bad := 0
		for i, s := range src {
			got := law.codec.Encode(nil, []int16{s})
			if got[0] != byte(coded[i]) || law.codec.Decode(nil, got)[0] != linear[i] {
				bad++
			}
		}
		if bad > 0 || len(src) == 0 {
			t.Errorf("%s: %d of %d samples differ", law.codec, bad, len(src))
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ in, display, uri, user, tag string }{
		{`"A, <b>" <sip:110@h:5060;user=phone>;tag=x`, "A, <b>", "sip:110@h:5060;user=phone", "110", "x"},
		{`sip:a@b;tag=y`, "", "sip:a@b", "a", "y"},
		{`<tel:+8613812345678;phone-context=x>`, "", "tel:+8613812345678;phone-context=x", "+8613812345678", ""},
		{`Bob <sip:127.0.0.1>`, "Bob", "sip:127.0.0.1", "", ""},
	} {
		display, uri, _ := cutAddr(c.in)
		if display != c.display || uri != c.uri || uriUser(uri) != c.user || tagOf(c.in) != c.tag {
			t.Errorf("%s: %q %q %q %q", c.in, display, uri, uriUser(uri), tagOf(c.in))
		}
	}
	if got := splitList(`<sip:a,b@h>, "x, y" <sip:c>`); len(got) != 2 {
		t.Errorf("list %q", got)
	}
	for in, want := range map[string]string{"sip:a@1.2.3.4:5070;lr": "1.2.3.4:5070", "sip:[::1]": "[::1]:5060",
		"sip:a@h.example": ""} {
		if at, ok := uriAddr(in); ok != (want != "") || ok && at.String() != want {
			t.Errorf("%s: %v %v", in, at, ok)
		}
	}
}

func TestSDP(t *testing.T) {
	offer := "v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nc=IN IP4 1.1.1.1\r\nt=0 0\r\nm=video 9 RTP/AVP 96\r\nc=IN IP4 9.9.9.9\r\n" +
		"m=audio 4000 RTP/AVP 0 8 97\r\nc=IN IP4 2.2.2.2\r\na=rtpmap:97 telephone-event/8000\r\na=recvonly\r\na=rtcp:4009\r\n"
	r, err := parseSDP([]byte(offer))
	if err != nil || r.audio.String() != "2.2.2.2:4000" || r.rtcp.Port() != 4009 || r.events != 97 ||
		r.direction != RecvOnly || r.which != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	body := string(localSDP{audio: netip.MustParseAddrPort("3.3.3.3:6"), codecs: r.codecs, events: 97,
		direction: SendOnly, streams: r.streams, which: r.which}.bytes())
	if !strings.Contains(body, "m=video 0 RTP/AVP 96\r\nm=audio 6 RTP/AVP 0 8 97\r\n") ||
		!strings.Contains(body, "a=sendonly") {
		t.Errorf("answer\n%s", body)
	}
	for _, bad := range []string{"", "v=0", strings.ReplaceAll(offer, "RTP/AVP 0 8 97", "RTP/AVP 3"),
		strings.ReplaceAll(offer, "audio 4000", "audio 0")} {
		if _, err := parseSDP([]byte(bad)); err == nil {
			t.Errorf("took %q", bad)
		}
	}
}

func voicePacket(seq uint16, ts, ssrc uint32, level int16) *rtp.Packet {
	pcm := slices.Repeat([]int16{level}, frame)
	return &rtp.Packet{Header: rtp.Header{PayloadType: 8, SequenceNumber: seq, Timestamp: ts, SSRC: ssrc},
		Payload: PCMA.Encode(nil, pcm)}
}

// Gaps and another stream leave silence of their length; order does not matter within a stream.
func TestHeardGrid(t *testing.T) {
	var h heard
	at := time.Unix(0, 0)
	for _, p := range []struct {
		slot, ts int
		ssrc     uint32
	}{{0, 0, 1}, {1, 160, 1}, {4, 640, 1}, {5, 480, 1}, {9, 77, 2}} {
		packet := voicePacket(0, uint32(p.ts)-100, p.ssrc, 1000)
		h.take(packet, PCMA.Decode(nil, packet.Payload), at.Add(time.Duration(p.slot)*frameTime))
	}
	var got []int
	for i := 0; i < len(h.samples); i += frame {
		got = append(got, min(1, int(h.samples[i])))
	}
	if want := []int{1, 1, 0, 1, 1, 0, 0, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("grid %v, want %v", got, want)
	}
}

func TestContinuity(t *testing.T) {
	for _, start := range []uint16{0, 65533} {
		var c Continuity
		from, at := netip.MustParseAddrPort("127.0.0.1:4000"), time.Unix(0, 0)
		put := func(seq int, ts int, ssrc uint32) {
			at = at.Add(frameTime)
			c.take(voicePacket(start+uint16(seq), uint32(ts)-200, ssrc, 0), from, at, true)
		}
		put(0, 0, 1)
		put(1, 160, 1)
		put(3, 480, 1) // one lost
		put(2, 320, 1) // late
		put(4, 9000, 1)
		put(5, 9160, 2)
		if len(c.Gaps) != 1 || c.Gaps[0].Lost != 1 || c.Late != 1 || len(c.Jumps) != 1 ||
			c.Jumps[0].Samples != 9000-640 || c.Jumps[0].Off != 9000-5*160+160 ||
			!slices.Equal(c.SSRCs, []uint32{1, 2}) {
			t.Errorf("from %d: %+v", start, c)
		}
	}
}

// Three end packets, a lost start, a lost end and a repeat: one key each.
func TestEventsOnce(t *testing.T) {
	var k keysSeen
	for _, e := range []struct {
		code byte
		ts   uint32
	}{{1, 0}, {1, 0}, {1, 0}, {1, 800}, {11, 1600}, {11, 1600}} {
		k.take(&rtp.Packet{Header: rtp.Header{Timestamp: e.ts}, Payload: []byte{e.code, 0x80, 0, 0}})
	}
	if string(k.digits) != "11#" {
		t.Errorf("got %q", k.digits)
	}
}

func TestLikeness(t *testing.T) {
	voice := func(seed uint64) []int16 {
		r := rand.New(rand.NewPCG(seed, 1))
		pcm := make([]int16, 3*8000)
		level := 0.0
		for i := range pcm {
			level = level*0.97 + r.NormFloat64()*600
			pcm[i] = int16(level)
		}
		return pcm
	}
	a, b := voice(1), voice(2)
	mixed := make([]int16, len(a))
	for i := range mixed {
		mixed[i] = a[i] + b[i]
	}
	part := PCMA.Decode(nil, PCMA.Encode(nil, a[9001:13001]))
	for _, c := range []struct {
		name     string
		heard    []int16
		low, top float64
	}{{"same", part, 0.9, 1}, {"other", b[5000:9000], 0, 0.4}, {"mix", mixed[9001:13001], 0.5, 0.9},
		{"round the loop", append(slices.Clone(a[22000:]), a[:2000]...), 0.9, 1.01},
		{"silence", make([]int16, 4000), 0, 0}} {
		if got := Likeness(c.heard, a); got < c.low || got > c.top {
			t.Errorf("%s: %.2f, want %.2f to %.2f", c.name, got, c.low, c.top)
		}
	}
}

func TestWriteWAV(t *testing.T) {
	var b bytes.Buffer
	if err := WriteWAV(&b, []int16{1, -2}); err != nil {
		t.Fatal(err)
	}
	if raw := b.Bytes(); len(raw) != 48 || string(raw[8:16]) != "WAVEfmt " || raw[40] != 4 || raw[44] != 1 ||
		raw[46] != 0xfe {
		t.Errorf("% x", raw)
	}
}

func TestStrictRoute(t *testing.T) {
	d := dialog{callID: "c", localTag: "l", remoteTag: "r", localAddr: "<sip:a@h>", remoteAddr: "<sip:b@h>",
		target: "sip:b@2.2.2.2",
		routes: []string{"<sip:1.1.1.1>", "<sip:3.3.3.3;lr>"}}
	m := d.request("BYE")
	if m.URI != "sip:1.1.1.1" || !slices.Equal(m.All("Route"), []string{"<sip:3.3.3.3;lr>", "<sip:b@2.2.2.2>"}) {
		t.Errorf("%s %v", m.URI, m.All("Route"))
	}
	d.routes[0] = "<sip:1.1.1.1;lr>"
	if m := d.request("BYE"); m.URI != d.target || len(m.All("Route")) != 2 {
		t.Errorf("%s %v", m.URI, m.All("Route"))
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte("INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nf: a <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: x\r\nCSeq: 1 INVITE\r\nl: 2\r\n\r\nhi"))
	f.Add([]byte("SIP/2.0 180 \r\nVia: SIP/2.0/UDP h\r\n ;x\r\nFrom: sip:a@h\r\nTo: sip:b\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMessage(data)
		if err != nil {
			return
		}
		m.via()
		cutAddr(m.Get("From"))
		uriAddr(m.URI)
		again, err := ParseMessage(m.Bytes())
		if err != nil {
			t.Fatalf("%v in what we print of %q: %q", err, data, m.Bytes())
		}
		if !bytes.Equal(again.Bytes(), m.Bytes()) {
			t.Errorf("%q prints as %q", m.Bytes(), again.Bytes())
		}
	})
}

func FuzzParseSDP(f *testing.F) {
	f.Add([]byte("v=0\r\nc=IN IP4 1.1.1.1\r\nm=audio 4000 RTP/AVP 0 8 97\r\na=rtpmap:97 telephone-event/8000\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseSDP(data); err == nil && (len(r.codecs) == 0 || r.which < 0 || !r.audio.IsValid()) {
			t.Errorf("%+v", r)
		}
	})
}
