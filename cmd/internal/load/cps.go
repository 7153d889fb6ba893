package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// CPS is call attempts at a rate: signalling alone, the sound that the server sends is not listened to.
type CPS struct {
	Target
	Duration time.Duration `placeholder:"TIME" default:"10s" help:"How long calls are begun (default: ${default})."`
	Calls    int           `placeholder:"N" default:"100" help:"At most so many (default: ${default})."`
	Hold     time.Duration `placeholder:"TIME" default:"1s" help:"How long a call lasts once it is up (default: ${default})."`
	All      bool          `help:"Every desk registers first, and not only as many as there are calls."`
}

// Check names every option that will not do.
func (c CPS) Check() error {
	return errors.Join(c.check(), allowed(c.Calls > 0 && c.Calls <= maxAttempts, "calls", c.Calls,
		fmt.Sprintf("1 to %d", maxAttempts)),
		checkDuration("duration", c.Duration), checkDuration("hold", c.Hold))
}

// Measure runs it.
func (c CPS) Measure(ctx context.Context) (*Report, error) {
	asked := max(1, min(c.Calls, int(c.Rate*c.Duration.Seconds())))
	desks := c.Seats
	if !c.All {
		desks = min(desks, asked)
	}
	r, err := start(ctx, "cps", c.Target, needs{desks: desks})
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	r.launch(ctx, asked, &wg, func(ctx context.Context, a *attempt) {
		if a.up() {
			sleep(ctx, c.Hold)
			r.end(a)
		}
	})
	wg.Wait()
	r.report.Measured = round1(time.Since(r.began).Seconds())
	return r.finish(ctx, asked)
}
