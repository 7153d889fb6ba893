package ledger

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/link"
	"liandong/routing/matter"
)

// An update that came before its matter is taken in when it is tried again, and leaves the list.
func TestRetry(t *testing.T) {
	mini := miniredis.RunT(t)
	l, _ := start(t, config(mini.Addr(), "a"))
	o, stub := newOffice(t, mini.Addr()), ids.New(time.Now())
	o.send(stub, "received")
	eventually(t, "it is refused", func() bool { return l.Stats().Dead == 1 })
	o.push(stub)
	cfg := link.Default()
	cfg.URL = config(mini.Addr(), "a").URL
	r, err := OpenRefused(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	list, err := r.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Reason != "unknown_matter" || list[0].Fields["stub_id"] != stub {
		t.Fatalf("%+v %v", list, err)
	}
	o.reaches(stub, matter.Pushed)
	if err := r.Retry(t.Context(), list[0]); err != nil {
		t.Fatal(err)
	}
	o.reaches(stub, matter.Received)
	if list, err = r.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}
