package load

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// Relay is calls of two parties, both of them ours, that all stand at once and speak both ways.
type Relay struct {
	Target
	Calls    int            `placeholder:"N" default:"1" help:"How many stand at once (default: ${default})."`
	Duration time.Duration  `placeholder:"TIME" default:"10s" help:"How long sound is measured once all are up (default: ${default})."`
	Far      netip.AddrPort `placeholder:"IP:PORT" help:"The called party is the far end of a trunk and answers here, instead of registered desks."`
	SRTP     bool           `name:"srtp" help:"Callers seal their sound by SRTP, which the server's network has to allow; desks do not."`
	NG       netip.AddrPort `name:"ng" placeholder:"IP:PORT" help:"Measure the media proxy that answers the ng protocol here, such as rtpengine, and no SIP server: its address and --media-allow are where sound may go to."`
}

// Check names every option that will not do.
func (c Relay) Check() error {
	return errors.Join(c.check(), c.checkCalls(c.Calls, !c.Far.IsValid() && !c.NG.IsValid()),
		checkDuration("duration", c.Duration),
		allowed(!c.NG.IsValid() || !c.Far.IsValid(), "ng", c.NG, "one of --ng and --far"),
		allowed(!c.NG.IsValid() || !c.SRTP, "srtp", c.SRTP, "no --ng with it"))
}

// Measure runs it.
func (c Relay) Measure(ctx context.Context) (*Report, error) {
	if c.NG.IsValid() {
		return c.throughProxy(ctx)
	}
	r, err := start(ctx, "relay", c.Target, needs{desks: c.Calls, sound: true, sealed: c.SRTP, far: c.Far,
		streams: 2 * c.Calls})
	if err != nil {
		return nil, err
	}
	r.setUp(ctx, c.Calls)
	err = r.window(ctx, c.Duration, nil)
	report, e := r.finish(ctx, c.Calls)
	r.collect(true)
	return report, errors.Join(err, e)
}

// setUp begins all calls and waits until each is up or has failed, and a second more.
func (r *run) setUp(ctx context.Context, calls int) {
	var wg sync.WaitGroup
	r.launch(ctx, calls, &wg, func(context.Context, *attempt) {})
	wg.Wait()
	sleep(ctx, settle)
}
