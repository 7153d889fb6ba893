package sdp

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
)

var us = Local{
	Addr: netip.MustParseAddrPort("192.0.2.100:20000"), SessionID: 7, Version: 1,
	Codecs: []codec.ID{codec.PCMA, codec.PCMU}, DTMF: 101, Ptime: 20 * time.Millisecond,
}

// body joins lines as SDP has them.
func body(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

// phone is the usual description with other streams.
func phone(lines ...string) []byte {
	return body(append([]string{"v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "c=IN IP4 192.0.2.7", "t=0 0"}, lines...)...)
}

func ours(lines ...string) string {
	return string(body(append([]string{"v=0", "o=liandong 7 1 IN IP4 192.0.2.100", "s=-", "c=IN IP4 192.0.2.100",
		"t=0 0"}, lines...)...))
}

func addr(s string) netip.AddrPort {
	if s == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}

func TestOffer(t *testing.T) {
	want := ours("m=audio 20000 RTP/AVP 8 0 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv")
	for range 3 { // RFC 3264 §8: the same description is the same text
		if got := string(Offer(us)); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	}
	l := us
	l.Addr, l.Version, l.DTMF, l.Ptime, l.Direction = addr("[2001:db8::1]:20002"), 2, 0, 0, SendOnly
	want = string(body("v=0", "o=liandong 7 2 IN IP6 2001:db8::1", "s=-", "c=IN IP6 2001:db8::1", "t=0 0",
		"m=audio 20002 RTP/AVP 8 0",
		"a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000", "a=sendonly"))
	if got := string(Offer(l)); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
}

// G.722 says 8000 though it has 16000 samples (RFC 3551 §4.5.2), and Opus always
// 48000 and two channels (RFC 7587 §7).
func TestWideband(t *testing.T) {
	l := us
	l.Codecs, l.DTMF = []codec.ID{codec.Opus, codec.G722, codec.PCMA}, 0
	want := ours("m=audio 20000 RTP/AVP 111 9 8", "a=rtpmap:111 opus/48000/2", "a=rtpmap:9 G722/8000",
		"a=rtpmap:8 PCMA/8000",
		"a=ptime:20", "a=sendrecv")
	if got := string(Offer(l)); got != want {
		t.Errorf("offered\n%swant\n%s", got, want)
	}
	for _, c := range []struct {
		name          string
		offer         []byte
		pt            uint8
		id            codec.ID
		formats, map1 string
	}{
		{"opus by its own number", phone("m=audio 4000 RTP/AVP 96 8", "a=rtpmap:96 opus/48000/2",
			"a=fmtp:96 useinbandfec=1"), 96, codec.Opus, "96 8", "96 opus/48000/2"},
		{"in capitals", phone("m=audio 4000 RTP/AVP 111", "a=rtpmap:111 OPUS/48000/2"), 111, codec.Opus, "111",
			"111 opus/48000/2"},
		{"111 is nothing by itself", phone("m=audio 4000 RTP/AVP 111 9"), 9, codec.G722, "9", "9 G722/8000"},
		{"one channel of opus", phone("m=audio 4000 RTP/AVP 111 112 8", "a=rtpmap:111 opus/48000",
			"a=rtpmap:112 opus/48000/1"), 8, codec.PCMA, "8", "8 PCMA/8000"},
		{"G.722 without rtpmap", phone("m=audio 4000 RTP/AVP 9"), 9, codec.G722, "9", "9 G722/8000"},
		{"G.722 with one", phone("m=audio 4000 RTP/AVP 9", "a=rtpmap:9 g722/8000/1"), 9, codec.G722, "9",
			"9 G722/8000"},
		{"G.722 by another number", phone("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 G722/8000"), 97, codec.G722, "97",
			"97 G722/8000"},
		{"G.722.1 is another codec", phone("m=audio 4000 RTP/AVP 97 8", "a=rtpmap:97 G7221/16000"), 8, codec.PCMA, "8",
			"8 PCMA/8000"},
	} {
		answer, s, err := Answer(l, c.offer)
		if err != nil || s.Codec != c.id || s.PT != c.pt || s.Recv[c.pt] != c.id {
			t.Errorf("%s: %v by %d, %v", c.name, s.Codec, s.PT, err)
		}
		if text := string(answer); !strings.Contains(text, "RTP/AVP "+c.formats+"\r\n") ||
			!strings.Contains(text, "a=rtpmap:"+c.map1+"\r\n") {
			t.Errorf("%s: answered\n%s", c.name, text)
		}
		if s, err := Accept(l, c.offer); err != nil || s.Codec != c.id || s.PT != c.pt ||
			s.Recv[c.id.PayloadType()] != c.id {
			t.Errorf("%s as an answer: %v by %d, %v", c.name, s.Codec, s.PT, err)
		}
	}
}

// What phones and SBCs send, and what becomes of it.
func TestAnswer(t *testing.T) {
	plain := Session{
		Remote: addr("192.0.2.7:4000"), RemoteRTCP: addr("192.0.2.7:4001"), Codec: codec.PCMA, PT: 8,
		Recv: map[uint8]codec.ID{8: codec.PCMA},
	}
	with := func(change func(*Session)) Session {
		s := plain
		change(&s)
		return s
	}
	audio := func(lines ...string) string {
		return ours(append([]string{"m=audio 20000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"}, lines...)...)
	}
	tail := []string{"a=ptime:20", "a=sendrecv"}
	for name, c := range map[string]struct {
		offer  []byte
		answer string
		want   Session
	}{
		"static payload type without rtpmap": {phone("m=audio 4000 RTP/AVP 8"), audio(tail...), plain},
		"bare line feeds, blank lines, blanks at ends": {
			[]byte("\n\nv=0\no=- 1 1 IN IP4 192.0.2.7\n\ns=-\nc=IN IP4 192.0.2.7 \nt=0 0\n\n\nm=audio 4000 RTP/AVP 8 \n\n\x00"), audio(tail...), plain},
		"no s= and no t=": {body("v=0", "o=- 1 1 IN IP4 192.0.2.7", "c=IN IP4 192.0.2.7",
			"m=audio 4000 RTP/AVP 8"), audio(tail...), plain},
		"o= that is no number, a= before t=": {body("v=0", "o=user x y IN IP4 192.0.2.7", "s= ", "a=sendrecv",
			"b=AS:84", "c=IN IP4 192.0.2.7", "t=0 0", "m=audio 4000 RTP/AVP 8"), audio(tail...), plain},
		"c= at the stream": {
			body("v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "c=IN IP4 0.0.0.0", "t=0 0", "m=audio 4000 RTP/AVP 8",
				"c=IN IP4 192.0.2.7"), audio(tail...), plain},
		"several c=, with a TTL": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP4 192.0.2.7/127",
			"c=IN IP4 192.0.2.8"), audio(tail...), plain},
		"the first codec is none of ours": {phone("m=audio 4000 RTP/AVP 9 18 8 13", "a=rtpmap:9 G722/8000",
			"a=rtpmap:18 G729/8000", "a=fmtp:18 annexb=no"), audio(tail...), plain},
		"every codec that we have, in the party's order": {
			phone("m=audio 4000 RTP/AVP 0 8 0", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 pcma/8000/1"),
			ours("m=audio 20000 RTP/AVP 0 8", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=ptime:20",
				"a=sendrecv"),
			with(func(s *Session) {
				s.Codec, s.PT, s.Recv = codec.PCMU, 0, map[uint8]codec.ID{0: codec.PCMU, 8: codec.PCMA}
			}),
		},
		"a codec by a dynamic payload type": {
			phone("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMA/8000"),
			ours("m=audio 20000 RTP/AVP 97", "a=rtpmap:97 PCMA/8000", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.PT, s.Recv = 97, map[uint8]codec.ID{97: codec.PCMA} }),
		},
		"rtpmap goes before the static meaning": {
			phone("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 PCMA/8000"),
			ours("m=audio 20000 RTP/AVP 0", "a=rtpmap:0 PCMA/8000", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.PT, s.Recv = 0, map[uint8]codec.ID{0: codec.PCMA} }),
		},
		"telephone-event by the party's payload type": {
			phone("m=audio 4000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15"),
			ours("m=audio 20000 RTP/AVP 8 96", "a=rtpmap:8 PCMA/8000", "a=rtpmap:96 telephone-event/8000",
				"a=fmtp:96 0-16", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.DTMFSend, s.DTMFRecv = 96, map[uint8]int{96: 8000} }),
		},
		"two telephone-events": {
			phone("m=audio 4000 RTP/AVP 8 110 126", "a=rtpmap:110 telephone-event/48000",
				"a=rtpmap:126 TELEPHONE-EVENT/8000"),
			ours("m=audio 20000 RTP/AVP 8 126", "a=rtpmap:8 PCMA/8000", "a=rtpmap:126 telephone-event/8000",
				"a=fmtp:126 0-16", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.DTMFSend, s.DTMFRecv = 126, map[uint8]int{126: 8000} }),
		},
		"telephone-event of another clock only: heard, not sent": {
			phone("m=audio 4000 RTP/AVP 8 110", "a=rtpmap:110 telephone-event/48000"),
			ours("m=audio 20000 RTP/AVP 8 110", "a=rtpmap:8 PCMA/8000", "a=rtpmap:110 telephone-event/48000",
				"a=fmtp:110 0-16", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.DTMFRecv = map[uint8]int{110: 48000} }),
		},
		"a=rtcp": {phone("m=audio 4000 RTP/AVP 8", "a=rtcp:5555"), audio(tail...),
			with(func(s *Session) { s.RemoteRTCP = addr("192.0.2.7:5555") })},
		"a=rtcp elsewhere": {phone("m=audio 4000 RTP/AVP 8", "a=rtcp:5555 IN IP4 192.0.2.9"), audio(tail...),
			with(func(s *Session) { s.RemoteRTCP = addr("192.0.2.9:5555") })},
		"a=rtcp of nonsense": {phone("m=audio 4000 RTP/AVP 8", "a=rtcp:0", "a=rtcp:", "a=rtcp:x"), audio(tail...),
			plain},
		"a=rtcp-mux": {phone("m=audio 4000 RTP/AVP 8", "a=rtcp-mux"), audio("a=rtcp-mux", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.RTCPMux, s.RemoteRTCP = true, s.Remote })},
		"ptime": {phone("m=audio 4000 RTP/AVP 8", "a=ptime:30"), audio(tail...),
			with(func(s *Session) { s.Ptime = 30 * time.Millisecond })},
		"ptime over maxptime": {phone("a=maxptime:40", "m=audio 4000 RTP/AVP 8", "a=ptime:60"),
			audio(tail...), with(func(s *Session) { s.Ptime = 40 * time.Millisecond })},
		"ptime that is no number of frames": {phone("m=audio 4000 RTP/AVP 8", "a=ptime:25"), audio(tail...),
			with(func(s *Session) { s.Ptime = 30 * time.Millisecond })},
		"maxptime alone": {phone("m=audio 4000 RTP/AVP 8", "a=maxptime:15"), audio(tail...),
			with(func(s *Session) { s.Ptime = 10 * time.Millisecond })},
		"ptime below bounds": {phone("m=audio 4000 RTP/AVP 8", "a=ptime:1"), audio(tail...),
			with(func(s *Session) { s.Ptime = 10 * time.Millisecond })},
		"ptime out of bounds": {phone("m=audio 4000 RTP/AVP 8", "a=ptime:200"), audio(tail...),
			with(func(s *Session) { s.Ptime = 60 * time.Millisecond })},
		"ptime of nonsense": {phone("m=audio 4000 RTP/AVP 8", "a=ptime:20.5"), audio(tail...),
			plain},
		"hold: sendonly": {phone("m=audio 4000 RTP/AVP 8", "a=sendonly"),
			audio("a=ptime:20", "a=recvonly"), with(func(s *Session) { s.Direction = RecvOnly })},
		"hold: inactive": {phone("m=audio 4000 RTP/AVP 8", "a=inactive"),
			audio("a=ptime:20", "a=inactive"), with(func(s *Session) { s.Direction = Inactive })},
		"recvonly": {phone("m=audio 4000 RTP/AVP 8", "a=recvonly"),
			audio("a=ptime:20", "a=sendonly"), with(func(s *Session) { s.Direction = SendOnly })},
		"hold at session level": {phone("a=sendonly", "m=audio 4000 RTP/AVP 8"),
			audio("a=ptime:20", "a=recvonly"), with(func(s *Session) { s.Direction = RecvOnly })},
		"the stream's own direction goes first": {phone("a=inactive", "m=audio 4000 RTP/AVP 8", "a=sendrecv"),
			audio(tail...), plain},
		"hold: c=0.0.0.0": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP4 0.0.0.0"), audio("a=ptime:20", "a=recvonly"),
			with(func(s *Session) { s.Direction, s.Remote, s.RemoteRTCP = RecvOnly, addr(""), addr("") })},
		"hold: c=0.0.0.0 and sendonly": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP4 0.0.0.0", "a=sendonly"),
			audio("a=ptime:20", "a=recvonly"),
			with(func(s *Session) { s.Direction, s.Remote, s.RemoteRTCP = RecvOnly, addr(""), addr("") })},
		"hold: c=:: and inactive": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP6 ::", "a=inactive"),
			audio("a=ptime:20", "a=inactive"),
			with(func(s *Session) { s.Direction, s.Remote, s.RemoteRTCP = Inactive, addr(""), addr("") })},
		"video and fax are declined in their places": {
			phone("m=video 5000 RTP/AVP 96 97", "a=rtpmap:96 H264/90000", "m=audio 4000 RTP/AVP 8",
				"m=image 6000 udptl t38", "m=message 7000 TCP/MSRP *"),
			ours("m=video 0 RTP/AVP 96 97", "m=audio 20000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20",
				"a=sendrecv", "m=image 0 udptl t38", "m=message 0 TCP/MSRP *"),
			with(func(s *Session) {
				s.Streams = []string{"video 0 RTP/AVP 96 97", "", "image 0 udptl t38", "message 0 TCP/MSRP *"}
			}),
		},
		"the secure stream is declined, the plain one taken": {
			phone("m=audio 5000 RTP/SAVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "m=audio 4000 RTP/AVP 8"),
			ours("m=audio 0 RTP/SAVP 8", "m=audio 20000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.Streams = []string{"audio 0 RTP/SAVP 8", ""} }),
		},
		"a stream that is off, then one that is on": {
			phone("m=audio 0 RTP/AVP 8", "m=audio 4000/2 RTP/AVP 8"),
			ours("m=audio 0 RTP/AVP 8", "m=audio 20000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv"),
			with(func(s *Session) { s.Streams = []string{"audio 0 RTP/AVP 8", ""} }),
		},
		"the feedback profile": {phone("m=audio 4000 RTP/AVPF 8"),
			ours("m=audio 20000 RTP/AVPF 8", "a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=sendrecv"), plain},
		"the last port has no neighbour": {phone("m=audio 65535 RTP/AVP 8"), audio(tail...),
			with(func(s *Session) { s.Remote, s.RemoteRTCP = addr("192.0.2.7:65535"), addr("") })},
		"an IPv4 address in IPv6 clothes": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP6 ::ffff:192.0.2.7"),
			audio(tail...), plain},
	} {
		answer, s, err := Answer(us, c.offer)
		if err != nil || string(answer) != c.answer {
			t.Errorf("%s: %v, got\n%swant\n%s", name, err, answer, c.answer)
		}
		if !reflect.DeepEqual(s, c.want) {
			t.Errorf("%s: got\n%+v, want\n%+v", name, s, c.want)
		}
	}
}

func TestAnswerRefused(t *testing.T) {
	for name, c := range map[string]struct {
		offer []byte
		want  error
	}{
		"no codec of ours": {phone("m=audio 4000 RTP/AVP 18 9", "a=rtpmap:18 G729/8000"), ErrNoCodec},
		"telephone-event alone": {phone("m=audio 4000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"),
			ErrNoCodec},
		"PCMA of another clock":     {phone("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMA/16000"), ErrNoCodec},
		"no audio":                  {phone("m=video 4000 RTP/AVP 31"), ErrNoCodec},
		"no streams":                {phone(), ErrNoCodec},
		"audio that is off":         {phone("m=audio 0 RTP/AVP 8"), ErrNoCodec},
		"secure audio alone":        {phone("m=audio 4000 RTP/SAVP 8"), ErrProtection},
		"multicast":                 {phone("m=audio 4000 RTP/AVP 8", "c=IN IP4 224.2.1.1/127"), ErrNoCodec},
		"a family that is not ours": {phone("m=audio 4000 RTP/AVP 8", "c=IN IP6 2001:db8::1"), ErrNoCodec},
		"a name for an address":     {phone("m=audio 4000 RTP/AVP 8", "c=IN IP4 host.example.com"), ErrNoCodec},
		"no address": {body("v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "t=0 0",
			"m=audio 4000 RTP/AVP 8"), ErrNoCodec},
		"empty":                      {nil, ErrSyntax},
		"something else":             {[]byte("Signal=5\r\n"), ErrSyntax},
		"a port that is none":        {phone("m=audio 65536 RTP/AVP 8"), ErrSyntax},
		"a port that is no number":   {phone("m=audio x RTP/AVP 8"), ErrSyntax},
		"an m= line without formats": {phone("m=audio 4000 RTP/AVP"), ErrSyntax},
		"too long":                   {append(phone("m=audio 4000 RTP/AVP 8"), make([]byte, 16<<10)...), ErrSyntax},
		"too many streams":           {phone(strings.Repeat("m=audio 4000 RTP/AVP 8\r\n", 17)), ErrSyntax},
		"too many formats":           {phone("m=audio 4000 RTP/AVP" + strings.Repeat(" 8", 65)), ErrSyntax},
	} {
		if answer, _, err := Answer(us, c.offer); !errors.Is(err, c.want) || answer != nil {
			t.Errorf("%s: got %v, want %v\n%s", name, err, c.want, answer)
		}
	}
}

// What we want and what the party wants must both hold: RFC 3264 §6.1.
func TestDirections(t *testing.T) {
	for _, c := range []struct {
		ours   Direction
		theirs string
		want   Direction
	}{
		{SendRecv, "sendrecv", SendRecv}, {SendRecv, "sendonly", RecvOnly}, {SendRecv, "recvonly", SendOnly},
		{SendRecv, "inactive", Inactive},
		{SendOnly, "sendrecv", SendOnly}, {SendOnly, "sendonly", Inactive}, {SendOnly, "recvonly", SendOnly},
		{SendOnly, "inactive", Inactive},
		{RecvOnly, "sendrecv", RecvOnly}, {RecvOnly, "sendonly", RecvOnly}, {RecvOnly, "recvonly", Inactive},
		{RecvOnly, "inactive", Inactive},
		{Inactive, "sendrecv", Inactive}, {Inactive, "sendonly", Inactive}, {Inactive, "recvonly", Inactive},
		{Inactive, "inactive", Inactive},
	} {
		l := us
		l.Direction = c.ours
		sdp := phone("m=audio 4000 RTP/AVP 8", "a="+c.theirs)
		answer, s, err := Answer(l, sdp)
		if err != nil || s.Direction != c.want || !strings.Contains(string(answer), "a="+c.want.String()+"\r\n") {
			t.Errorf("we want %v, they offer %s: got %v %v\n%s", c.ours, c.theirs, s.Direction, err, answer)
		}
		if s, err := Accept(l, sdp); err != nil || s.Direction != c.want {
			t.Errorf("we offer %v, they answer %s: got %v %v", c.ours, c.theirs, s.Direction, err)
		}
	}
}

func TestAccept(t *testing.T) {
	both := map[uint8]codec.ID{8: codec.PCMA, 0: codec.PCMU}
	s, err := Accept(us, phone("m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 telephone-event/8000", "a=rtcp-mux",
		"a=rtcp:4005"))
	want := Session{
		Remote: addr("192.0.2.7:4000"), RemoteRTCP: addr("192.0.2.7:4005"), Codec: codec.PCMU, PT: 0, Recv: both,
		DTMFSend: 97, DTMFRecv: map[uint8]int{101: 8000, 97: 8000},
	}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("got\n%+v %v, want\n%+v", s, err, want)
	}
	if s, err := Accept(us, phone("m=audio 4000 RTP/AVP 8")); err != nil || s.DTMFSend != 0 || s.DTMFRecv != nil {
		t.Errorf("key presses were not agreed on: %+v %v", s, err)
	}
	for name, answer := range map[string][]byte{
		"declined": phone("m=audio 0 RTP/AVP 8"), "another codec": phone("m=audio 4000 RTP/AVP 18"), "nothing": phone(),
	} {
		if s, err := Accept(us, answer); !errors.Is(err, ErrNoCodec) {
			t.Errorf("%s: got %+v %v", name, s, err)
		}
	}
}

// RFC 3264 §8: "If an SDP is offered, which is different from the previous SDP,
// the new SDP MUST have a matching media stream for each media stream in the
// previous SDP", and in the same place.
func TestOfferAfterStreamsWereDeclined(t *testing.T) {
	_, s, err := Answer(us, phone("m=video 5000 RTP/AVP 96", "m=audio 4000 RTP/AVP 8 96",
		"a=rtpmap:96 telephone-event/8000"))
	if err != nil {
		t.Fatal(err)
	}
	l := us.After(s)
	l.Version++
	want := strings.Replace(ours("m=video 0 RTP/AVP 96", "m=audio 20000 RTP/AVP 8 0 96", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:0 PCMU/8000",
		"a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-16", "a=ptime:20", "a=sendrecv"), "7 1 IN", "7 2 IN", 1)
	if got := string(Offer(l)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	s, err = Accept(l, phone("m=video 0 RTP/AVP 96", "m=audio 4002 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000"))
	if err != nil || s.Remote != addr("192.0.2.7:4002") || len(s.Streams) != 2 || s.DTMFRecv[96] != 8000 {
		t.Errorf("got %+v %v", s, err)
	}
}

// Keys beside Opus have its clock (RFC 4733 §2.1.1), so there are two telephone-events, and no
// payload type stands for two things.
func TestEventsOfTwoClocks(t *testing.T) {
	l := us
	l.Codecs = []codec.ID{codec.PCMA, codec.Opus}
	want := ours("m=audio 20000 RTP/AVP 8 111 101 96", "a=rtpmap:8 PCMA/8000", "a=rtpmap:111 opus/48000/2",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-16", "a=rtpmap:96 telephone-event/48000", "a=fmtp:96 0-16", "a=ptime:20", "a=sendrecv")
	if got := string(Offer(l)); got != want {
		t.Errorf("offered\n%swant\n%s", got, want)
	}
	both := []string{"a=rtpmap:107 opus/48000/2", "a=rtpmap:100 telephone-event/8000",
		"a=rtpmap:111 telephone-event/48000"}
	for _, c := range []struct {
		line string
		send uint8
		recv map[uint8]int
	}{
		{"m=audio 4000 RTP/AVP 107 8 100 111", 111, map[uint8]int{100: 8000, 111: 48000}},
		{"m=audio 4000 RTP/AVP 8 107 100 111", 100, map[uint8]int{100: 8000, 111: 48000}},
		{"m=audio 4000 RTP/AVP 107 100 111", 111, map[uint8]int{111: 48000}},
		{"m=audio 4000 RTP/AVP 8 100 111", 100, map[uint8]int{100: 8000}},
		{"m=audio 4000 RTP/AVP 107 100", 0, map[uint8]int{100: 8000}},
	} {
		_, s, err := Answer(l, phone(append([]string{c.line}, both...)...))
		if err != nil || s.DTMFSend != c.send || !reflect.DeepEqual(s.DTMFRecv, c.recv) {
			t.Errorf("%s: keys go by %d and come by %v, %v", c.line, s.DTMFSend, s.DTMFRecv, err)
		}
	}
	s, err := Accept(l, phone(append([]string{"m=audio 4000 RTP/AVP 107 100 111"}, both...)...))
	if recv := map[uint8]int{101: 8000, 96: 48000, 100: 8000}; err != nil || s.DTMFSend != 111 ||
		!reflect.DeepEqual(s.DTMFRecv, recv) {
		t.Errorf("as an answer: keys go by %d and come by %v, %v", s.DTMFSend, s.DTMFRecv, err)
	}
}

// RFC 3264 §8.3.2: "the mapping from a particular dynamic payload type number to a particular
// codec within that media stream MUST NOT change for the duration of a session".
func TestTypesKeepTheirMeaning(t *testing.T) {
	l := us
	l.Codecs = []codec.ID{codec.PCMA, codec.G722, codec.Opus}
	_, s, err := Answer(l, phone("m=audio 4000 RTP/AVP 97 8 111 101", "a=rtpmap:97 G722/8000",
		"a=rtpmap:111 telephone-event/8000", "a=rtpmap:101 iLBC/8000"))
	if err != nil {
		t.Fatal(err)
	}
	l = l.After(s)
	// 111 is the party's telephone-event now, so opus has to have another number.
	if got, want := count(Offer(l)), "audio 20000 RTP/AVP 8 97 96 111 101"; got != want {
		t.Errorf("offered %q, want %q", got, want)
	}
	s, err = Accept(l, phone("m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2",
		"a=rtpmap:101 telephone-event/48000"))
	if err != nil || s.Codec != codec.Opus || s.Recv[96] != codec.Opus || s.Recv[97] != codec.G722 ||
		s.DTMFSend != 101 {
		t.Errorf("got %+v %v", s, err)
	}
	again := l.After(s)
	if !reflect.DeepEqual(again.Types, map[string]uint8{"PCMA/8000": 8, "G722/8000": 97, "opus/48000/2": 96,
		"telephone-event/8000": 111, "telephone-event/48000": 101}) {
		t.Errorf("then %v", again.Types)
	}
	if l.Types["opus/48000/2"] != 0 {
		t.Error("what was agreed on later is in what was before")
	}
}

// Payload 9 is G.722 whatever clock is written behind its name: half of the field writes the one it sounds by.
func TestG722ByTheClockOfItsSound(t *testing.T) {
	l := us
	l.Codecs = []codec.ID{codec.G722, codec.PCMA}
	for _, lines := range [][]string{
		{"m=audio 41000 RTP/AVP 9 101", "a=rtpmap:9 G722/16000", "a=rtpmap:101 telephone-event/8000"},
		{"m=audio 41000 RTP/AVP 9 101", "a=rtpmap:9 G722", "a=rtpmap:101 telephone-event/8000"},
		{"m=audio 41000 RTP/AVP 107 101", "a=rtpmap:107 G722/16000", "a=rtpmap:101 telephone-event/8000"},
	} {
		if _, s, err := Answer(l, phone(lines...)); err != nil || s.Codec != codec.G722 {
			t.Errorf("offer %q: %v %v", lines, s.Codec, err)
		}
		if s, err := Accept(l, phone(lines...)); err != nil || s.Codec != codec.G722 || s.DTMFSend != 101 {
			t.Errorf("answer %q: %+v %v", lines, s, err)
		}
	}
}

// A party that renumbers telephone-event in its answer sends its keys by its own number.
func TestKeysByANumberOfTheAnswer(t *testing.T) {
	s, err := Accept(us, phone("m=audio 41000 RTP/AVP 8 97", "a=rtpmap:8 PCMA/8000",
		"a=rtpmap:97 telephone-event/8000"))
	if err != nil || s.DTMFSend != 97 || s.DTMFRecv[97] != 8000 || s.DTMFRecv[101] != 8000 {
		t.Errorf("%+v %v", s, err)
	}
}
