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

// lateKeys are those that were pressed while the sound alone went on here. Each is passed on at once, so that it
// outlives this process too.
type lateKeys struct {
	mu     sync.Mutex        // guards all below
	waits  [][]byte          // until they may be passed on
	passOn func(word []byte) // nil: not yet
}

func (l *lateKeys) add(k exchange.LateKey) {
	word, _ := json.Marshal(k) // strings and bytes can be
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passOn == nil {
		l.waits = append(l.waits, word)
		return
	}
	l.passOn(word)
}

// open has the keys passed on from now on, and those that wait.
func (l *lateKeys) open(passOn func(word []byte)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, word := range l.waits {
		passOn(word)
	}
	l.waits, l.passOn = nil, passOn
}

// leaveSounding is leave, but that the sound goes on as it is until the process that comes next is ready to carry it.
func (a *App) leaveSounding() {
	a.letGoOf(a.engine.Mark, true)
	a.api.Leave()
	stopped := make(chan struct{})
	go func() { a.stores.stop(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(mostStopping): // a disk that hangs; the next process has the file when this one ends
	}
	a.leavePair()
	_ = a.journal.Release()
	limit := time.NewTimer(mostSounding)
	defer limit.Stop()
	left := a.process.line.Left()
	a.late.open(a.process.line.PassOn)
	select {
	case <-left:
	case <-a.process.line.Lost():
	case <-limit.C:
	}
	a.engine.Leave()
	a.process.line.Hushed()
}

// awaitSound has no leg sound here for as long as the process before carries the sound.
func (a *App) awaitSound() {
	if a.waits = a.process.Status().Sounding != 0; a.waits {
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
