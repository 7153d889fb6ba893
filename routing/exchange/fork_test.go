package exchange

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/ua"
)

// twoPhones is a wire to a user with a phone at each of two ports.
type twoPhones struct{ *fakeWire }

func (w twoPhones) Reachable(user string) bool { return len(w.Locate(user)) > 0 }

func (w twoPhones) Locate(user string) (all []ua.Binding) {
	if user != "1101" {
		return nil
	}
	for _, port := range []uint16{7000, 7001} {
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		all = append(all, ua.Binding{User: user, Contact: fmt.Sprintf("sip:1101@%v", at),
			Flow: leg.Flow{Network: "lab", Transport: "udp", Remote: at}})
	}
	return all
}

// says lets the phone at a port respond to the INVITE that rings it.
func (w twoPhones) says(t *testing.T, port int, code int) {
	t.Helper()
	text, ok := w.find(fmt.Sprintf("INVITE sip:1101@127.0.0.1:%d", port))
	if !ok {
		t.Fatalf("the phone at %d does not ring", port)
	}
	msg, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	req := msg.(*gosip.Request)
	res := gosip.NewResponseFromRequest(req, code, "", nil)
	res.To().Params = gosip.HeaderParams{{K: "tag", V: fmt.Sprintf("of%d", port)}}
	res.AppendHeader(gosip.NewHeader("Contact", fmt.Sprintf("<sip:1101@127.0.0.1:%d>", port)))
	if code == 200 {
		res.AppendHeader(gosip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4100 RTP/AVP 8\r\n"))
	}
	s, _ := w.Sink(req.CallID().Value())
	s.Post(ua.Inbound{Packet: leg.Packet{Msg: res, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", port))}}})
	synctest.Wait()
}

// cancelled says whether the phone at a port was told to stop ringing, and why.
func (w twoPhones) cancelled(port int) (why string, ok bool) {
	text, ok := w.find(fmt.Sprintf("CANCEL sip:1101@127.0.0.1:%d", port))
	_, why, _ = strings.Cut(text, "Reason: ")
	why, _, _ = strings.Cut(why, "\r\n")
	return why, ok
}

// forkedCall rings both phones of 1101 for a caller, and then runs a test.
func forkedCall(t *testing.T, test func(t *testing.T, x *Exchange, w twoPhones)) {
	synctest.Test(t, func(t *testing.T) {
		w := twoPhones{&fakeWire{sinks: map[string]ua.Sink{}}}
		x := exchangeOf(w.fakeWire, func(c *Config) { c.Wire = w })
		defer x.Stop()
		x.Incoming(pstn, invite(t, "110"))
		synctest.Wait()
		test(t, x, w)
	})
}

// RFC 3261 §16.7 step 10: once one has answered, "the proxy MUST generate a CANCEL request for all pending client
// transactions"; RFC 3326 §2 has the reason for it that keeps the other phone's list of missed calls clean.
func TestFirstPhoneThatAnswersIsTheDesk(t *testing.T) {
	for _, first := range []int{7000, 7001} {
		forkedCall(t, func(t *testing.T, x *Exchange, w twoPhones) {
			w.says(t, 7000, 180)
			w.says(t, 7001, 180)
			w.says(t, first, 200)
			if _, ok := w.find("SIP/2.0 200 OK"); !ok {
				t.Error("the caller was not answered")
			}
			if _, ok := w.find(fmt.Sprintf("ACK sip:1101@127.0.0.1:%d", first)); !ok {
				t.Error("who answered gets no ACK")
			}
			if why, ok := w.cancelled(7000 + 7001 - first); !ok || !strings.Contains(why, "SIP ;cause=200") {
				t.Errorf("the other phone: %q %v", why, ok)
			}
			if s := x.Stats(); s.Live != 1 || s.SeatsBusy != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// One phone that is dead, busy or out of order hides no other.
func TestPhoneThatFailsHidesNoOther(t *testing.T) {
	for _, failed := range []int{7000, 7001} {
		for _, code := range []int{404, 480, 486, 503} {
			forkedCall(t, func(t *testing.T, _ *Exchange, w twoPhones) {
				w.says(t, failed, code)
				if _, ok := w.cancelled(7000 + 7001 - failed); ok {
					t.Errorf("%d of one phone was taken for the user's", code)
				}
				w.says(t, 7000+7001-failed, 200)
				if _, ok := w.find("SIP/2.0 200 OK"); !ok {
					t.Errorf("after %d at %d the other phone's answer did not reach the caller", code, failed)
				}
			})
		}
	}
}

// RFC 3261 §16.7 step 5: after a 6xx "all client transactions are cancelled": the user wants no call.
func TestUserDeclines(t *testing.T) {
	for _, at := range []int{7000, 7001} {
		forkedCall(t, func(t *testing.T, x *Exchange, w twoPhones) {
			w.says(t, 7000, 180)
			w.says(t, 7001, 180)
			w.says(t, at, 603)
			if _, ok := w.cancelled(7000 + 7001 - at); !ok {
				t.Error("the other phone rings on")
			}
			if s := x.Stats(); s.SeatsBusy != 0 {
				t.Errorf("the seat is kept: %+v", s)
			}
		})
	}
}

func TestCallerHangsUpWhilePhonesRing(t *testing.T) {
	forkedCall(t, func(t *testing.T, x *Exchange, w twoPhones) {
		w.says(t, 7000, 180)
		w.says(t, 7001, 180)
		for _, a := range x.actors() {
			a.inbox.put(input{ask: func(c *Core) { c.End(time.Now(), 0) }}, own)
		}
		synctest.Wait()
		for _, port := range []int{7000, 7001} {
			if _, ok := w.cancelled(port); !ok {
				t.Errorf("the phone at %d rings on", port)
			}
		}
	})
}
