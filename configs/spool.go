package configs

import (
	"path/filepath"

	"liandong/routing/ledger"
	"liandong/routing/spool"
	"liandong/routing/ticket"
)

// Spooled is a hotline that stands at another switch, with both ends of what goes there and comes from there as files.
type Spooled struct {
	Send    spool.SendConfig
	Receive spool.ReceiveConfig
}

// Spools are the hotlines with files, in a fixed order.
func (c *Config) Spools() (list []Spooled) {
	for _, id := range sorted(c.Hotlines) {
		if h := c.Hotlines[id]; h.Spool.given() {
			list = append(list, c.spoolOf(id, h.Spool))
		}
	}
	return list
}

func (s Spool) given() bool {
	return s.Send != "" || s.Receive != "" || !s.Key.IsZero() || s.KeyFile != ""
}

func (c *Config) spoolOf(id string, s Spool) (out Spooled) {
	keys, _ := spool.ParseKeys(s.Key.Reveal()) // checked when it was loaded
	l := spool.Link{Line: id, Send: s.Send, Receive: s.Receive, State: s.State, Keys: keys}
	out.Send.Link, out.Receive.Link = l, l
	for _, store := range c.Stores() {
		out.Send.Updates = append(out.Send.Updates, store.Outbox.Config)
		one := spool.ReceiveRedis{Outbox: store.Outbox, Kept: store.Hotlines}
		for _, line := range store.Hotlines {
			if line == id {
				out.Send.Tickets = store.Outbox.Config
			}
			if !c.Hotlines[line].Spool.given() {
				one.Here = append(one.Here, line)
			}
		}
		out.Receive.Redises = append(out.Receive.Redises, one)
	}
	return out
}

// spooled tells a ledger which of its lines stand elsewhere: their alarms are raised there, and their streams are not
// shortened before the files are written.
func (c *Config) spooled(l *ledger.Config) {
	l.Trim.Further = map[string][]string{}
	for _, id := range sorted(c.Hotlines) {
		if !c.Hotlines[id].Spool.given() {
			continue
		}
		l.Trim.Further[ledger.Updates] = append(l.Trim.Further[ledger.Updates], spool.Group(id))
		l.Trim.Further[ticket.StreamOf(id)] = []string{spool.Group(id)}
		l.Remote = append(l.Remote, id)
	}
}

// spool checks that there are two ways and a key. It never quotes the key.
func (c *checker) spool(key string, h *Hotline) {
	s, key := h.Spool, key+".spool"
	switch {
	case !s.given() || c.has(key) || c.faulty(key+".key_file") || c.faulty(key+".send") || c.faulty(key+".receive"):
		return
	case s.Send == "" || s.Receive == "" || s.Key.IsZero():
		c.addName(key, textSpoolNeeds.of())
		return
	case h.Trunk == "":
		c.addName(key, textSpoolTrunk.of())
	}
	if _, err := spool.ParseKeys(s.Key.Reveal()); err != nil {
		if s.KeyFile != "" {
			c.add(key+".key_file", textSpoolKey.of())
		} else {
			c.add(key+".key", textSpoolKey.of())
		}
	}
	used := map[string]bool{filepath.Clean(s.State): true}
	for _, dir := range append([]string{s.Send, s.Receive}, c.otherSpools(h)...) {
		if used[filepath.Clean(dir)] {
			c.add(key+".send", textSpoolSame.of())
			return
		}
		used[filepath.Clean(dir)] = true
	}
}

// otherSpools are the folders of the hotlines before this one.
func (c *checker) otherSpools(h *Hotline) (dirs []string) {
	for _, id := range sorted(c.Hotlines) {
		o := c.Hotlines[id]
		if o == h {
			break
		}
		if o.Spool.Send != "" && o.Spool.Receive != "" {
			dirs = append(dirs, o.Spool.Send, o.Spool.Receive)
		}
	}
	return dirs
}
