package outbox

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

//go:embed state.lua
var stateText string

var stateScript = redis.NewScript(stateText)

// settle is how long an entry stays after Redis has confirmed it in any case: an append-only file is synced each
// second.
const settle = 5 * time.Second

// waitFor is how long Redis may take to say that disk and replicas have it all, before it is asked beside the shipping:
// it holds up entries that come meanwhile.
const waitFor = 50 * time.Millisecond

// replicas is how many must have an entry before it is safe: as many as have been seen lately.
type replicas struct {
	most int
	seen time.Time
}

func (r *replicas) note(n int, now time.Time, keep time.Duration) {
	if n >= r.most || now.Sub(r.seen) > keep {
		r.most, r.seen = n, now
	}
}

// look asks for each stream whether Redis still has what it had confirmed and how safely, and lets those go from the
// disk that it has safely, or has had for [Config.Keep].
func (s *shipper) look(ctx context.Context, now time.Time) {
	s.inspect = now.Add(settle)
	if s.o.cfg.Keep > 0 {
		s.inspect = now.Add(min(max(s.o.cfg.Keep/2, 10*time.Millisecond), settle))
	}
	if s.o.disk.size().kept == 0 {
		s.firstWarning(ctx, now)
		return
	}
	s.proven()
	var doubts []doubt
	for stream, l := range s.lanes {
		if l.safe = false; l.chain.id == "" || l.blocked {
			continue
		}
		d, ok := s.ask(ctx, now, stream, l)
		if !ok {
			return
		}
		doubts = append(doubts, d...)
	}
	s.prove(ctx, doubts)
	if s.o.queue.moved() >= s.goes {
		s.letGo()
	}
}

// firstWarning asks once what kind of Redis it is, before there is anything to keep; not in a process that cron starts
// each minute.
func (s *shipper) firstWarning(ctx context.Context, now time.Time) {
	const soon = 2 * time.Second
	if s.asked {
		return
	}
	if wait := soon - now.Sub(s.began); wait > 0 {
		s.inspect = now.Add(wait)
		return
	}
	ctx, cancel := s.o.cfg.Deadline(ctx)
	defer cancel()
	if d, err := durabilityAt(ctx, s.o.link); err == nil {
		s.asked = true
		s.warn(d)
	}
}

// ask says false when Redis did not answer, and what it has not said in time.
func (s *shipper) ask(ctx context.Context, now time.Time, stream string, l *lane) (doubts []doubt, ok bool) {
	ctx, cancel := s.o.cfg.Deadline(ctx)
	defer cancel()
	node, err := s.nodeOf(ctx, stream)
	if err != nil {
		s.lost(now, err)
		return nil, false
	}
	pipe := node.Pipeline()
	keys, args := []string{stream, seenKey(stream)}, append(l.chain.args(), "1")
	state := stateScript.Eval(ctx, pipe, keys, args...)
	waited := s.waits(ctx, pipe, l)
	_, _ = pipe.Exec(ctx) // each answer holds its own error
	list, err := state.Slice()
	switch {
	case link.Replied(err): // it is told of when it refuses entries
		return nil, true
	case err != nil || len(list) != 5:
		s.lost(now, errors.Join(err, ctx.Err()))
		return nil, false
	}
	s.up(now)
	d := durabilityOf(list[1:])
	l.needs.note(d.replicas, now, s.o.cfg.Keep)
	s.warn(d)
	whole, _ := list[0].(int64)
	if moved := l.server != "" && l.server != d.server; whole == 0 || moved {
		l.restore = true
	}
	l.server = d.server
	said := s.proved(l, d, waited)
	if l.safe, l.old = !l.restore && said, settle; l.safe || l.restore || !s.waitAOF || waited == nil {
		return nil, true
	}
	if l.proof.valid(d.server, now) {
		l.safe, l.old = true, settle+now.Sub(l.proof.at)
	}
	return []doubt{{stream, d.server, node, l.chain.args(), s.needed(l)}}, true
}

// nodeOf is the server that has a stream: of a cluster the one, since WAIT speaks of the server that it is sent to.
func (s *shipper) nodeOf(ctx context.Context, stream string) (redis.Cmdable, error) {
	client := s.o.link.Client()
	if cluster, ok := client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, stream)
	}
	return client, nil
}

// waits asks how many disks and replicas have all that was written on this connection, and so all that was before.
func (s *shipper) waits(ctx context.Context, pipe redis.Pipeliner, l *lane) *redis.Cmd {
	most, ms := s.needed(l), waitFor.Milliseconds()
	switch {
	case s.waitAOF:
		return pipe.Do(ctx, "WAITAOF", 1, most, ms)
	case most > 0:
		return pipe.Do(ctx, "WAIT", most, ms)
	}
	return nil
}

// needed is how many replicas there must be: a Sentinel set has at least one.
func (s *shipper) needed(l *lane) int {
	if s.o.link.Sentinel() {
		return max(l.needs.most, 1)
	}
	return l.needs.most
}

// proved says that disk and replicas have what was confirmed before. Where there is no WAITAOF (before Redis 7.2) an
// append-only file that is written without errors, and synced since, is as good after settle.
func (s *shipper) proved(l *lane, d durability, waited *redis.Cmd) bool {
	if waited == nil {
		return d.logs && s.needed(l) == 0
	}
	if s.waitAOF {
		if err := waited.Err(); link.Replied(err) && !d.refusesWait(err) {
			s.waitAOF, s.inspect = false, time.Time{} // it does not know the command, or not from this user
		}
		return counts(waited, s.needed(l))
	}
	n, err := waited.Int()
	return err == nil && n >= s.needed(l) && d.logs
}

// letGo takes entries off the disk, some at a time.
func (s *shipper) letGo() {
	clock, keep := s.o.disk.clock(), uint64(s.o.cfg.Keep.Milliseconds())
	anySafe := false
	for _, l := range s.lanes {
		anySafe = anySafe || l.safe
	}
	var moves []move
	looked, end := 0, true
	err := s.o.disk.scanKept(s.from, func(seq uint64, value []byte) bool {
		k, err := decodeKept(seq, value)
		age := clock - min(k.age, clock)
		l := s.lanes[k.stream]
		switch {
		case err != nil, age >= keep && l != nil && !l.restore,
			l != nil && l.safe && age >= uint64(l.old.Milliseconds()):
			moves = append(moves, move{seq: seq, size: k.size, kind: fromKept})
		case !anySafe:
			return false // what follows is younger
		}
		s.from = seq + 1
		looked++
		end = looked < 2*sweep
		return end
	})
	if err != nil {
		s.o.log.Error("outbox: cannot read the file", "err", err)
	}
	if end {
		s.from = 0
	} else {
		s.inspect = time.Time{}
	}
	s.goes = s.o.queue.move(moves...)
}

// durability is how a server keeps what it is given.
type durability struct {
	known    bool   // the user may ask
	server   string // run id and replication id
	replicas int
	appends  bool   // it has an append-only file
	logs     bool   // and has written and synced it
	evicts   string // the policy by which it throws away keys when memory is short; "": it does not
}

func durabilityOf(sections []any) (d durability) {
	facts := map[string]string{}
	for _, s := range sections {
		text, _ := s.(string)
		for line := range strings.Lines(text) {
			if name, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				facts[name] = v
			}
		}
	}
	if facts["run_id"] != "" {
		d.server = facts["run_id"] + " " + facts["master_replid"]
	}
	_, d.known = facts["aof_enabled"]
	d.replicas, _ = strconv.Atoi(facts["connected_slaves"])
	d.appends = facts["aof_enabled"] == "1"
	d.logs = d.appends && facts["aof_last_write_status"] == "ok" && facts["aof_pending_bio_fsync"] == "0"
	if p := facts["maxmemory_policy"]; facts["maxmemory"] != "0" && p != "noeviction" &&
		!strings.HasPrefix(p, "volatile-") {
		d.evicts = p
	}
	return d
}

// refusesWait: WAITAOF is known, and cannot say anything.
func (d durability) refusesWait(err error) bool {
	return strings.Contains(err.Error(), "appendonly is disabled")
}

// Frailty is why a Redis may lose what it was given.
type Frailty string

// The frailties that a Redis itself tells of.
const (
	NoAppendOnlyFile Frailty = "no_append_only_file" // its end costs the entries of its last minutes
	MayEvict         Frailty = "may_evict"           // it throws away streams when its memory is short
)

// frailties are those of a server.
func (d durability) frailties() (list []Frailty) {
	if d.known && !d.appends {
		list = append(list, NoAppendOnlyFile)
	}
	if d.evicts != "" {
		list = append(list, MayEvict)
	}
	return list
}

var frailWords = map[Frailty]string{
	NoAppendOnlyFile: "redis has no append-only file (appendonly no): when it ends it loses the entries of its last minutes; " +
		"they are kept here for as long as outbox.keep says, and sent again",
	MayEvict: "redis may throw away streams when its memory is short: its maxmemory-policy should be noeviction",
}

// warn tells of them once.
func (s *shipper) warn(d durability) {
	list := d.frailties()
	s.o.stats.keeps.Store(d.known && len(list) == 0)
	if slices.Equal(list, s.frail) {
		return
	}
	s.frail = list
	for _, f := range list {
		s.o.log.Warn("outbox: " + frailWords[f])
	}
}

// Frailties asks a Redis how it keeps what it is given. It says nothing of itself to a user without the right to ask.
func Frailties(ctx context.Context, cfg link.Config) ([]Frailty, error) {
	l, err := link.New(cfg)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	d, err := durabilityAt(ctx, l)
	return d.frailties(), err
}

// durabilityAt asks without a stream.
func durabilityAt(ctx context.Context, l *link.Link) (d durability, err error) {
	const none = "liandong:none"
	list, err := stateScript.Eval(ctx, l.Client(), []string{none, none}, "", "", 0, "0").Slice()
	switch {
	case err != nil:
		return d, err
	case len(list) != 5:
		return d, errAnswer
	}
	return durabilityOf(list[1:]), nil
}
