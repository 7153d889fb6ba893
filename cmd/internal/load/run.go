package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"liandong/cmd/internal/phone"
)

// late is from where on the generator's own share is worth a remark.
const (
	lateShare    = 0.001                  // of the packets more than tooLate
	lateCall     = 100 * time.Millisecond // the latest attempt
	lateMessage  = 20 * time.Millisecond  // the longest that a message waited
	drain        = 500 * time.Millisecond // for what is still under way at the end of the window
	settle       = time.Second            // between the last answer and the window
	lagInterval  = 100 * time.Millisecond
	windowBefore = 20 * time.Millisecond // the window begins so much after it was ordered
)

const sip503 = 503 // RFC 3261 §21.5.4

// run is one run: set up, measured, taken down, reported.
type run struct {
	*world
	report *Report
	meter  *meter
	stop   func() // of the watch on the phones' loops
}

// start raises the world and begins to measure the server's process and ourselves.
func start(ctx context.Context, mode string, t Target, n needs) (*run, error) {
	w, err := raise(ctx, t, n)
	if err != nil {
		return nil, err
	}
	r := &run{world: w, report: &Report{Mode: mode, Server: t.Server.String()}}
	if t.PID != 0 {
		if r.meter, err = startMeter(t.PID); err != nil {
			w.close()
			return nil, err
		}
	}
	w.began, w.used = time.Now(), ownCPU()
	r.report.Began = w.began
	r.report.SIP.Registers = len(w.desks) + len(w.partners)
	if n.far.IsValid() {
		r.report.SIP.Registers = 0
	}
	r.stop = w.watchLoops()
	return r, nil
}

// restart lets the process and ourselves be measured anew: from when all calls stand.
func (r *run) restart() error {
	r.began, r.used = time.Now(), ownCPU()
	if r.meter == nil {
		return nil
	}
	if _, err := r.meter.stop(); err != nil {
		return err
	}
	var err error
	r.meter, err = startMeter(r.PID)
	return err
}

// window lets sound be counted for d, or less when ctx ends.
func (r *run) window(ctx context.Context, d time.Duration, during func(context.Context)) error {
	if err := r.restart(); err != nil {
		return err
	}
	from := time.Now().Add(windowBefore)
	r.engine.measure(from, from.Add(maxDuration))
	ctx, cancel := context.WithDeadline(ctx, from.Add(d))
	defer cancel()
	if during != nil {
		during(ctx)
	} else {
		<-ctx.Done()
	}
	till := time.Now()
	r.engine.measure(from, till)
	r.report.Measured = round1(till.Sub(from).Seconds())
	err := r.readProcess()
	r.ownUse()
	time.Sleep(drain)
	return err
}

// readProcess ends the measuring of the server.
func (r *run) readProcess() error {
	if r.meter == nil {
		return nil
	}
	var err error
	r.report.Process, err = r.meter.stop()
	r.meter = nil
	return err
}

func (r *run) ownUse() {
	r.report.Generator.CPU = round1(100 * float64(ownCPU()-r.used) / float64(time.Since(r.began)))
}

// finish takes all down and completes the report.
func (r *run) finish(ctx context.Context, asked int) (*Report, error) {
	r.report.Interrupted = ctx.Err() != nil
	dropped := r.dropped()
	r.endAll()
	err := r.readProcess()
	if r.report.Generator.CPU == 0 {
		r.ownUse()
	}
	r.stop()
	if e := r.unregister(); err == nil {
		err = e
	}
	r.close()
	r.countCalls(asked, dropped)
	r.remarks()
	return r.report, err
}

// dropped counts the calls that were up and have ended without our doing.
func (r *run) dropped() (n int) {
	for _, a := range r.calls {
		if a.up() && !a.ending && a.call.State() == phone.Ended {
			n++
		}
	}
	return n
}

func (r *run) countCalls(asked, dropped int) {
	c := Calls{Asked: asked, Tried: len(r.calls), Failed: map[string]int{}, Dropped: dropped}
	var setUp, ring, refused times
	var first, last time.Time
	for _, a := range r.calls {
		if a.failed != "" {
			c.Failed[a.failed]++
		}
		if a.call == nil {
			continue
		}
		from := a.call.At(phone.Calling)
		if first.IsZero() || from.Before(first) {
			first = from
		}
		if from.After(last) {
			last = from
		}
		if at := a.call.At(phone.Ringing); !at.IsZero() {
			ring.add(at.Sub(from))
		}
		if a.code == sip503 {
			refused.add(a.call.At(phone.Ended).Sub(from))
		}
		if a.up() {
			c.Up++
			setUp.add(a.call.At(phone.Confirmed).Sub(from))
		}
	}
	if len(r.calls) > 1 {
		c.PerSec = round1(float64(len(r.calls)-1) / max(1e-3, last.Sub(first).Seconds()))
	}
	r.report.Calls, r.report.SetUp, r.report.Ring = c, setUp.summary(), ring.summary()
	r.report.Refused = refused.summary()
	s := &r.report.SIP
	s.Out, s.In, s.OutAgain, s.InAgain = int(r.sent.Load()), int(r.received.Load()), int(r.sentAgain.Load()),
		int(r.receivedAgain.Load())
}

// remarks says what this program did not keep up with.
func (r *run) remarks() {
	g := &r.report.Generator
	g.Remarks = []string{}
	remark := func(ok bool, format string, args ...any) {
		if !ok {
			g.Remarks = append(g.Remarks, "the generator "+fmt.Sprintf(format, args...))
		}
	}
	g.Calls, g.Loop = ms(r.late), ms(r.lag)
	remark(r.late < lateCall, "began calls up to %.1f ms late: the rate is not the server's", g.Calls)
	remark(r.lag < lateMessage, "let SIP messages wait for up to %.1f ms: set-up times are not the server's", g.Loop)
	if r.engine == nil {
		return
	}
	var late delays
	for _, t := range r.engine.threads {
		late.merge(&t.late)
		g.Skipped += t.skipped
		g.Unsent += t.unsent
		g.Overflow += int(t.lost)
	}
	g.Late, g.Late5 = late.summary(), late.over(tooLate)
	remark(float64(g.Late5) <= lateShare*float64(late.count),
		"was late by up to %.1f ms, with %d of %d packets by more than 5 ms: gaps, worst seconds and what was lost are not the server's", ms(late.max), g.Late5, late.count)
	remark(g.Skipped == 0, "stood still and left out %d ticks of 20 ms: figures are not the server's", g.Skipped)
	remark(g.Unsent == 0, "could not send %d packets: lost ones are not the server's", g.Unsent)
	remark(g.Overflow == 0,
		"dropped %d packets that had come: lost ones are not the server's (raise net.core.rmem_max)", g.Overflow)
}

// watchLoops asks the phones' loops ten times a second how long a message has to wait. The function given back ends it.
func (w *world) watchLoops() (stop func()) {
	if len(w.callers) == 0 {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(lagInterval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			lag := w.callers[0].Lag()
			w.mu.Lock()
			w.lag = max(w.lag, lag)
			w.mu.Unlock()
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}
