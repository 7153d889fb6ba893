package link

import (
	"context"
	"testing"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link/redistest"
)

// What is said on a channel is heard, after a Redis that has ended and come back, too; Close ends who listens.
func TestListen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	cfg := Default()
	cfg.URL = desk.NewSecret(server.URL())
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 100)
	l.Go(func(ctx context.Context) {
		l.Listen(ctx, "c", Hearing{Joined: func() { said <- "joined" }, Heard: func(p string) { said <- p },
			Deaf: func(error) { said <- "deaf" }})
		said <- "over"
	})
	next := func(want string) {
		t.Helper()
		for late := time.After(30 * time.Second); ; {
			select {
			case got := <-said:
				if got == want {
					return
				}
				if got != "deaf" {
					t.Fatalf("%q, want %q", got, want)
				}
			case <-late:
				t.Fatalf("never %q", want)
			}
		}
	}
	next("joined")
	server.Do("PUBLISH", "c", "one")
	next("one")
	server.Kill()
	next("deaf")
	server.Restart()
	next("joined")
	server.Do("PUBLISH", "c", "two")
	next("two")
	l.Close()
	next("over")
}
