package app

import (
	"encoding/json"
	"sync"
	"time"

	"liandong/routing/exchange"
)

// mostSounding is how long the sound of calls goes on here that are another process's already. Until then no packet is
// sealed by an index that the other one will use: media/engine.
const mostSounding = 3 * time.Second

// mostStopping is for how long the stores may end in good order before the calls are left: no signalling is read then.
const mostStopping = 300 * time.Millisecond

// lateKeys are those that were pressed while the sound alone went on here.
type lateKeys struct {
	mu  sync.Mutex // guards all
	all []exchange.LateKey
}

func (l *lateKeys) add(k exchange.LateKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, k)
}

// words are the keys as the next process is told of them.
func (l *lateKeys) words() (all [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.all {
		b, _ := json.Marshal(k) // strings and bytes can be
		all = append(all, b)
	}
	return all
}

// leaveSounding is leave, but that the sound goes on as it is until the process that comes next is ready to carry it.
func (a *App) leaveSounding() {
	a.letGoOf(a.engine.Mark, true)
	a.api.Leave()
	stopped := make(chan struct{})
	go func() { a.stores.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(mostStopping): // a Redis that hangs; the next process has the file when this one ends
	}
	_ = a.journal.Release()
	limit := time.NewTimer(mostSounding)
	defer limit.Stop()
	select {
	case <-a.process.line.Left():
	case <-a.process.line.Lost():
	case <-limit.C:
	}
	a.engine.Leave()
	a.process.line.Hushed(a.late.words()...)
}

// awaitSound has no leg sound here for as long as the process before carries the sound.
func (a *App) awaitSound() {
	if a.waits = a.pair == nil && a.process.Status().Sounding != 0; a.waits {
		a.engine.Hold()
	}
}

// takeSound takes the sound over, when nothing else is left to do that needs the processor.
func (a *App) takeSound() {
	if !a.waits {
		return
	}
	words, ok := a.process.line.TakeSound()
	for _, w := range words {
		var k exchange.LateKey
		if err := json.Unmarshal(w, &k); err != nil {
			a.log.Error("a word of the process before is not understood", "err", err)
			continue
		}
		a.exchange.TakeLateKey(k)
	}
	a.engine.Go(ok)
	a.process.line.Sounds()
}
