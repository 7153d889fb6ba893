package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"liandong/cmd/internal/phone"
)

// ErrCaller is returned when the server does not show whose call it is, so that parties cannot be put together.
var ErrCaller = errors.New(
	"load: the server's INVITEs show none of the callers' numbers in From or P-Asserted-Identity")

// Conf is three-way conferences that all stand at once: made by a key of the desk's, or by three callers' dialling a
// room.
type Conf struct {
	Target
	Calls    int           `placeholder:"N" default:"1" help:"How many conferences stand at once (default: ${default})."`
	Duration time.Duration `placeholder:"TIME" default:"12s" help:"How long sound is measured once all have three parties (default: ${default})."`
	Key      string        `placeholder:"DIGITS" default:"*3" help:"The desk's key for a conference, by RFC 4733 (default: ${default})."`
	Room     string        `placeholder:"NUMBER" help:"No desks and no key: three callers call this number each, in which {n} is the conference's number from 0."`
	Settle   time.Duration `placeholder:"TIME" default:"4s" help:"Left for announcements between the last joining and the measuring (default: ${default})."`
}

// Check names every option that will not do.
func (c Conf) Check() error {
	return errors.Join(c.check(), c.checkCalls(c.Calls, c.Room == ""), checkDuration("duration", c.Duration),
		checkKey(c.Key), allowed(c.Settle >= 0 && c.Settle <= time.Minute, "settle", c.Settle, "0s to 1m"))
}

// conference is the legs of one, by side.
type conference [sides]*voice

func (c conference) whole() bool { return c[caller] != nil && c[desk] != nil && c[partner] != nil }

// Measure runs it.
func (c Conf) Measure(ctx context.Context) (*Report, error) {
	n := needs{desks: c.Calls, partners: c.Calls, sound: true, streams: 3 * c.Calls}
	if c.Room != "" {
		n.desks, n.partners, n.room, c.To = 0, 0, true, c.Room
	}
	r, err := start(ctx, "conf", c.Target, n)
	if err != nil {
		return nil, err
	}
	var all []conference
	var broken error
	if c.Room != "" {
		all = c.byNumber(ctx, r)
	} else {
		all, broken = c.keyed(ctx, r)
	}
	all = whole(all)
	sleep(ctx, c.Settle)
	makeTalk(all, time.Now(), c.Duration)
	err = r.window(ctx, c.Duration, nil)
	report, e := r.finish(ctx, c.Calls*len(r.callers))
	r.collect(false)
	c.listen(r, all)
	return report, errors.Join(broken, err, e)
}

func whole(all []conference) (w []conference) {
	for _, c := range all {
		if c.whole() {
			w = append(w, c)
		}
	}
	return w
}

// byNumber is conferences of three callers each.
func (c Conf) byNumber(ctx context.Context, r *run) []conference {
	r.setUp(ctx, c.Calls)
	all := make([]conference, c.Calls)
	for _, a := range r.calls {
		if v, ok := voiceOf(a.call); ok && a.up() {
			all[a.n][v.stream.side] = v
		}
	}
	return all
}

// voiceOf is the stream behind a call.
func voiceOf(c *phone.Call) (*voice, bool) {
	if c == nil {
		return nil, false
	}
	v, ok := c.Voice().(*voice)
	return v, ok
}

// keyedCalls is the calls that a conference may have. Two desks that answer at once are both there for a moment.
type keyedCalls struct {
	mu    sync.Mutex
	calls [][sides][]*phone.Call // guarded by mu
	lost  int                    // calls that show no number; guarded by mu
}

func (j *keyedCalls) add(n int, s side, call *phone.Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls[n][s] = append(j.calls[n][s], call)
}

// now is the conferences with those who are in them.
func (j *keyedCalls) now() []conference {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := make([]conference, len(j.calls))
	for n := range all {
		for s, calls := range j.calls[n] {
			for _, call := range calls {
				if v, ok := voiceOf(call); ok && call.State() == phone.Confirmed {
					all[n][s] = v
				}
			}
		}
	}
	return all
}

// keyed is conferences that the desks have made. Which legs belong together the callers' numbers say: in a mix no mark
// tells.
func (c Conf) keyed(ctx context.Context, r *run) ([]conference, error) {
	j := &keyedCalls{calls: make([][sides][]*phone.Call, c.Calls)}
	answered := func(s side) func(*phone.Call) {
		return func(call *phone.Call) {
			if n, known := c.index(call.Caller(), c.Calls); known {
				j.add(n, s, call)
				return
			}
			j.mu.Lock()
			defer j.mu.Unlock()
			j.lost++
		}
	}
	listening, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	incoming(listening, &wg, r.desks, answered(desk))
	incoming(listening, &wg, r.partners, answered(partner))
	r.setUp(ctx, c.Calls)
	for _, a := range r.calls {
		if a.up() {
			j.add(a.n, caller, a.call)
		}
	}
	c.pressAll(ctx, j)
	stop()
	wg.Wait()
	if j.lost > 0 {
		return j.now(), fmt.Errorf("%w: %d calls", ErrCaller, j.lost)
	}
	return j.now(), nil
}

// pressAll lets every desk that talks press the key, and waits for the partners.
func (c Conf) pressAll(ctx context.Context, j *keyedCalls) {
	pressed := 0
	for _, one := range j.now() {
		if one[desk] == nil || one[caller] == nil {
			continue
		}
		if one[desk].press(c.Key) {
			pressed++
		}
		if !sleep(ctx, time.Duration(float64(time.Second)/c.Rate)) {
			return
		}
	}
	waitFor(ctx, patience+c.AnswerAfter, func() bool { return len(whole(j.now())) >= pressed })
	sleep(ctx, settle)
}

// makeTalk gives the parties of each conference their script, each conference's turns beginning a little later than
// those of the one before.
func makeTalk(all []conference, from time.Time, d time.Duration) {
	sounds := makeChirps()
	for i, one := range all {
		s := &script{from: from.UnixNano() + int64(i)*37e6%int64(time.Second), chirps: sounds}
		for _, v := range one {
			rec := &record{sound: make([]byte, 0, int(d.Seconds()+1)*8000),
				frames: make([]frame, 0, int(d.Seconds()+1)*50)}
			v.thread.do(func() { v.stream.script, v.stream.record = s, rec })
		}
	}
}

// listen finds the chirps in what was heard, on all cores.
func (c Conf) listen(r *run, all []conference) {
	found := &Conference{Joined: len(all)}
	sounds := makeChirps()
	var mu sync.Mutex
	var took [sides][sides]delays // by hearer and speaker
	work := make(chan conference)
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for one := range work {
				for hearer := range sides {
					for speaker := range sides {
						one.search(sounds, hearer, speaker, func(sent int, times []time.Duration) {
							mu.Lock()
							defer mu.Unlock()
							found.count(hearer == speaker, sent, len(times))
							for _, t := range times {
								took[hearer][speaker].add(t)
							}
						})
					}
				}
			}
		})
	}
	for _, one := range all {
		work <- one
	}
	close(work)
	wg.Wait()
	r.report.Conference = found
	r.oneWay(&took)
}

func (f *Conference) count(self bool, sent, heard int) {
	if self {
		f.Sent += sent
		f.Echoes += heard
		return
	}
	f.Heard += heard
	f.Missed += sent - heard
}

// search looks for the chirps of a party in what another heard.
func (c conference) search(sounds *[sides]chirps, hearer, speaker side, told func(sent int, took []time.Duration)) {
	h, s := c[hearer].stream, c[speaker].stream
	var took []time.Duration
	sent := 0
	for _, at := range s.record.chirps {
		if at+int64(searchTicks+chirpTicks)*20e6 > h.window.till {
			break // what came of it may lie outside the window
		}
		sent++
		if d, ok := h.record.chirpFound(h.law, &sounds[speaker], at); ok {
			took = append(took, d)
		}
	}
	told(sent, took)
}

// oneWay puts into each side's line how long the others' chirps took.
func (r *run) oneWay(took *[sides][sides]delays) {
	for i := range r.report.Directions {
		d := &r.report.Directions[i]
		for hearer := range sides {
			if d.To != hearer.String() {
				continue
			}
			var all delays
			for speaker := range sides {
				if speaker != hearer {
					all.merge(&took[hearer][speaker])
				}
			}
			d.Delay = all.summary()
		}
	}
}
