package outbox_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/routing/desk"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// An entry is on disk before anybody is told so, and in its stream soon after.
func Example() {
	dir, err := os.MkdirTemp("", "outbox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server, err := miniredis.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	cfg := outbox.Default()
	cfg.Path = filepath.Join(dir, "outbox.db")
	cfg.URL = desk.NewSecret("redis://" + server.Addr() + "/0")
	o, err := outbox.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	o.Start()
	defer o.Stop()
	e := ticket.Entry{EventID: "01M85E0AZ1CD2HSYZ861S87MBW", StubID: "01M85E0AZ1CD2HSYZ85ZB5PVQ2", Event: ticket.Opened,
		From: "110", To: "12345", At: time.Now()}
	onDisk := make(chan error)
	o.Put(e, func(err error) { onDisk <- err })
	fmt.Println("on disk:", <-onDisk)
	for o.Stats().Shipped == 0 {
		time.Sleep(time.Millisecond)
	}
	entries, err := server.Stream(e.Stream())
	fmt.Println(e.Stream(), len(entries), err)
	// Output:
	// on disk: <nil>
	// liandong:tickets:12345 1 <nil>
}
