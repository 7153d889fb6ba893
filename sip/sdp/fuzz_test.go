package sdp

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/pion/sdp/v3"
)

// Whatever is offered, our answer is one that a strict reader takes, has the
// offer's streams, and is understood by the party as we understand it.
func FuzzAnswer(f *testing.F) {
	f.Add(phone("m=video 5000 RTP/AVP 96", "m=audio 4000/2 RTP/AVP 8 0 97 101", "c=IN IP4 192.0.2.9",
		"a=rtpmap:97 PCMA/8000/1",
		"a=rtpmap:101 telephone-event/8000", "a=rtcp:4005 IN IP4 192.0.2.8", "a=rtcp-mux", "a=ptime:30",
		"a=maxptime:40", "a=sendonly"))
	f.Add(phone("m=audio 4000 RTP/AVPF 8", "c=IN IP4 0.0.0.0"))
	f.Add([]byte("v=0\nm=audio 1 RTP/AVP 0\nc=IN IP6 ::"))
	f.Fuzz(func(t *testing.T, offer []byte) {
		answer, s, err := Answer(us, offer)
		if err != nil {
			return
		}
		streams, err := parse(answer)
		if err != nil {
			t.Fatalf("our own answer: %v\n%s", err, answer)
		}
		if offered, _ := parse(offer); len(offered) != len(streams) {
			t.Fatalf("%d streams for %d\n%s", len(streams), len(offered), answer)
		}
		heard, err := Accept(Local{Addr: addr("192.0.2.7:4000"), Codecs: us.Codecs, DTMF: 101, Ptime: us.Ptime}, answer)
		if err != nil || heard.Codec != s.Codec || heard.PT != s.PT || heard.Remote != us.Addr ||
			heard.DTMFSend != s.DTMFSend {
			t.Fatalf("they understand %+v %v where we mean %+v\n%s", heard, err, s, answer)
		}
		if heard.Direction.Sends() != s.Direction.Receives() || heard.Direction.Receives() != s.Direction.Sends() {
			t.Fatalf("they have %v and we %v\n%s", heard.Direction, s.Direction, answer)
		}
		after, err := parse(Offer(us.After(s)))
		if err != nil || len(after) != len(streams) {
			t.Fatalf("a later offer has %d streams for %d: %v", len(after), len(streams), err)
		}
		if twice, s2, _ := Answer(us, offer); !bytes.Equal(twice, answer) || !reflect.DeepEqual(s2, s) {
			t.Fatalf("answered another way the second time:\n%s%s", answer, twice)
		}
	})
}

// Our lines are in the order and form of RFC 4566, as another reader sees them.
func FuzzStrict(f *testing.F) {
	f.Add(uint16(20000), uint64(1), uint64(1), uint8(101), uint8(1))
	f.Fuzz(func(t *testing.T, port uint16, id, version uint64, dtmf, direction uint8) {
		l := us
		l.SessionID, l.Version, l.DTMF, l.Direction = id, version, dtmf%128, Direction(direction%4)
		var d sdp.SessionDescription
		if err := d.Unmarshal(Offer(l)); err != nil || d.Origin.SessionVersion != version ||
			len(d.MediaDescriptions) != 1 {
			t.Fatalf("%v\n%s", err, Offer(l))
		}
	})
}
