package news

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever is done to them, fields are what a map is by which the same was done, in order.
func TestFields(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		is, want := Fields(nil), map[string]string{}
		if r.IntN(2) == 0 {
			is, want = Of(Field{"d", "1"}, Field{"a", "2"}, Field{"c", ""}), map[string]string{"a": "2", "c": "", "d": "1"}
		}
		for range r.IntN(20) {
			name, value := string(rune('a'+r.IntN(6))), fmt.Sprint(r.IntN(3))
			if r.IntN(4) == 0 {
				is.Drop(name)
				delete(want, name)
			} else {
				is.Set(name, value)
				want[name] = value
			}
			if is.Get(name) != want[name] {
				t.Fatalf("%s of %v, want %v", name, is, want)
			}
		}
		if !maps.Equal(is.Map(), want) || !slices.Equal(is, From(want)) {
			t.Fatalf("%v, want %v", is, want)
		}
	}
}
