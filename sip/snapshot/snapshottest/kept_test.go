package snapshottest

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

type inner struct {
	At   time.Time
	Name string `json:"its_name"`
}

type state struct {
	inner
	List   []inner
	By     map[string]*inner
	Next   *state
	Passed string `cbor:"-"`
}

// All that is exported is filled, once where it contains itself, and what is lost is named.
func TestKept(t *testing.T) {
	Kept[state](t)
	var full state
	f := filler{deep: map[reflect.Type]int{}}
	f.fill(reflect.ValueOf(&full).Elem())
	if len(full.List) != 1 || full.List[0].Name == "" || len(full.By) != 1 || full.Next != nil || full.Passed != "" {
		t.Fatalf("%+v", full)
	}
	less := full
	less.List = []inner{{At: full.List[0].At}}
	at := differ(reflect.ValueOf(full), reflect.ValueOf(less), "state")
	if !slices.Equal(at, []string{"state.List.Name"}) {
		t.Errorf("%q is lost", at)
	}
}
