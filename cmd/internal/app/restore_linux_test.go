package app

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"liandong/configs"
	"liandong/routing/journal"
)

// Process after process has died: the calls are put aside, and no more than they; when that does not help, all of it. A
// file is put in the place of the one before.
func TestCallsAreGivenUp(t *testing.T) {
	dir := t.TempDir()
	run := configs.Run{Dir: dir, Journal: filepath.Join(dir, "journal")}
	kinds := []journal.Kind{journal.Call, journal.Letter, journal.Key, journal.Registration, journal.Missed,
		journal.Ticket, journal.Subscription, journal.Seat}
	first := readJournal(t, run.Journal)
	for _, k := range kinds {
		first.Put(k, "a key", []byte{byte(k)})
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		row          int
		left, aside  int // kinds
		brings       bool
		firstIsAside journal.Kind
	}{
		{row: crashes - 1, left: len(kinds)},
		{row: crashes, left: len(kinds) - 3, aside: 3, firstIsAside: journal.Call},
		{row: crashes + 1, left: len(kinds) - 3, aside: 3, firstIsAside: journal.Call},
		{row: crashes + 1, left: len(kinds) - 3, aside: 1, brings: true, firstIsAside: journal.Key},
		{row: manyCrashes, left: 0, aside: len(kinds) - 3, firstIsAside: journal.Registration},
		{row: manyCrashes + 1, left: 0, aside: len(kinds) - 3, firstIsAside: journal.Registration},
	} {
		if tt.brings {
			j := readJournal(t, run.Journal)
			j.Put(journal.Key, "another", nil)
			_ = j.Close()
		}
		a := &App{log: slog.New(slog.DiscardHandler)}
		a.openJournal(run, tt.row)
		if n := count(a.journal, kinds); n != tt.left {
			t.Errorf("after %d crashes %d kinds are left, want %d", tt.row, n, tt.left)
		}
		_ = a.journal.Close()
		unlock(t, run.Journal)
		files, err := fs.Glob(os.DirFS(dir), "journal*")
		if want := 1 + min(tt.aside, 1); err != nil || len(files) != want {
			t.Fatalf("after %d crashes: %v %v", tt.row, files, err)
		}
		if tt.aside == 0 {
			continue
		}
		info, err := os.Stat(run.Journal + ".aside")
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		aside := readJournal(t, run.Journal+".aside")
		if n := count(aside, kinds); n != tt.aside || len(aside.All(tt.firstIsAside)) == 0 {
			t.Errorf("after %d crashes %d kinds are aside, want %d", tt.row, n, tt.aside)
		}
		for _, e := range aside.All(journal.Call) {
			if !bytes.Equal(e.Value, []byte{byte(journal.Call)}) {
				t.Errorf("the call is %v", e.Value)
			}
		}
		_ = aside.Close()
	}
}

// unlock puts a copy in the place of a file that this process has locked.
func unlock(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// count is how many kinds have values.
func count(j *journal.Journal, kinds []journal.Kind) (n int) {
	for _, k := range kinds {
		n += min(len(j.All(k)), 1)
	}
	return n
}

// Of the journals that older versions have put aside the newest is left.
func TestOldJournalsAreCleared(t *testing.T) {
	for _, aside := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "journal")
		for _, name := range []string{".1700000000", ".1800000000", ".1750000000", ".other"} {
			if err := os.WriteFile(path+name, []byte(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want := ".1800000000"
		if aside {
			want = "newer"
			if err := os.WriteFile(path+".aside", []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		clearOld(path, path+".aside")
		files, err := fs.Glob(os.DirFS(dir), "*")
		if err != nil || !slices.Equal(files, []string{"journal.aside", "journal.other"}) {
			t.Errorf("%v %v", files, err)
		}
		if text, err := os.ReadFile(path + ".aside"); string(text) != want {
			t.Errorf("%q %v is left", text, err)
		}
	}
}
