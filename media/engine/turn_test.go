package engine

import (
	"testing"
	"testing/synctest"
)

// A shard that stands still holds up whoever waits for its turn; one that has ended does not.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, labConfig(nil))
		turn := func() (done func() bool) {
			had := make(chan struct{})
			go func() {
				r.engine.Turn()
				close(had)
			}()
			return func() bool {
				synctest.Wait()
				select {
				case <-had:
					return true
				default:
					return false
				}
			}
		}
		first := turn()
		if first() {
			t.Error("nothing has moved, and it had its turn")
		}
		r.shard.step(r.now)
		if !first() {
			t.Error("it has had its turn, and nobody was told")
		}
		second := turn()
		if second() {
			t.Error("it had its turn twice")
		}
		close(r.shard.done)
		if !second() {
			t.Error("it has ended, and is waited for")
		}
	})
}
