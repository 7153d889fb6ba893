package exchange

import (
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/routing/desk"
	"liandong/sip/event"
	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/notifier"
)

// enters: somebody at a desk sees a lamp and takes a part in what it shows: picks
// up what rings, joins what goes on, goes on himself on another phone.
func (p *phone) enters() {
	s := p.sim
	if p.dead || !p.registered {
		return
	}
	if s.chance(0.25) {
		p.comesIn(p.dial("pickup"))
		return
	}
	whose := []string{"1101", "1102", "2101", "2102", p.user, p.user}[s.rng.IntN(6)]
	lamp := seatLamp(whose)
	if s.chance(0.2) {
		lamp = lineLamp([]string{"110", "12345", "119"}[s.rng.IntN(3)])
	}
	x, ok := s.lamps.Best(lamp)
	if !ok || x.CallID == "" {
		return
	}
	r := header.Replaces{CallID: x.CallID, To: x.Tags[0], From: x.Tags[1], EarlyOnly: s.chance(0.4)}
	name := "Replaces"
	if x.State == event.Confirmed && whose != p.user && s.chance(0.7) {
		name, r.EarlyOnly = "Join", false
	}
	s.note("%s: %s %s, whose lamp is %s", p.user, name, whose, x.State)
	// What has been seen is done a moment later, and may be over by then.
	s.after(s.upTo(800*time.Millisecond), func() {
		p.comesIn(p.dial(whose,
			header.Field{Name: name, Value: r.String()}))
	})
}

// comesIn does at the end what a desk does with a call.
func (p *phone) comesIn(l *line) {
	s := p.sim
	s.after(s.between(time.Second, time.Minute), l.hangUp)
	l.atWork(time.Second)
}

// checkLamps: a lamp shows no less and no more than what is known elsewhere.
func (s *simulation) checkLamps() {
	if s.death.disk != nil {
		return // two calls that go on from different moments may both have had a seat
	}
	for user := range s.dir.Seats {
		x, lit := s.lamps.Best(seatLamp(user))
		_, talks := s.seats.Talks(user)
		_, held := s.seats.busy[user]
		switch {
		case talks && !lit && !s.inACall(user): // on its way from one call to another
		case lit && x.Calls && x.State == event.Early, lit && !held && x.Calls: // it has called a line itself
		case talks && (!lit || x.State != event.Confirmed), !talks && lit && x.State == event.Confirmed && !x.Calls,
			!held && lit:
			s.fail("the lamp of %s is %v %+v: talks %v, claimed %v", user, lit, x, talks, held)
		}
	}
	for id := range s.dir.Hotlines {
		if _, lit := s.lamps.Best(lineLamp(id)); lit != s.busy(id) {
			s.fail("the lamp of %s is lit: %v", id, lit)
		}
	}
}

func (s *simulation) inACall(user string) bool {
	return slices.ContainsFunc(s.cores, func(c *simCall) bool {
		return !c.closed && slices.ContainsFunc(c.core.parties,
			func(p *party) bool { return p.Seat == user && !p.Gone })
	})
}

// busy says that a call rings, waits or talks at a line.
func (s *simulation) busy(line string) bool {
	for _, c := range s.cores {
		st := c.core.State()
		if c.closed || st.Over() {
			continue
		}
		if st.Hunt != nil && st.Hunt.Hotline == line {
			return true
		}
		for _, l := range st.Legs {
			if l.Hotline == line && l.Up {
				return true
			}
		}
	}
	return false
}

func (s *simulation) allDark() {
	if n := len(s.lamps.on) + len(s.lamps.calls); n != 0 {
		s.fail("lamps are lit and no call is on: %v", s.lamps.on)
	}
}

// simBoard is the subscriptions in virtual time, and the phones that watch.
type simBoard struct {
	sim      *simulation
	server   *notifier.Server
	watchers map[string]*simWatcher
	changed  time.Time
	heard    int
}

// simWatcher is a phone's lamp: it goes by what it was told with the highest
// version.
type simWatcher struct {
	board    *simBoard
	user, to string
	lamp     string
	them     string
	seq      int
	version  uint32
	state    string
	over     bool
}

var watcherAddr = netip.MustParseAddrPort("127.0.3.1:5060")

// TestLampsAreNeverStuck lets phones watch over the same bad network: once nothing
// has changed for a while every lamp is as it should be.
func TestLampsAreNeverStuck(t *testing.T) {
	var heard atomic.Uint64
	n := runSeeds(t, *seeds/50, lampsWatched, func(s *simulation) { heard.Add(uint64(s.board.heard)) })
	if heard.Load() < 25*n {
		t.Errorf("%d NOTIFYs in %d seeds: nothing is watched", heard.Load(), n)
	}
}

func lampsWatched(seed uint64, trace bool) *simulation {
	s := newSimulation(seed, trace)
	s.watchLamps()
	s.play()
	return s
}

func (s *simulation) watchLamps() {
	b := &simBoard{sim: s, watchers: map[string]*simWatcher{}, changed: s.now}
	cfg := notifier.Default()
	cfg.Leg.Rand = rand.New(rand.NewPCG(s.seed, 4235)).Uint64
	cfg.Packages = map[string]notifier.Package{lampEvent: dialogs{s.lamps, func() *desk.Directory { return s.dir }}}
	cfg.Local = func(_, transport string) (leg.Local, bool) {
		return leg.Local{Contact: "sip:" + switchAddr.String(), ViaHost: switchAddr.String(), Transport: transport},
			true
	}
	b.server = notifier.New(cfg)
	s.board = b
	for _, w := range []*simWatcher{
		{user: "1101", to: "1102", lamp: seatLamp("1102")}, {user: "1102", to: "1101", lamp: seatLamp("1101")},
		{user: "2101", to: "2102", lamp: seatLamp("2102")},
		{user: "1101", to: "110", lamp: lineLamp("110")}, {user: "2102", to: "110", lamp: lineLamp("110")},
		{user: "1101", to: "12345", lamp: lineLamp("12345")},
		{user: "1101", to: "handover", lamp: verbLamp("handover", "1101")},
		{user: "2101", to: "conference", lamp: verbLamp("conference", "2101")},
	} {
		w.board = b
		b.watchers[w.callID()] = w
		w.subscribe()
	}
	for i := range 60 {
		s.after(time.Duration(i)*5*time.Second, b.probe)
	}
}

func (s *simulation) lampChanged(lamp string) {
	if s.board == nil {
		return
	}
	s.board.changed = s.now
	for _, name := range lampNames(lamp) {
		s.after(0, func() { s.board.send(s.board.server.Changed(s.now, lampEvent, name)) })
	}
}

// probe compares what phones show with what is.
func (b *simBoard) probe() {
	patience := 1100 * time.Millisecond
	if b.sim.fault != (faults{}) {
		patience = 30 * time.Second
	}
	if b.sim.now.Sub(b.changed) < patience {
		return
	}
	for _, w := range b.watchers {
		x, lit := b.sim.lamps.Best(w.lamp)
		want := string(event.Terminated)
		if lit {
			want = string(x.State)
		}
		if !w.over && w.version > 0 && w.state != want {
			b.sim.fail("%s shows %s as %q, it is %q since %v", w.user, w.lamp, w.state, want, b.changed)
		}
	}
}

// carry is the network between the switch and those who watch.
func (b *simBoard) carry(text string, arrive func(leg.Packet)) {
	s := b.sim
	if s.chance(s.fault.drop) {
		return
	}
	for range 1 + map[bool]int{true: 1}[s.chance(s.fault.double)] {
		s.after(time.Millisecond+s.upTo(s.fault.delay), func() {
			msg, err := gosip.ParseMessage([]byte(text))
			if err != nil {
				s.fail("unreadable: %v\n%s", err, text)
				return
			}
			arrive(leg.Packet{Msg: msg, Flow: leg.Flow{Network: "lab", Transport: "udp", Remote: watcherAddr}})
		})
	}
}

func (b *simBoard) send(out notifier.Out) {
	for _, p := range out.Packets {
		if w := b.watchers[p.CallID()]; w != nil {
			b.carry(p.Msg.String(), w.receive)
		}
	}
}

func (w *simWatcher) callID() string { return w.user + "-watches-" + w.to }

// subscribe asks until it is answered.
func (w *simWatcher) subscribe() {
	w.seq++
	tag := ""
	if w.them != "" {
		tag = ";tag=" + w.them
	}
	text := fmt.Sprintf("SUBSCRIBE sip:%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:%s@127.0.0.1>;tag=w\r\n"+
		"To: <sip:%s@127.0.0.1>%s\r\nCall-ID: %s\r\nCSeq: %d SUBSCRIBE\r\nContact: <sip:%s@%s>\r\nEvent: dialog\r\nExpires: 300\r\nContent-Length: 0\r\n\r\n",
		w.to, watcherAddr, w.callID(), w.seq, w.user, w.to, tag, w.callID(), w.seq, w.user, watcherAddr)
	for i := range 8 {
		w.board.sim.after(time.Duration(i)*500*time.Millisecond, func() { w.board.carry(text, w.asked) })
	}
}

func (w *simWatcher) asked(p leg.Packet) {
	if p.Msg.To().Params.Has("tag") {
		w.board.send(w.board.server.Receive(w.board.sim.now, p))
		return
	}
	w.board.send(w.board.server.Subscribe(w.board.sim.now, w.user, p))
}

func (w *simWatcher) receive(p leg.Packet) {
	s := w.board.sim
	req, ok := p.Msg.(*gosip.Request)
	if !ok {
		if w.them == "" {
			w.them = p.Msg.To().Params.GetOr("tag", "")
			s.after(150*time.Second, w.subscribe)
		}
		return
	}
	res := leg.Reply(p, 200, "", "")
	res.SetBody(nil)
	w.board.carry(res.String(), func(p leg.Packet) { w.board.send(w.board.server.Receive(s.now, p)) })
	var doc struct {
		Version uint32 `xml:"version,attr"`
		Dialogs []struct {
			State string `xml:"state"`
		} `xml:"dialog"`
	}
	if err := xml.Unmarshal(req.Body(), &doc); err != nil || len(doc.Dialogs) != 1 {
		s.fail("%s is told %v\n%s", w.user, err, req.Body())
		return
	}
	if doc.Version <= w.version {
		return // a copy, or late
	}
	w.board.heard++
	w.version, w.state = doc.Version, doc.Dialogs[0].State
	w.over = strings.HasPrefix(req.GetHeader("Subscription-State").Value(), "terminated")
	s.note("%s sees %s %s", w.user, w.lamp, w.state)
}
