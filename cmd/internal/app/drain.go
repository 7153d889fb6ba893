package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// farewell is how long those who still talk when the time is over have for what they are told, and a word of their own.
const farewell = 6 * time.Second

// end stops the switch for good. For so long calls may go on by themselves, new ones are turned away; who is left then
// is told, and released. A second signal ends everything at once.
func (a *App) end(drain time.Duration) {
	haste, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if drain > 0 {
		a.drain(haste, drain)
	}
	a.log.Info("stopping", "calls", len(a.exchange.Calls()))
	a.Stop()
}

func (a *App) drain(haste context.Context, d time.Duration) {
	if a.tester != nil {
		a.tester.Stop()
	}
	a.log.Info("no new calls; those that are on may go on", "calls", len(a.exchange.Calls()), "for", d)
	a.ua.Drain()
	a.exchange.Drain()
	if a.ended(haste, d) {
		return
	}
	a.log.Warn("calls are ended", "calls", len(a.exchange.Calls()))
	a.exchange.Farewell(farewell)
	a.ended(haste, farewell+time.Second)
}

// ended waits for the last call, for so long at most.
func (a *App) ended(haste context.Context, d time.Duration) bool {
	limit := time.NewTimer(d)
	defer limit.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for a.exchange.Stats().Live > 0 {
		select {
		case <-haste.Done():
			return true
		case <-limit.C:
			return false
		case <-look.C:
		}
	}
	return true
}
