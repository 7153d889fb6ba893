package load

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"liandong/cmd/internal/phone"
)

// attempt is one call of a caller's and what became of it. Owned by its goroutine until the run is over.
type attempt struct {
	n      int
	call   *phone.Call // nil: it could not even be begun
	failed string      // why; "": it was answered
	code   int         // of the refusal; 0: there was none
	ending bool        // we have begun to end it
}

// launch begins calls at the rate, from the first caller or, in a room, three at a time, and gives each to follow on a
// goroutine of its own. It returns when all are begun, or ctx ends; wait for the rest by the group.
func (w *world) launch(ctx context.Context, calls int, wg *sync.WaitGroup, follow func(context.Context, *attempt)) {
	start := time.Now()
	for n := range calls {
		due := start.Add(time.Duration(float64(n) / w.Rate * float64(time.Second)))
		if !sleep(ctx, time.Until(due)) {
			return
		}
		for _, p := range w.callers {
			a := w.begin(p, n, time.Since(due))
			wg.Go(func() { w.answered(ctx, a); follow(ctx, a) })
		}
	}
}

func (w *world) begin(p *phone.Phone, n int, late time.Duration) *attempt {
	a := &attempt{n: n}
	number := fmt.Sprint(w.Number + uint64(n))
	var err error
	a.call, err = p.Call("sip:"+w.callee(n)+"@"+w.Server.String(),
		phone.CallOptions{From: number, PAI: []string{number}})
	if err != nil {
		a.failed = err.Error()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, a)
	w.late = max(w.late, late)
	return a
}

// answered waits until the call is up, or notes why it is not.
func (w *world) answered(ctx context.Context, a *attempt) {
	if a.call == nil {
		return
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := a.call.WaitState(waiting, phone.Confirmed)
	e := a.call.Ending()
	switch {
	case err == nil:
	case a.call.State() == phone.Ended && e.Local && e.Code == 488:
		a.failed = "refused here: " + strings.TrimPrefix(e.Phrase, "phone: ")
	case a.call.State() == phone.Ended && e.Code != 0:
		a.failed, a.code = fmt.Sprintf("%d %s", e.Code, e.Phrase), e.Code
	case a.call.State() == phone.Ended:
		a.failed = e.Phrase
	case ctx.Err() != nil:
		a.failed = "interrupted"
		w.end(a)
	default:
		a.failed = fmt.Sprintf("not answered within %s", patience)
		w.end(a)
	}
}

// up says whether the call was answered.
func (a *attempt) up() bool { return a.call != nil && a.failed == "" }

// end hangs up and waits for the server to agree, a while. It is not the run's context that limits it: calls are taken
// down also when the run is interrupted.
func (w *world) end(a *attempt) {
	if a.call == nil || a.ending {
		return
	}
	a.ending = a.call.State() != phone.Ended
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = a.call.Hangup(ctx) // a server that does not answer is no reason to wait longer
}

// endAll hangs up every call that is left, at a pace of 200 a second.
func (w *world) endAll() {
	var wg sync.WaitGroup
	for _, a := range w.calls {
		if a.call == nil || a.ending || a.call.State() == phone.Ended {
			continue
		}
		wg.Go(func() { w.end(a) })
		time.Sleep(5 * time.Millisecond)
	}
	wg.Wait()
}

// waitFor looks at ok ten times a second until it says true; false: it did not in time, or ctx ended.
func waitFor(ctx context.Context, d time.Duration, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for !ok() {
		if !sleep(ctx, 100*time.Millisecond) {
			return ok()
		}
	}
	return true
}
