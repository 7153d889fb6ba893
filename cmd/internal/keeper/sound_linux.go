package keeper

import (
	"bytes"
	"time"
)

// hushWait is how long one that has left may take to end its sound.
const hushWait = 300 * time.Millisecond

// next is the process that goes on when the worker leaves now; nil: none that waits.
func (k *Keeper) next() *child {
	n := k.spare
	if c := k.upgrade.candidate(); c != nil && c != k.worker {
		n = c
	}
	if n == nil || !n.waits {
		return nil
	}
	return n
}

// leaves: a worker that was told to has left the calls to another, but for their sound. It counts as gone.
func (k *Keeper) leaves(c *child) {
	if c != k.worker || !c.yielded {
		return
	}
	k.sounder, k.worker, k.words = c, nil, nil
	k.workerDied(c, nil)
}

// asksForSound: the worker is ready to carry the sound.
func (k *Keeper) asksForSound(c *child) {
	if c != k.worker || !c.asked.IsZero() {
		return
	}
	c.asked = time.Now()
	for _, m := range k.words {
		_ = c.wire.send(m)
	}
	k.words = nil
	s := k.sounder
	if s == nil { // it has stopped some time ago
		_ = c.wire.send(message{kind: soundStopped})
		return
	}
	if s.wire.send(message{kind: stopSound}) != nil {
		s.kill()
	}
	k.after(hushWait, func() {
		if k.sounder == s {
			s.kill()
		}
	})
}

// mostWords bounds what is kept of what one that has left says.
const mostWords = 1024

// passOn brings what one that has left says to the worker that asks for the sound: one that dies before has lost none.
// Beyond mostWords, which nobody presses in seconds, keys are lost.
func (k *Keeper) passOn(c *child, m message) {
	switch {
	case c != k.sounder:
	case m.kind == soundStopped:
		k.hushed(true)
	case k.worker != nil && !k.worker.asked.IsZero():
		_ = k.worker.wire.send(m) // one that does not read is found by its pings
	case len(k.words) < mostWords:
		m.body = bytes.Clone(m.body) // which lies in a large buffer
		k.words = append(k.words, m)
	}
}

// hushed: nobody carries the sound any more, and the worker may. seamless says that it has been carried until now.
func (k *Keeper) hushed(seamless bool) {
	k.sounder = nil
	until := ""
	if seamless {
		until = lasting
	}
	if c := k.worker; c != nil && !c.asked.IsZero() {
		_ = c.wire.send(message{kind: soundStopped, body: []byte(until)})
	}
}
