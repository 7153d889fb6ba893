// Package location is what several switches know together of where the phones are: the location service of RFC 3261
// §10, kept in one place outside (the store) and by each switch in memory.
//
// A [Book] is one switch's part of it. It has no clock, no lock and no connection: it is told which REGISTERs this
// switch has accepted and which users others have changed, says what is to be exchanged with the store, and is given
// the answer, which is the store's whole state of a user. The store orders changes by [Binding.After], one user at a
// time.
package location

import (
	"maps"
	"slices"
	"time"
)

// Binding is one phone that answers for a user, or did. Times are those of whoever holds it; the store keeps lifetimes.
type Binding struct {
	User string
	Key  string // makes it the same phone when it registers again

	// The REGISTER that says so: RFC 3261 §10.3 step 7 orders those of one Call-ID.
	CallID string
	CSeq   uint32

	Gone    bool      // it answers no more; kept until all that is older would have ended, too
	Node    string    // the switch that has accepted the REGISTER
	Since   time.Time // when
	Expires time.Time
	Way     []byte // how the phone is reached, for the switches to read
}

// Same says that both come of one REGISTER.
func (b Binding) Same(o Binding) bool {
	return b.CallID == o.CallID && b.CSeq == o.CSeq && b.Gone == o.Gone
}

// After says that b takes the place of what the store has of the same phone: of one Call-ID the higher CSeq counts, and
// between two the later REGISTER. The store's clock may have been set back since: what it has from the future is old.
func (b Binding) After(had Binding, now time.Time) bool {
	if b.CallID == had.CallID {
		return b.CSeq > had.CSeq || b.CSeq == had.CSeq && b.Gone && !had.Gone
	}
	return b.Since.After(had.Since) || had.Since.After(now)
}

// Most is how many phones of a user are kept, with those that answer no more, which give way first.
const Most = 32

// Item is one exchange with the store about one user: its changes are made, if they are newer than what is there, and
// the state after them is answered.
type Item struct {
	User    string
	Changes []Binding
}

// News is a binding that another switch has changed, and what it takes the place of here; a zero Was: of nothing.
type News struct{ Now, Was Binding }

// noted is a binding as this switch knows it.
type noted struct {
	Binding
	unsent time.Time // since when the store is yet to have it; zero: it has it
}

// owed says that the store is to have it.
func (n *noted) owed(now time.Time) {
	if n.unsent.IsZero() {
		n.unsent = now
	}
}

// Book is one switch's part. Not safe for several goroutines.
type Book struct {
	known  map[string]map[string]*noted // by user and key
	unsent map[string]bool              // users of whom something is unsent
	unread map[string]bool              // users that others may have changed
	turn   []string                     // all users, in the order in which they are read again
	next   int                          // of turn
	last   string                       // of those with something unsent, who was asked about last
}

// NewBook is a book of these users, none of whom has a phone yet.
func NewBook(users []string) *Book {
	b := &Book{known: map[string]map[string]*noted{}, unsent: map[string]bool{}, unread: map[string]bool{}}
	b.Users(users)
	return b
}

// Users says who there is from now on. Of whom is gone nothing is written or read any more.
func (b *Book) Users(users []string) {
	b.turn, b.next = slices.Clone(users), 0
	there := map[string]bool{}
	for _, user := range users {
		if there[user] = true; b.known[user] == nil {
			b.known[user] = map[string]*noted{}
			b.unread[user] = true
		}
	}
	for user := range b.known {
		if !there[user] {
			delete(b.known, user)
			delete(b.unsent, user)
			delete(b.unread, user)
		}
	}
}

// Knew is what this switch knows from before a restart; what it has accepted meanwhile stays.
func (b *Book) Knew(now time.Time, list ...Binding) {
	for _, c := range list {
		if had := b.known[c.User][c.Key]; had == nil || !had.After(c, now) {
			b.Changed(now, c)
		}
	}
}

// Changed is a REGISTER that this switch has accepted.
func (b *Book) Changed(now time.Time, list ...Binding) {
	for _, c := range list {
		known := b.known[c.User]
		if known == nil {
			continue
		}
		known[c.Key] = &noted{c, now}
		b.unsent[c.User] = true
		for len(known) > Most {
			delete(known, slices.MinFunc(sorted(known), func(x, y string) int {
				return known[x].worth(known[y].Binding)
			}))
		}
	}
}

// worth orders bindings by how much is lost with them: of those that are gone nothing, of others the more the newer
// they are.
func (b Binding) worth(o Binding) int {
	if b.Gone != o.Gone {
		return map[bool]int{true: -1, false: 1}[b.Gone]
	}
	return b.Since.Compare(o.Since)
}

// Heard says that another switch has changed a user.
func (b *Book) Heard(user string) {
	if b.known[user] != nil {
		b.unread[user] = true
	}
}

// Joined says that the store is there again: anything may have been changed meanwhile.
func (b *Book) Joined() {
	for user := range b.known {
		b.unread[user] = true
	}
}

// Again has a part of the users read, one of so many, so that each is from time to time: what was missed comes so, and
// what the store has lost goes back to it.
func (b *Book) Again(parts int) {
	for range (len(b.turn) + parts - 1) / parts {
		b.unread[b.turn[b.next%len(b.turn)]] = true
		b.next++
	}
}

// Next is what is to be exchanged now, at most so many users, those first that the store is to learn something of, but
// a few places are for others. The answers go to Took, in this order, before Next is asked again; without one the same
// is asked again, when the others had their turn.
func (b *Book) Next(now time.Time, most int) (items []Item) {
	unsent := sorted(b.unsent)
	at, _ := slices.BinarySearch(unsent, b.last+"\x00")
	for _, user := range slices.Concat(unsent[at:], unsent[:at]) {
		if len(items) == max(1, most*3/4) {
			break
		}
		b.last = user
		item := Item{User: user}
		for _, key := range sorted(b.known[user]) {
			switch n := b.known[user][key]; {
			case n.unsent.IsZero():
			case now.Before(n.Expires):
				item.Changes = append(item.Changes, n.Binding)
			default:
				delete(b.known[user], key)
			}
		}
		items = append(items, item)
	}
	for _, user := range sorted(b.unread) {
		if len(items) == most {
			return items
		}
		if !b.unsent[user] {
			items = append(items, Item{User: user})
		}
	}
	return items
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// sent says that a binding was among the changes of an exchange.
func (i Item) sent(n Binding) bool {
	return slices.ContainsFunc(i.Changes, func(c Binding) bool { return c.Key == n.Key && c.Same(n) })
}

// Took is the store's state of a user after an exchange, by this switch's clock. What others have changed is news.
func (b *Book) Took(now time.Time, item Item, state []Binding) (news []News) {
	known := b.known[item.User]
	if known == nil {
		return nil
	}
	delete(b.unread, item.User)
	there := map[string]bool{}
	for _, s := range state {
		there[s.Key] = true
		n := known[s.Key]
		switch {
		case n == nil:
			known[s.Key] = &noted{Binding: s}
			news = append(news, News{Now: s})
		case n.Same(s):
			n.unsent = time.Time{}
		case n.After(s, now) && !item.sent(n.Binding):
			n.owed(now) // it has changed meanwhile, or the store has lost it
		default:
			known[s.Key] = &noted{Binding: s}
			news = append(news, News{s, n.Binding})
		}
	}
	for key, n := range known {
		switch {
		case there[key]:
		case item.sent(n.Binding), !now.Before(n.Expires): // it has ended, or there is no room for it
			delete(known, key)
		default:
			n.owed(now)
		}
	}
	b.settle(item.User)
	return news
}

// settle notes whether something of a user is unsent.
func (b *Book) settle(user string) {
	delete(b.unsent, user)
	for _, n := range b.known[user] {
		if !n.unsent.IsZero() {
			b.unsent[user] = true
		}
	}
}

// Lag is how long the store has lacked something that this switch knows; 0: it has all.
func (b *Book) Lag(now time.Time) (lag time.Duration) {
	for user := range b.unsent {
		for _, n := range b.known[user] {
			if !n.unsent.IsZero() {
				lag = max(lag, now.Sub(n.unsent))
			}
		}
	}
	return lag
}

// Size is how many bindings there are, of all switches, those that are gone left out.
func (b *Book) Size(now time.Time) (n int) {
	for _, list := range b.known {
		for _, k := range list {
			if !k.Gone && now.Before(k.Expires) {
				n++
			}
		}
	}
	return n
}
