package engine

import (
	"log/slog"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"liandong/media/socket"
	"liandong/media/socket/kernel"
	"liandong/media/srtp"
	"liandong/media/uptime"
)

const (
	maxCatchUp  = 2    // ticks made up for at once; a peer's jitter buffer would throw more away
	maxOccurred = 4096 // events waiting for sinks; when full the newest is dropped and counted
	phaseTime   = time.Millisecond
	phases      = int(frameTime / phaseTime)
)

// shard owns calls: their rooms, legs and sockets. All fields below the inputs are
// owned by run's thread (in tests: by whoever calls step).
type shard struct {
	cfg   Config
	log   *slog.Logger
	ports map[string]*ports // by network; shared by all shards
	count *counters

	// inputs
	mail   mailbox
	net    socket.Transport
	kernel *kernel.Relay // shared by all shards; nil: the kernel relays nothing. Owned by run

	// output
	occurred chan occurrence

	// owned by run
	groups   [phases][]*room // each ticks a phaseTime after the one before it
	phase    int             // the group whose tick is next
	next     time.Time       // when it is due
	sockets  []port          // by Socket
	now      time.Time       // of this step
	stopping bool
	routes   uint32              // kernel.Relay.Routes
	routesAt time.Time           // when it was asked for
	gives    int                 // so many directions the kernel may still be given in this tick
	closedAt time.Time           // closeSome last found no more then
	sweepAt  time.Time           // what the process before has left to the kernel is over then; zero: not this shard's
	leaving  bool                // with stopping: the legs go on in another process
	marked   bool                // the legs are another process's, and only their sound goes on here
	seamless bool                // the process before has carried the sound until the legs go on here
	started  time.Time           // when
	startUp  time.Duration       // the machine had run for so long
	receiver func(socket.Packet) // receive, bound once

	fetched byte // of no meaning: see prefetch

	// scratch, good within one packet or one leg's tick
	packet  rtp.Packet
	wire    [socket.DatagramSize + srtp.Overhead]byte
	coded   [socket.DatagramSize]byte
	sum     [wideSamples]int16
	blended [wideSamples]int16
	parts   [][]int16
	moves   []move

	done     chan struct{} // run has ended
	sessions atomic.Int64  // placed here; changed by the sessions
}

// port is what stands behind a socket: a leg, or a pair that is kept open, or nothing any more.
type port struct {
	leg  *leg
	rtcp bool
	kept *keptPair
}

// occurrence is an event on its way to a session's sink.
type occurrence struct {
	session *Session
	event   Event
}

func newShard(cfg Config, log *slog.Logger, net socket.Transport, ports map[string]*ports) *shard {
	s := &shard{
		cfg: cfg, log: log, ports: ports, count: newCounters(cfg.Networks), net: net,
		occurred: make(chan occurrence, maxOccurred), started: time.Now(), startUp: uptime.Now(),
		done: make(chan struct{}),
	}
	s.receiver = s.receive
	return s
}

// post hands an order to the shard; false: it has stopped.
func (s *shard) post(o order) bool {
	ok, now := s.mail.post(o)
	if now || !ok {
		s.net.Wake()
	}
	return ok
}

// run is the shard's thread.
func (s *shard) run() {
	defer close(s.done)
	runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine, and so does its priority
	preferThread()
	s.next = time.Now()
	for !s.stopping {
		if s.step(time.Now()); !s.stopping {
			s.net.Poll(s.idle())
		}
	}
	s.finish()
}

// step does all that is due: orders first, then what came in, then the ticks.
func (s *shard) step(now time.Time) {
	s.now = now
	for _, o := range s.mail.take() {
		s.obey(o)
	}
	s.net.Drain(s.receiver)
	if s.kernel != nil && now.Sub(s.routesAt) >= routesEvery {
		s.askRoutes(now)
	}
	s.catchUp(now)
	s.flush()
	if now.Sub(s.closedAt) >= time.Second && s.closeSome(time.Now()) {
		s.closedAt = now
	}
}

// idle is how long there is nothing to do but for what comes in.
func (s *shard) idle() time.Duration {
	until := s.next
	for i := range phases {
		if len(s.groups[(s.phase+i)%phases]) > 0 {
			break
		}
		until = until.Add(phaseTime)
	}
	if n := s.count.carried.Load(); n > 0 && n == s.count.legs.Load() {
		until = until.Add(carriedRest)
	}
	return time.Until(until)
}

// catchUp runs the ticks that are due by now. After a stall all but the last few
// are skipped: the legs' clocks run with real time, so nothing jumps, and the peers
// get no backlog that would stay with them as delay.
func (s *shard) catchUp(now time.Time) {
	if behind := now.Sub(s.next) / frameTime; behind > maxCatchUp {
		for _, rooms := range s.groups {
			if len(rooms) > 0 {
				s.count.skipped.Add(uint64(behind - maxCatchUp))
			}
		}
		s.next = s.next.Add((behind - maxCatchUp) * frameTime)
	}
	for !now.Before(s.next) {
		s.tick(s.groups[s.phase], s.next, now)
		s.phase = (s.phase + 1) % phases
		s.next = s.next.Add(phaseTime)
	}
}

// tick makes one frame for every leg of a group that is not relayed to. What its parties have
// sent is taken in right before: a socket that is read once a tick costs no wake-up.
func (s *shard) tick(rooms []*room, due, now time.Time) {
	if len(rooms) == 0 {
		return
	}
	s.count.ticks.Add(1)
	s.gives = mostGiven
	if now.Sub(due) > frameTime/2 {
		s.count.late.Add(1)
	}
	for _, r := range rooms {
		if r.rest > 0 {
			r.rest--
			r.rested++
			continue
		}
		r.prefetch()
		r.collect()
		r.tick(due)
		r.rested = 0
	}
	s.move()
}

// came is when a packet that is taken in now has come for a room, as far as its sound goes: in time for the tick that
// is next. When that is overdue its packets have not been late.
func (s *shard) came(r *room) time.Time {
	due := s.next.Add(time.Duration((r.group-s.phase+phases)%phases) * phaseTime)
	if due.Before(s.now) {
		return due
	}
	return s.now
}

func (s *shard) flush() {
	sent, failed := s.net.Flush()
	s.count.out.Add(uint64(sent))
	s.count.failed.Add(uint64(failed))
}

func (s *shard) obey(o order) {
	switch what := o.what.(type) {
	case openLeg:
		s.open(o.room, what)
	case endRoom:
		s.end(o.room)
	case stopShard:
		s.stopping = true
	case leaveShard:
		s.stopping, s.leaving = true, true
	case func():
		what()
	case Command:
		o.room.do(what)
	}
}

func (s *shard) open(r *room, o openLeg) {
	if len(r.legs) == 0 {
		s.enter(r)
	}
	l := newLeg(r, o)
	if o.state != nil {
		l.restore(*o.state, s.now)
		l.inherit(s.now)
	} else if s.kernel != nil {
		s.kernel.Drop(l.local()) // of a call that did not go on here
	}
	r.legs = append(r.legs, l)
	r.detectTones()
	s.stand(o.pair.rtp, port{leg: l})
	s.stand(o.pair.rtcp, port{leg: l, rtcp: true})
	s.net.Watch(o.pair.rtp, socket.OnDemand)
	s.net.Watch(o.pair.rtcp, socket.Slowly)
	s.count.legs.Add(1)
	r.route() // others may have been told to hear it before it was there
}

// stand puts a leg behind a socket.
func (s *shard) stand(socket socket.ID, p port) {
	for len(s.sockets) <= int(socket) {
		s.sockets = append(s.sockets, port{})
	}
	s.sockets[socket] = p
}

// enter puts a room into the smallest of the groups.
func (s *shard) enter(r *room) {
	r.group = 0
	for i, rooms := range s.groups {
		if len(rooms) < len(s.groups[r.group]) {
			r.group = i
		}
	}
	s.groups[r.group] = append(s.groups[r.group], r)
}

// end closes a room's legs; with the last one the room leaves the shard.
func (s *shard) end(r *room) {
	for len(r.legs) > 0 {
		s.close(r.legs[0])
	}
}

func (s *shard) close(l *leg) {
	l.room.takeBack()
	l.room.succeed(l)
	if s.kernel != nil {
		s.kernel.Drop(l.local()) // to whom does not go on here
	}
	l.goodbye(s.now)
	l.room.emit(l.closed())
	s.flush()
	s.vacate(l.pair)
	s.count.legs.Add(-1)
	r := l.room
	r.legs = slices.DeleteFunc(r.legs, func(other *leg) bool { return other == l })
	r.route()
	if len(r.legs) == 0 {
		s.groups[r.group] = slices.DeleteFunc(s.groups[r.group], func(other *room) bool { return other == r })
	}
}

// vacate keeps the ports of a leg that has ended open for another, or closes them.
func (s *shard) vacate(p pair) {
	if p.kept == nil {
		p.kept = &keptPair{}
		p.kept.pair = p
	}
	p.kept.quiet = s.now.Add(keptQuiet)
	s.stand(p.rtp, port{kept: p.kept})
	s.stand(p.rtcp, port{kept: p.kept})
	if s.stopping || s.marked || !s.ports[p.network].keep(p.kept, s.net, time.Now()) {
		s.closePair(p, time.Now())
		return
	}
	s.net.Watch(p.rtp, socket.Idly)
}

func (s *shard) closePair(p pair, freed time.Time) {
	for _, socket := range []socket.ID{p.rtp, p.rtcp} {
		s.stand(socket, port{})
		s.net.Close(socket)
	}
	s.ports[p.network].give(p.port, freed)
}

// closedAtOnce: so many pairs are closed in a step. It takes some ten system calls, and words with the keeper.
const closedAtOnce = 8

// closeSome closes ports that nobody has wanted for long, or to which somebody still sends; true: no more are left. As
// the sound is going to another process all are to be closed.
func (s *shard) closeSome(now time.Time) bool {
	before := now.Add(-keepFor)
	if s.marked {
		before = now
	}
	return s.closeKept(before, closedAtOnce) < closedAtOnce
}

func (s *shard) closeKept(before time.Time, most int) (closed int) {
	for _, pool := range s.ports {
		for _, k := range pool.overdue(s.net, before, most-closed) {
			closed++
			if k.late.Load() {
				k.freed = time.Now()
			}
			s.closePair(k.pair, k.freed)
		}
	}
	return closed
}

// finish leaves nothing behind: orders that came too late may hold open ports.
func (s *shard) finish() {
	for _, o := range s.mail.close() {
		s.obey(o)
	}
	for i := range s.groups {
		if s.leaving {
			s.leave(s.groups[i])
			continue
		}
		for len(s.groups[i]) > 0 {
			s.end(s.groups[i][0])
		}
	}
	if !s.leaving { // a keeper has what is still open, until the next process does not take it
		s.closeKept(time.Now(), math.MaxInt)
	}
	s.net.Stop()
	close(s.occurred)
}

// leave says for the last time how each leg stands.
func (s *shard) leave(rooms []*room) {
	for _, r := range rooms {
		r.look()
		for _, l := range r.legs {
			r.emit(Checkpoint{State: l.state(s.now)})
		}
	}
}

// uptime is a time as time since the machine was started, which all processes have in common.
func (s *shard) uptime(now time.Time) time.Duration { return s.startUp + now.Sub(s.started) }

// emit reports a fact without ever waiting for its reader.
func (s *shard) emit(session *Session, e Event) {
	select {
	case s.occurred <- occurrence{session, e}:
	default:
		s.count.unheard.Add(1)
	}
}

// deliver calls the sinks, on a goroutine of its own so that a slow one costs no sound.
func (s *shard) deliver() {
	for o := range s.occurred {
		if all, ok := o.event.(delivered); ok {
			close(all)
			continue
		}
		if _, last := o.event.(LegClosed); last || !o.session.closed.Load() {
			o.session.sink(o.event)
		}
	}
}
