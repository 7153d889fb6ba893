package app

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/journal"
	"liandong/routing/ticket"
	"liandong/sip/snapshot"
)

// An entry that the process before has not brought to its disk is put by the next, and then forgotten.
func TestEntryOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg, err := configs.Parse("x.yaml", []byte(fmt.Sprintf(`
networks: {office: {sip: {udp: 127.0.0.1:%d}, rtp: {address: 127.0.0.1, ports: 22000-22999}}}
hotlines: {110: {numbers: [110], partner: 12345}, 12345: {numbers: [12345], partner: 110}}
phones: {1101: {hotline: 110, password: calm-heron-1101}, 2101: {hotline: 12345, password: calm-heron-2101}}
redis: {url: "redis://127.0.0.1:1/0"}
outbox: {path: %s}
run_dir: %s
`, port(t), filepath.Join(dir, "outbox.db"), dir)), configs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := readJournal(t, cfg.Run().Journal)
	e := ticket.Entry{EventID: "01M8N5JYT53M69MBDQ51H5DT6V", StubID: "01M8N5J75CJG86FXQZW03KTMET",
		Event: ticket.Decided, To: "12345", From: "110", At: time.Now()}
	b, err := snapshot.Encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	j.Put(journal.Ticket, e.EventID, b)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	a, err := prepare(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.openJournal(cfg.Run(), 0)
	if err := a.build(cfg); err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Stop)
	for end := time.Now().Add(20 * time.Second); len(a.journal.All(journal.Ticket)) > 0; time.Sleep(
		10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the entry is still in the journal")
		}
	}
	if n := a.stores.all[0].outbox.Stats().Waiting; n != 1 {
		t.Errorf("%d entries wait in the outbox", n)
	}
}

// readJournal opens a journal without a lock.
func readJournal(t *testing.T, path string) *journal.Journal {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	j, err := journal.Open(f)
	if err != nil {
		t.Skip(err) // only on Linux
	}
	return j
}
