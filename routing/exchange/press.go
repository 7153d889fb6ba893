package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"liandong/media/engine"
	"liandong/routing/journal"
	"liandong/sip/snapshot"
)

// A key is heard once: when the media engine has read the packets of a press nobody sends them again. So the journal
// has the key before its call does, and until the call is stored with what has come of it.

// keptKey is a key that was pressed and that no call has taken.
type keptKey struct {
	engine.DigitReceived
	name string // in the journal
}

// keepKey keeps a key for its call; "": there is no journal.
func (x *Exchange) keepKey(ref string, e engine.DigitReceived) (name string) {
	if x.cfg.Journal == nil {
		return ""
	}
	kept, err := x.keyOf(ref, e)
	if err != nil {
		x.log.Error("bug: a key cannot be stored", "err", err)
		return ""
	}
	x.cfg.Journal.Put(journal.Key, kept.Name, kept.Key)
	return kept.Name
}

// LateKey is a key that was pressed while another process was made ready to go on with the calls.
type LateKey struct {
	Name string // as in the journal
	Key  []byte
}

// keyOf is how a key is written.
func (x *Exchange) keyOf(ref string, e engine.DigitReceived) (LateKey, error) {
	b, err := snapshot.Encode(e)
	return LateKey{fmt.Sprintf("%s/%019d/%d", ref, x.now().UnixNano(), e.Leg), b}, err
}

// handOnKey says that a key is the next process's to take.
func (x *Exchange) handOnKey(ref string, e engine.DigitReceived) bool {
	if x.cfg.Late == nil || !x.leaving.Load() {
		return false
	}
	k, err := x.keyOf(ref, e)
	if err != nil {
		x.log.Error("bug: a key cannot be handed on", "err", err)
		return true
	}
	x.cfg.Late(k)
	return true
}

// TakeLateKey takes a key that has come late to the process before.
func (x *Exchange) TakeLateKey(late LateKey) {
	k, ref, err := readKey(late.Name, late.Key)
	a := x.actor(ref)
	if err != nil || a == nil {
		x.log.Error("a key that was pressed late is taken by no call", "call", ref, "err", err)
		return
	}
	x.cfg.Journal.Put(journal.Key, late.Name, late.Key)
	if k.Press.Digit != 0 {
		a.core.world.Media.Do(engine.Know{Leg: k.Leg, Press: k.Press})
	}
	a.inbox.put(input{sound: k.DigitReceived, kept: k.name}, own)
}

// unkeepKey: no call will take the key.
func (x *Exchange) unkeepKey(name string) {
	if name != "" {
		x.cfg.Journal.Delete(journal.Key, name)
	}
}

// takesKey notes a key that the call takes now.
func (c *Core) takesKey(name string) {
	if name != "" {
		c.takes(journal.Key, name)
	}
}

// keptKeys are those of each call, in the order in which they were pressed.
func (x *Exchange) keptKeys() map[string][]keptKey {
	all := x.cfg.Journal.All(journal.Key)
	slices.SortFunc(all, func(a, b journal.Entry) int { return cmp.Compare(a.Key, b.Key) })
	keys := map[string][]keptKey{}
	for _, e := range all {
		k, ref, err := readKey(e.Key, e.Value)
		if err != nil {
			x.log.Error("a key that was pressed cannot be read", "call", ref, "err", err)
			x.unkeepKey(e.Key)
			continue
		}
		keys[ref] = append(keys[ref], k)
	}
	return keys
}

// readKey reads a key of a call.
func readKey(name string, b []byte) (k keptKey, ref string, err error) {
	k.name = name
	ref, _, _ = strings.Cut(name, "/")
	return k, ref, snapshot.Decode(b, &k.DigitReceived)
}

// dropKeys: their calls are over, or do not go on.
func (x *Exchange) dropKeys(keys map[string][]keptKey, calls map[string]revival) {
	for ref, all := range keys {
		if _, ok := calls[ref]; ok {
			continue
		}
		for _, k := range all {
			x.unkeepKey(k.name)
		}
	}
}

// known: what still comes of the press in the next process is none of its own.
func (k keptKey) known(legs []engine.LegState) {
	for i := range legs {
		if legs[i].ID == k.Leg && k.Press.Digit != 0 {
			legs[i].Key, legs[i].Down = k.Press, true
		}
	}
}

// pressed notes a key in what is known of the party's sound: the call has it, and the checkpoint that names it may
// not come.
func (p *party) pressed(e engine.DigitReceived) {
	if p.Sound == nil || e.Press.Digit == 0 {
		return
	}
	at := *p.Sound
	at.Key, at.Down = e.Press, true
	p.Sound = &at
}
