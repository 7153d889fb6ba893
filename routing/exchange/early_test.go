package exchange

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/engine"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// streams keeps what the media engine was told of the streams. Guarded by mu.
type streams struct {
	fakeMedia
	mu   *sync.Mutex
	seen *[]engine.Stream
}

func (m streams) Do(c engine.Command) {
	if s, ok := c.(engine.Stream); ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		*m.seen = append(*m.seen, s)
	}
}

// RFC 3311 §5.1: a trunk may change its early media by UPDATE before anybody answers.
// They are early media still: when they stop, our ringing tone is soon heard again.
func TestUpdateOfEarlyMedia(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		m := streams{mu: new(sync.Mutex), seen: new([]engine.Stream)}
		x := exchangeOf(w, func(c *Config) { c.Sessions = func(string, func(engine.Event)) Media { return m } })
		defer x.Stop()
		p := invite(t, "119")
		body := string(p.Msg.Body())
		w.Bind(p.CallID(), x.Incoming(pstn, p))
		synctest.Wait()
		sent, _ := w.find("INVITE sip:119@")
		id, tag := callIDIn.FindStringSubmatch(sent)[1], fromTag.FindStringSubmatch(sent)[1]
		post := func(text string) {
			t.Helper()
			msg, err := gosip.ParseMessage([]byte(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			sink, _ := w.Sink(id)
			sink.Post(ua.Inbound{Packet: leg.Packet{Msg: msg,
				Flow: leg.Flow{Network: "lab", Transport: "udp", Remote: netip.MustParseAddrPort("127.0.0.11:5060")}}})
			synctest.Wait()
		}
		req, err := gosip.ParseMessage([]byte(sent))
		if err != nil {
			t.Fatal(err)
		}
		res := leg.Reply(leg.Packet{Msg: req}, 183, "", "gate")
		for _, h := range [][2]string{{"Contact", "<sip:119@127.0.0.11:5060>"}, {"Require", "100rel"}, {"RSeq", "1"},
			{"Content-Type", "application/sdp"}} {
			res.AppendHeader(gosip.NewHeader(h[0], h[1]))
		}
		res.SetBody([]byte(body))
		post(res.String())
		to := "<sip:119@127.0.0.11>"
		body = "v=0\r\no=- 1 2 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\nt=0 0\r\nm=audio 4002 RTP/AVP 8\r\na=sendonly\r\n"
		post("UPDATE sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.11:5060;branch=z9hG4bKupdate\r\nMax-Forwards: 70\r\nFrom: " + to +
			";tag=gate\r\nTo: <sip:x@127.0.0.1>;tag=" + tag + "\r\nCall-ID: " + id +
			"\r\nCSeq: 1 UPDATE\r\nContact: <sip:119@127.0.0.11:5060>\r\n" +
			"Content-Type: application/sdp\r\nContent-Length: " + fmt.Sprint(len(body)) + "\r\n\r\n" + body)
		if text, ok := w.find("SIP/2.0 200"); !ok {
			t.Fatalf("UPDATE is answered %q", text)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		var trunk []engine.Stream
		for _, s := range *m.seen {
			if s.Leg != 1 {
				trunk = append(trunk, s)
			}
		}
		if len(trunk) != 2 || trunk[1].Remote.Port() != 4002 || trunk[1].Timeout != time.Second {
			t.Errorf("the early media are %+v", trunk)
		}
	})
}
