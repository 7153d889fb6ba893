package location

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func bound(user, key string, cseq uint32, since time.Time) Binding {
	return Binding{User: user, Key: key, CallID: "c", CSeq: cseq, Since: since, Expires: since.Add(time.Hour)}
}

// A REGISTER that comes while a switch begins is not undone by what the switch knew before.
func TestKnewIsOlder(t *testing.T) {
	now := time.Unix(1000, 0)
	b := NewBook([]string{"1101"})
	b.Changed(now, bound("1101", "phone", 7, now))
	b.Knew(now, bound("1101", "phone", 6, now.Add(-time.Minute)), bound("1101", "other", 1, now.Add(-time.Minute)))
	items := b.Next(now, 10)
	if len(items) != 1 || len(items[0].Changes) != 2 || items[0].Changes[1].CSeq != 7 {
		t.Errorf("%+v", items)
	}
}

// Users of whom the store takes nothing, a shard that is away, do not keep it from those of others for ever.
func TestAllHaveTheirTurn(t *testing.T) {
	now := time.Unix(1000, 0)
	var users []string
	for i := range 40 {
		users = append(users, fmt.Sprint(1100+i))
	}
	b := NewBook(users)
	for i, user := range users {
		if i < 30 {
			b.Changed(now, bound(user, "phone", 1, now))
		}
	}
	asked := map[string]bool{}
	for range 10 { // nobody answers
		items := b.Next(now, 8)
		if len(items) > 8 {
			t.Fatalf("%d at once", len(items))
		}
		for _, item := range items {
			asked[item.User] = true
		}
	}
	for _, user := range users[:30] {
		if !asked[user] {
			t.Errorf("%s has had no turn", user)
		}
	}
	if !slices.ContainsFunc(users[30:], func(user string) bool { return asked[user] }) {
		t.Error("nobody is read while something is unsent")
	}
}

// A user's phones are bounded while the store is away: those that are gone give way first, then the oldest.
func TestBookIsBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	b := NewBook([]string{"1101"})
	b.Changed(now, bound("1101", "desk", 1, now.Add(-time.Hour/2)))
	for i := range 2 * Most {
		gone := bound("1101", fmt.Sprint("gone ", i), 1, now.Add(time.Duration(i)*time.Second))
		gone.Gone = true
		b.Changed(now, gone)
	}
	items := b.Next(now, 1)
	if n := len(items[0].Changes); n != Most {
		t.Errorf("%d are kept", n)
	}
	if !slices.ContainsFunc(items[0].Changes, func(b Binding) bool { return b.Key == "desk" }) {
		t.Error("the phone that answers has given way")
	}
}
