package trunk

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// kept is what a process after this one has to know of a trunk. Times are those of Config.Now, in nanoseconds since
// 1970, and 0 is none.
type kept struct {
	Version int
	CallID  string // of our registration there; "": there is none
	Seq     uint32 // the last one sent
	Expires time.Duration
	Next    int64
	Until   int64
	Fails   int
	Code    int
	Targets map[string]keptTarget // by Target.String
}

type keptTarget struct {
	Misses int
	Down   bool
	Avoid  int64
}

// keptVersion is that of what is written; what is unknown of a newer one is passed over.
const keptVersion = 1

// Restore takes what a process before this one has kept, before Start: our registrations go on with the next number,
// and targets that were down are not tried first. What cannot be read is left out and told in the error.
func (k *Keeper) Restore(values iter.Seq2[string, []byte]) error {
	var faults []error
	for name, value := range values {
		n := k.neighbour(name)
		if n == nil {
			continue // the config has it no more
		}
		var v kept
		if err := cbor.Unmarshal(value, &v); err != nil {
			faults = append(faults, fmt.Errorf("trunk: what was kept of %s cannot be read: %w", name, err))
			continue
		}
		k.kept[name], n.told = v, value
		n.choice = Choice{before: map[string]*standing{}}
		for target, s := range v.Targets {
			n.choice.before[target] = &standing{misses: s.Misses, down: s.Down, avoid: instant(s.Avoid)}
		}
		n.choice.Set(n.trunk.asWritten())
	}
	return errors.Join(faults...)
}

// goOn lets a registration be what it was. A REGISTER that was under way is sent anew.
func (v kept) goOn(now time.Time, r *registration) {
	if v.CallID == "" {
		return
	}
	r.callID, r.seq, r.until, r.fails, r.code = v.CallID, v.Seq, instant(v.Until), v.Fails, v.Code
	r.expires = max(v.Expires, r.expires)
	if next := instant(v.Next); next.After(now) {
		r.next = next
	}
}

// keep tells of each trunk that is not as it was.
func (k *Keeper) keep() {
	if k.cfg.Keep == nil {
		return
	}
	for _, n := range k.neighbours {
		value := k.valueOf(n)
		if !bytes.Equal(value, n.told) {
			n.told = value
			k.cfg.Keep(n.name, value)
		}
	}
}

func (k *Keeper) valueOf(n *neighbour) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	v := kept{Version: keptVersion, Targets: map[string]keptTarget{}}
	for name, s := range n.choice.state {
		if *s != (standing{}) {
			v.Targets[name] = keptTarget{s.misses, s.down, nanos(s.avoid)}
		}
	}
	if r := n.enrol; r != nil {
		v.CallID, v.Seq, v.Expires = r.callID, r.seq, r.expires
		v.Until, v.Fails, v.Code = nanos(r.until), r.fails, r.code
		if r.limit.IsZero() { // else what is under way is due again at once
			v.Next = nanos(r.next)
		}
	}
	value, err := sorted.Marshal(v)
	if err != nil { // it has a form for each of its fields
		panic(err)
	}
	return value
}

// sorted writes the same for the same.
var sorted, _ = cbor.CoreDetEncOptions().EncMode()

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
