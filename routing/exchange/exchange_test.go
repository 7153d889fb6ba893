package exchange

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/engine"
	"liandong/routing/call"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/routing/verb"
	"liandong/sip/leg"
	"liandong/sip/ua"
)

// fakeWire is a transport that keeps what was sent and answers nothing by
// itself. Guarded by mu.
type fakeWire struct {
	mu    sync.Mutex
	sent  []string
	to    []netip.AddrPort
	sinks map[string]ua.Sink
	port  uint16 // where 1101 registered from
}

func (w *fakeWire) Send(p leg.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent, w.to = append(w.sent, p.Msg.String()), append(w.to, p.Flow.Remote)
}

func (w *fakeWire) setPort(port uint16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.port = port
}

// lastTo is where the last message that begins with a word went.
func (w *fakeWire) lastTo(start string) netip.AddrPort {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.sent) - 1; i >= 0; i-- {
		if strings.HasPrefix(w.sent[i], start) {
			return w.to[i]
		}
	}
	return netip.AddrPort{}
}

func (w *fakeWire) Bind(id string, s ua.Sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sinks[id] = s
}

func (w *fakeWire) Unbind(id string, _ ua.Sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sinks, id)
}

func (w *fakeWire) Sink(id string) (ua.Sink, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, ok := w.sinks[id]
	return s, ok
}

func (w *fakeWire) Reachable(user string) bool { return len(w.Locate(user)) > 0 }

func (w *fakeWire) Locate(user string) []ua.Binding {
	if user != "1101" {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), max(w.port, 7000))
	return []ua.Binding{{User: user, Contact: "sip:1101@127.0.0.1:7000",
		Flow: leg.Flow{Network: "lab", Transport: "udp", Remote: at}}}
}

func (w *fakeWire) Local(_, transport string) (leg.Local, bool) {
	return leg.Local{Contact: "sip:127.0.0.1:5060", ViaHost: "127.0.0.1:5060", Transport: transport}, true
}

// find returns the last message sent that begins with a word.
func (w *fakeWire) find(start string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.sent) - 1; i >= 0; i-- {
		if strings.HasPrefix(w.sent[i], start) {
			return w.sent[i], true
		}
	}
	return "", false
}

type fakeMedia struct{}

func (fakeMedia) Open(engine.LegID, string) (netip.AddrPort, error) {
	return netip.MustParseAddrPort("127.0.0.1:20000"), nil
}
func (fakeMedia) Do(engine.Command) {}
func (fakeMedia) Close()            {}

type fakeTickets struct{}

func (fakeTickets) Put(_ ticket.Entry, done func(error)) { done(nil) }

func exchangeOf(w *fakeWire, change func(*Config)) *Exchange {
	cfg := Config{
		Directory: simDirectory(), Leg: leg.Default(), Wire: w, Tickets: fakeTickets{},
		Sessions: func(string, func(engine.Event)) Media { return fakeMedia{} },
		Tell:     func(news.Item) {},
		NewID:    func(time.Time) string { return "01HTGTZ6CJRX90WDGAMG244Z4G" },
		NewRef:   func() string { return "00000000-0000-4000-8000-000000000001" },
	}
	var n atomic.Uint64
	cfg.Leg.Rand = func() uint64 { return n.Add(0x9E3779B97F4A7C15) }
	change(&cfg)
	return New(cfg, slog.New(slog.DiscardHandler))
}

func invite(t *testing.T, number string) leg.Packet {
	t.Helper()
	msg, err := gosip.ParseMessage([]byte(strings.ReplaceAll(`INVITE sip:`+number+`@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.10:5060;branch=z9hG4bKone;rport
Max-Forwards: 70
From: <sip:13812345678@127.0.0.10>;tag=a
To: <sip:`+number+`@127.0.0.1>
Call-ID: one@127.0.0.10
CSeq: 1 INVITE
Contact: <sip:13812345678@127.0.0.10:5060>
Content-Type: application/sdp
Content-Length: 122

v=0
o=- 1 1 IN IP4 127.0.0.10
s=-
c=IN IP4 127.0.0.10
t=0 0
m=audio 4000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
a=sendrecv
`, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return leg.Packet{Msg: msg, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort("127.0.0.10:5060")}}
}

var pstn = ua.Origin{Network: "lab", Trunk: "pstn"}

func TestCallIsRoutedToADesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		if x.Incoming(pstn, invite(t, "110")) == nil {
			t.Fatal("refused")
		}
		synctest.Wait()
		if m, ok := w.find("INVITE sip:1101@127.0.0.1:7000"); !ok || !strings.Contains(m, "From: <sip:13812345678@") ||
			!strings.Contains(m, "Max-Forwards: 69") {
			t.Errorf("the desk was sent %q", m)
		}
		if s := x.Stats(); s.Live != 1 || s.SeatsBusy != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUnknownNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		x.Incoming(pstn, invite(t, "999"))
		synctest.Wait()
		if _, ok := w.find("SIP/2.0 404"); !ok {
			t.Errorf("sent %q", w.sent)
		}
		time.Sleep(5 * time.Minute) // virtual: the refusal is repeated, then forgotten
		synctest.Wait()
		if s := x.Stats(); s.Live != 0 {
			t.Errorf("the refused call lives on: %+v", s)
		}
	})
}

// Whatever else is queued, what ends a call finds room.
func TestInboxKeepsRoomForTheEnd(t *testing.T) {
	b := newInbox[input](inboxRoom)
	for b.put(input{}, usual) {
	}
	if len(b.queue) != inboxRoom {
		t.Errorf("%d inputs were queued, %d are allowed", len(b.queue), inboxRoom)
	}
	for b.put(input{}, ending) {
	}
	if len(b.queue) != 4*inboxRoom {
		t.Errorf("%d inputs were queued, %d are allowed of those that end things", len(b.queue), 4*inboxRoom)
	}
	if !b.put(input{}, own) {
		t.Error("no room for the switch's own word")
	}
	b.close()
	if b.put(input{}, own) {
		t.Error("a closed inbox takes inputs")
	}
}

// A bug in one event does not end the call, nor the process.
func TestPanicCostsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(c *Config) {
			c.Tell = func(it news.Item) {
				if it.Event == "key" {
					panic("a bug")
				}
			}
		})
		defer x.Stop()
		a := x.open(pstn, invite(t, "110"))
		a.inbox.put(input{ask: func(*Core) { panic("a bug") }}, own)
		synctest.Wait()
		if s := x.Stats(); s.Panics != 1 || s.Live != 1 {
			t.Errorf("%+v", s)
		}
		if err := x.Press("", "1101", verb.Verb{Name: verb.Handover}); err == nil {
			t.Error("a desk that only rings has no keys")
		}
	})
}

func TestNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(c *Config) { c.Directory.MaxCalls = 1 })
		if x.Incoming(pstn, invite(t, "110")) == nil {
			t.Error("the first call was refused")
		}
		if s := x.Incoming(pstn, invite(t, "110")); s != nil {
			t.Errorf("the second call was taken: %v", s)
		}
		synctest.Wait()
		x.Stop()
		if s := x.Incoming(pstn, invite(t, "110")); s != nil {
			t.Error("a call was taken after Stop")
		}
		if _, ok := w.find("SIP/2.0 503"); !ok {
			t.Errorf("the caller was not told that the switch stops: %q", w.sent)
		}
		if err := x.Press("", "1101", verb.Verb{Name: verb.Urgent}); !errors.Is(err, ErrGone) {
			t.Errorf("Press after Stop: %v", err)
		}
		if c := x.Calls(); len(c) != 0 {
			t.Errorf("calls after Stop: %s", fmt.Sprint(len(c)))
		}
	})
}

// Who asks a call in its last moment is answered all the same.
func TestAskedWhileItEnds(t *testing.T) {
	w := &fakeWire{sinks: map[string]ua.Sink{}}
	x := exchangeOf(w, func(*Config) {})
	defer x.Stop()
	core := NewCore(World{Media: fakeMedia{}, Lamps: x.lamps, Rosters: x.rosters}, simDirectory(), pstn, "ref")
	a := &actor{core: core, inbox: x.inbox(), ex: x, ref: "ref"}
	got := make(chan call.Call, 1)
	a.inbox.put(input{ask: func(c *Core) { got <- c.State() }}, usual)
	x.gone(a)
	if len(got) != 1 {
		t.Error("the question was dropped: who lists the calls waits for ever")
	}
}

// A bug that comes back with every tick costs no more than its tick.
func TestPanicInATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		a := x.open(pstn, invite(t, "110"))
		synctest.Wait()
		a.inbox.put(input{ask: func(c *Core) { c.state.Hunt.SeatAt, c.dir = time.Now(), nil }}, own)
		time.Sleep(10 * time.Second) // virtual
		synctest.Wait()
		if n := x.Stats().Panics; n < 5 || n > 25 { // the step, and the lamps after it
			t.Errorf("%d panics in 10 s", n)
		}
		a.inbox.put(input{ask: func(c *Core) { c.dir = simDirectory() }}, own)
	})
}

// A phone that registers anew in a call is reached by its new way: else it
// would ring on after the call is over.
func TestMovedPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{sinks: map[string]ua.Sink{}}
		x := exchangeOf(w, func(*Config) {})
		defer x.Stop()
		x.Incoming(pstn, invite(t, "110"))
		synctest.Wait()
		w.setPort(7001)
		x.SeatOnline("1101")
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		if to := w.lastTo("INVITE sip:1101@"); to.Port() != 7001 {
			t.Errorf("the INVITE is repeated to %v", to)
		}
	})
}
