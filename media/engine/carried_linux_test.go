package engine

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"liandong/media/codec"
	"liandong/media/socket"
	"liandong/media/socket/kernel"
	"liandong/media/socket/sockettest"
)

// carriedBy is an engine that has the kernel relay, over real sockets.
func carriedBy(t *testing.T, cfg Config, sockets socket.Config) *Engine {
	t.Helper()
	cfg.Kernel, cfg.Keeper = true, sockets.Keeper
	e, err := start(cfg, sockets, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	if e.look.Do(e.openKernel); e.kernel.Load() == nil {
		notHere(t)
	}
	return e
}

func notHere(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 && os.Getenv("LIANDONG_PEERS") == "required" {
		t.Fatal("the kernel relays nothing here")
	}
	t.Skip("the kernel relays nothing here")
}

// aside is a rig whose shard has the kernel's relay, which sees none of its packets: they go around the program.
func aside(t *testing.T) *rig {
	t.Helper()
	relay, err := kernel.Open([]netip.Addr{labNetwork.Address}, kernelTables(), false, nil)
	if err != nil {
		notHere(t)
	}
	t.Cleanup(relay.Close)
	r := newRig(t, labConfig(nil))
	r.shard.kernel, r.shard.routes = relay, relay.Routes()
	return r
}

// inShard runs f on the thread of a session.
func inShard(s *Session, f func()) {
	done := make(chan struct{})
	s.shard.post(order{what: func() { defer close(done); f() }})
	<-done
}

// carries says how many directions of a session the kernel has.
func carries(s *Session) (n int) {
	inShard(s, func() {
		for _, l := range s.room.legs {
			if l.carried != nil {
				n++
			}
		}
	})
	return n
}

func hear(s *Session, leg LegID, from ...LegID) { s.Do(Listen{Leg: leg, From: from}) }

// TestCarriedCall: a call is given to the kernel and taken back for whatever is done, and neither party has a packet
// twice, or out of its place, or a jump in its stream.
func TestCarriedCall(t *testing.T) {
	for name, sockets := range paths {
		if sockets.Portable {
			continue
		}
		t.Run(name, func(t *testing.T) { carriedCall(t, sockets) })
	}
}

func carriedCall(t *testing.T, sockets socket.Config) {
	e := carriedBy(t, loopbackConfig(t, 8), sockets)
	s := e.NewSession("carried", func(Event) {})
	a, b, c := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA), pickUp(t, s, 3, codec.PCMA)
	together := func() {
		hear(s, 1, 2)
		hear(s, 2, 1)
		eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
		was := a.count()
		eventually(t, "they hear each other through it", func() bool {
			return a.count() > was+20 && a.hears(b) && b.hears(a)
		})
	}
	together()
	hear(s, 1, 2, 3)
	hear(s, 2, 1, 3)
	hear(s, 3, 1, 2)
	eventually(t, "each hears the two others", func() bool {
		return a.hears(b) && a.hears(c) && b.hears(a) && b.hears(c) && c.hears(a) && c.hears(b)
	})
	if carries(s) != 0 {
		t.Error("the kernel has a part of a conference")
	}
	hear(s, 3)
	together()
	kept := &tapes{t: t, of: map[int]*handset{1: a, 2: b}}
	s.Do(Record{Leg: 1, Tap: kept, Channel: 1})
	s.Do(Record{Leg: 2, Tap: kept, Channel: 2})
	together()
	s.Do(Record{Leg: 1})
	s.Do(Record{Leg: 2})
	together()
	kept.whole(20)
	a.inOrder()
	b.inOrder()
	if got := e.Stats(); got.PacketsIn < 300 || got.PacketsOut < 300 || got.Strangers != 0 {
		t.Errorf("%+v", got)
	}
	s.Close()
	eventually(t, "all ports are free", func() bool { return e.Stats().Ports["lab"].Free == 8 && e.Stats().Legs == 0 })
}

// tapes is a Tap that says so when what it is given is not what was said, packet for packet, as it came. Owned by a
// shard until the shard has been asked.
type tapes struct {
	t     *testing.T
	of    map[int]*handset // by channel
	stamp map[int]uint32
	first map[int]uint32
	at    map[int]time.Time
	count map[int]int
	lost  map[int]int // between two

	newest time.Time
	paused atomic.Bool
}

func (k *tapes) Paused() bool { return k.paused.Load() }

func (k *tapes) Put(channel int, id codec.ID, ts uint32, payload []byte, now time.Time) {
	if k.stamp == nil {
		k.stamp, k.first, k.at = map[int]uint32{}, map[int]uint32{}, map[int]time.Time{}
		k.count, k.lost = map[int]int{}, map[int]int{}
	}
	if ts < 8000 {
		return // the first ones may have waited where nobody looked before the next process came
	}
	h := k.of[channel]
	from := int(ts/frameSamples) % 8 * int(frameSamples)
	if id != h.codec || !slices.Equal(payload, h.word[from:from+int(frameSamples)]) {
		k.t.Errorf("channel %d: %d bytes of %v at %d are not what was said", channel, len(payload), id, ts)
	}
	if k.count[channel] == 0 {
		k.first[channel] = ts
	} else {
		k.lost[channel] += int(int32(ts-k.stamp[channel]))/int(frameSamples) - 1
		if int32(ts-k.stamp[channel]) <= 0 || now.Before(k.at[channel]) {
			k.t.Errorf("channel %d: %d after %d, at %v after %v", channel, ts, k.stamp[channel], now, k.at[channel])
		}
	}
	if now.Before(k.newest.Add(-time.Second)) {
		k.t.Errorf("channel %d: a packet of %v after another's of %v", channel, now, k.newest)
	}
	k.newest = now
	if age := time.Since(now); age < 0 || age > patience {
		k.t.Errorf("channel %d: a packet came %v ago", channel, age)
	}
	k.stamp[channel], k.at[channel] = ts, now
	k.count[channel]++
}

// whole says that there were so many packets of each at least, and none was lost.
func (k *tapes) whole(least int) {
	k.t.Helper()
	for channel := range k.of {
		if k.count[channel] < least || k.lost[channel] != 0 {
			k.t.Errorf("channel %d: %d packets, and %d are missing", channel, k.count[channel], k.lost[channel])
		}
	}
}

// TestCarriedPause: while a recording is paused the kernel has nothing of who is recorded, and no copies.
func TestCarriedPause(t *testing.T) {
	e := carriedBy(t, loopbackConfig(t, 4), socket.Default())
	s := e.NewSession("paused", func(Event) {})
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	kept := &tapes{t: t, of: map[int]*handset{1: a}}
	s.Do(Record{Leg: 1, Tap: kept, Channel: 1})
	hear(s, 1, 2)
	hear(s, 2, 1)
	has := func(leg int) (has bool) {
		inShard(s, func() { has = s.room.legs[leg-1].carried != nil })
		return has
	}
	for range 2 {
		eventually(t, "the kernel has both directions", func() bool { return has(1) && has(2) })
		kept.paused.Store(true)
		eventually(t, "it has no more what leg 1 says", func() bool { return !has(2) })
		was := b.count()
		eventually(t, "it is not given it for longer than it needs else, and the other direction is", func() bool {
			if has(2) {
				t.Fatal("the kernel has what is not to be kept")
			}
			return b.count() > was+3*steadyCourse && b.hears(a) && has(1)
		})
		kept.paused.Store(false)
	}
	eventually(t, "the kernel has both directions again", func() bool { return has(1) && has(2) })
	inShard(s, func() { kept.whole(4 * steadyCourse) })
	b.inOrder()
}

// TestCarriedGoesOn: a process leaves, or dies, while the kernel has its calls: what the parties hear goes on without
// it, and the next process has the streams go on where they are.
func TestCarriedGoesOn(t *testing.T) {
	for _, lastWords := range []bool{false, true} {
		sockets := socket.Default()
		keeper := sockettest.NewKeeper()
		sockets.Keeper = keeper
		cfg := loopbackConfig(t, 4)
		first := carriedBy(t, cfg, sockets)
		reported := &states{known: map[LegID]LegState{}}
		s := first.NewSession("one", reported.sink)
		a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
		before, kept := &tapes{t: t, of: map[int]*handset{1: a, 2: b}}, &tapes{t: t, of: map[int]*handset{1: a, 2: b}}
		record := func(on Tap) {
			s.Do(Record{Leg: 1, Tap: on, Channel: 1})
			s.Do(Record{Leg: 2, Tap: on, Channel: 2})
		}
		record(before)
		hear(s, 1, 2)
		hear(s, 2, 1)
		known := reported.list()
		eventually(t, "the kernel has both directions", func() bool {
			known = reported.list()
			return carries(s) == 2
		})
		first.Leave()
		if lastWords {
			known = reported.list()
		}
		was := a.count()
		eventually(t, "they hear each other though nobody is there", func() bool {
			return a.count() > was+60 && a.hears(b) && b.hears(a)
		})
		second := carriedBy(t, cfg, sockets)
		s, err := second.Restore("one", reported.sink, known)
		if err != nil {
			t.Fatal(err)
		}
		hear(s, 1, 2)
		hear(s, 2, 1)
		record(kept)
		eventually(t, "the kernel has them for the next process", func() bool { return carries(s) == 2 })
		inShard(s, func() {
			s.room.look()
			kept.whole(20) // of the time without a process, too
			for channel, last := range before.stamp {
				if int32(kept.first[channel]-last) > int32(frameSamples) {
					t.Errorf("channel %d: the next process records from %d on, the one before until %d", channel,
						kept.first[channel], last)
				}
			}
		})
		var came, sent uint32
		inShard(s, func() { came, sent = s.room.legs[0].reception.Received(), s.room.legs[1].out.packets })
		eventually(t, "and it counts on", func() (more bool) {
			inShard(s, func() {
				s.room.look()
				more = s.room.legs[0].reception.Received() > came+20 && s.room.legs[1].out.packets > sent+20
			})
			return more
		})
		hear(s, 1)
		eventually(t, "one direction is taken back", func() bool { return carries(s) < 2 })
		hear(s, 1, 2)
		was = a.count()
		eventually(t, "they hear each other again", func() bool {
			return a.count() > was+50 && a.hears(b) && b.hears(a)
		})
		a.inOrder()
		b.inOrder()
		s.Close()
		second.Stop()
	}
}

// TestCarriedEndsUnrecorded: a party whose flow has ended is back before anybody records it here, or its partner:
// nothing that either has said meanwhile is lost to who does then, and the order is kept.
func TestCarriedEndsUnrecorded(t *testing.T) {
	sockets := socket.Default()
	sockets.Keeper = sockettest.NewKeeper()
	cfg := loopbackConfig(t, 4)
	first := carriedBy(t, cfg, sockets)
	reported := &states{known: map[LegID]LegState{}}
	s := first.NewSession("one", reported.sink)
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	before, kept := &tapes{t: t, of: map[int]*handset{1: a, 2: b}}, &tapes{t: t, of: map[int]*handset{1: a, 2: b}}
	record := func(on Tap) {
		s.Do(Record{Leg: 1, Tap: on, Channel: 1})
		s.Do(Record{Leg: 2, Tap: on, Channel: 2})
	}
	record(before)
	hear(s, 1, 2)
	hear(s, 2, 1)
	eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
	was := a.count()
	eventually(t, "they talk", func() bool { return a.count() > was+70 && carries(s) == 2 })
	first.Leave()
	was = a.count()
	eventually(t, "they talk though nobody is there", func() bool { return a.count() > was+20 })
	a.pause()
	was = a.count()
	eventually(t, "one says nothing", func() bool { return a.count() > was+5 })
	second := carriedBy(t, cfg, sockets)
	s, err := second.Restore("one", reported.sink, reported.list())
	if err != nil {
		t.Fatal(err)
	}
	hear(s, 1, 2)
	hear(s, 2, 1)
	a.resume()
	over := false
	eventually(t, "the flow of the one is over", func() bool {
		inShard(s, func() { over = s.room.leg(2).left == nil && s.room.leg(2).carried == nil })
		return over
	})
	record(kept)
	eventually(t, "the kernel has both directions again", func() bool { return carries(s) == 2 })
	inShard(s, func() {
		s.room.look()
		for channel, least := range map[int]int{1: 40, 2: 50} {
			missing := int32(kept.first[channel] - before.stamp[channel] - frameSamples)
			if before.count[channel] == 0 || kept.count[channel] < least || missing > 0 {
				t.Errorf("channel %d: %d packets from %d on, the process before had it until %d", channel,
					kept.count[channel], kept.first[channel], before.stamp[channel])
			}
		}
		if kept.lost[2] != 0 || kept.lost[1] > 60 {
			t.Errorf("lost %v", kept.lost)
		}
		if len(s.room.leg(1).owed)+len(s.room.leg(2).owed) > 0 || s.room.owing {
			t.Error("something is kept still")
		}
	})
}

// TestCarriedEnds: what the kernel relays for the process before is taken over at once when it is to be recorded or
// looked at here, and when one of the parties leaves.
func TestCarriedEnds(t *testing.T) {
	sockets := socket.Default()
	sockets.Keeper = sockettest.NewKeeper()
	cfg := loopbackConfig(t, 12)
	first := carriedBy(t, cfg, sockets)
	commands := map[string]Command{"record": Record{Leg: 1, Tap: &tape{}, Channel: 1}, "sniff": Sniff{To: &heads{}},
		"close": Close{Leg: 1}}
	reported := map[string]*states{}
	for ref := range commands {
		reported[ref] = &states{known: map[LegID]LegState{}}
		s := first.NewSession(ref, reported[ref].sink)
		pickUp(t, s, 1, codec.PCMA)
		pickUp(t, s, 2, codec.PCMA)
		hear(s, 1, 2)
		hear(s, 2, 1)
		eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
	}
	first.Leave()
	second := carriedBy(t, cfg, sockets)
	for ref, c := range commands {
		s, err := second.Restore(ref, reported[ref].sink, reported[ref].list())
		if err != nil {
			t.Fatal(err)
		}
		s.Do(c)
		inShard(s, func() {
			for _, l := range s.room.legs {
				if l.left != nil && (ref != "record" || l.left.flow.At == s.room.leg(1).local()) {
					t.Errorf("%s: the kernel goes on with leg %d", ref, l.id)
				}
			}
		})
	}
}

// TestCarriedSilence: a party that falls silent is missed, its partner gets comfort noise, and it is heard again when
// it is back.
func TestCarriedSilence(t *testing.T) {
	cfg := loopbackConfig(t, 4)
	cfg.SilenceTimeout = time.Second
	e := carriedBy(t, cfg, socket.Default())
	signs := make(chan Event, 100)
	s := e.NewSession("silence", func(e Event) {
		if isSign(e) {
			signs <- e
		}
	})
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	hear(s, 1, 2)
	hear(s, 2, 1)
	eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
	a.pause()
	if got := <-signs; got != (Silent{Leg: 1}) {
		t.Fatalf("%#v", got)
	}
	was := b.count()
	eventually(t, "the partner gets noise", func() bool { return b.count() > was+5 })
	a.resume()
	if got := <-signs; got != (Alive{Leg: 1}) {
		t.Fatalf("%#v", got)
	}
	eventually(t, "the kernel has both directions again", func() bool { return carries(s) == 2 && b.hears(a) })
	b.inOrder()
}

// TestCarriedStranger: who is not the party is told from it though the kernel has the party's packets, and does not end
// that; nor does RTCP.
func TestCarriedStranger(t *testing.T) {
	e := carriedBy(t, loopbackConfig(t, 4), socket.Default())
	s := e.NewSession("stranger", func(Event) {})
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	hear(s, 1, 2)
	hear(s, 2, 1)
	eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
	was := a.count()
	eventually(t, "a while goes by", func() bool { return a.count() > was+110 }) // longer than movedAfter
	stranger, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(a.engine))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	packet := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SSRC: 99}, Payload: a.word[:160]}
	data, err := packet.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	has := func() (slots [2]*carried) {
		inShard(s, func() { slots = [2]*carried{s.room.legs[0].carried, s.room.legs[1].carried} })
		return slots
	}
	sent := uint64(0)
	eventually(t, "a stranger ends nothing that the kernel does", func() bool { // a party that is late does
		before := has()
		for range 20 {
			_, _ = stranger.Write(data)
		}
		sent += 20
		eventually(t, "they are counted", func() bool { return e.Stats().Strangers == sent })
		return before[0] != nil && before[1] != nil && has() == before
	})
	if !a.hears(b) || !b.hears(a) {
		t.Error("they do not hear each other")
	}
	a.inOrder()
	b.inOrder()
}

// TestCarriedDrift: a party whose clock is fast gets ahead in the kernel, too: its stream is taken back, a frame is
// left out as ever, and the kernel has it again.
func TestCarriedDrift(t *testing.T) {
	e := carriedBy(t, loopbackConfig(t, 4), socket.Default())
	s := e.NewSession("drift", func(Event) {})
	a, b := pickUp(t, s, 1, codec.PCMA), pickUp(t, s, 2, codec.PCMA)
	a.pace.Store(int64(18700 * time.Microsecond))
	hear(s, 1, 2)
	hear(s, 2, 1)
	eventually(t, "the kernel has both directions", func() bool { return carries(s) == 2 })
	var before uint16
	inShard(s, func() { before = s.room.legs[1].rewriter.seq })
	eventually(t, "frames are left out, and the kernel has it again", func() (ok bool) {
		inShard(s, func() {
			l := s.room.legs[1]
			ok = int16(before-l.rewriter.seq) >= 2 && l.carried != nil
		})
		return ok
	})
	b.inOrder()
}

// TestCarriedAround: where packets go around the kernel's program it is tried ever less often, and anew with other
// routes.
func TestCarriedAround(t *testing.T) {
	r := aside(t)
	a, b := r.phone(1, codec.PCMA), r.phone(2, codec.PCMA)
	a.hears(Playlist{}, b)
	b.hears(Playlist{}, a)
	tries := func(frames int) (n int) {
		var was *carried
		for range frames {
			r.step()
			if now := r.session.room.legs[1].carried; now != nil && now != was {
				n++
			}
			was = r.session.room.legs[1].carried
		}
		return n
	}
	const minute = 3000 // frames
	if n := tries(minute); n < 2 || n > 10 {
		t.Errorf("tried %d times in the first minute, want at least 2 and at most 10", n)
	}
	if n := tries(minute); n > 2 {
		t.Errorf("tried %d times in the second minute, want at most 2", n)
	}
	if n := len(b.got); n < 2*minute-50 {
		t.Errorf("%d packets of %d have come through", n, 2*minute)
	}
	r.shard.routes--
	if n := tries(100); n == 0 {
		t.Error("not tried by other routes")
	}
}

// TestCarriedInTurn: when many directions are to be given to the kernel at once it gets some of them with each tick.
func TestCarriedInTurn(t *testing.T) {
	r := aside(t)
	for leg := LegID(1); leg < 12; leg += 2 {
		a, b := r.phone(leg, codec.PCMA), r.phone(leg+1, codec.PCMA)
		a.hears(Playlist{}, b)
		b.hears(Playlist{}, a)
	}
	all := map[LegID]bool{}
	for range 100 {
		r.step()
		n := 0
		for _, l := range r.session.room.legs {
			if l.carried != nil {
				n++
				all[l.id] = true
			}
		}
		if n > mostGiven {
			t.Fatalf("%d directions with a tick, want at most %d", n, mostGiven)
		}
	}
	if len(all) != 12 {
		t.Errorf("the kernel has had only %d of 12 directions", len(all))
	}
}
