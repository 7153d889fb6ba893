package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/matter"
)

// A caller's matters are remembered for both lines of each, the newest first and a bounded number, for no other line
// and no other caller; no Redis key tells the number.
func TestEarlier(t *testing.T) {
	mini := miniredis.RunT(t)
	l, _ := start(t, config(mini.Addr(), "a"))
	o := newOffice(t, mini.Addr())
	began := time.Now().Add(-time.Hour)
	var stubs []string
	for i := range mostEarlier + 2 {
		stubs = append(stubs, ids.New(began.Add(time.Duration(i)*time.Second)))
		o.push(stubs[i])
		o.reaches(stubs[i], matter.Pushed)
	}
	o.settled(stream12345)
	for _, line := range []string{"110", "12345"} {
		list, err := l.Earlier(t.Context(), line, "+8613812345678")
		if err != nil || len(list) != mostEarlier {
			t.Fatalf("%s: %d %v", line, len(list), err)
		}
		for i, m := range list {
			if want := stubs[len(stubs)-1-i]; m.StubID != want {
				t.Errorf("%s: %d is %s, want %s", line, i, m.StubID, want)
			}
		}
	}
	for _, other := range [][2]string{{"119", "+8613812345678"}, {"110", "+8613812345679"}} {
		if list, err := l.Earlier(t.Context(), other[0], other[1]); err != nil || len(list) != 0 {
			t.Errorf("%v: %v %v", other, list, err)
		}
	}
	for _, key := range mini.Keys() {
		if strings.HasPrefix(key, "liandong:caller:") && (strings.Contains(key, "5678") || mini.TTL(key) == 0) {
			t.Errorf("%s, for %v", key, mini.TTL(key))
		}
	}
}
