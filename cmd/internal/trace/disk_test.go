package trace

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/media/record"
	"liandong/sip/capture"
)

func diskOf(t testing.TB, cfg DiskConfig) *Disk {
	t.Helper()
	if cfg.Keep == 0 {
		cfg.Keep, cfg.Max = time.Hour, 1<<30
	}
	d, err := OpenDisk(cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func keys(t testing.TB, text string) []record.Key {
	t.Helper()
	list, err := record.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// texts are the entries in one line each.
func texts2(all []capture.Entry) string {
	var b strings.Builder
	for _, e := range all {
		if e.Message != nil {
			fmt.Fprintf(&b, "%s %s %.12q\n", e.Message.CallID, e.Message.Remote, e.Message.Text)
		} else {
			fmt.Fprintf(&b, "%s\n", e.Note.Data)
		}
	}
	return b.String()
}

// What was kept is read by the process to come, sealed or not, whatever a crash has torn; with another key it is not,
// and without one nothing of it is on the disk in the clear.
func TestDiskOutlivesTheProcess(t *testing.T) {
	a, b := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	for _, sealed := range []bool{false, true} {
		t.Run(fmt.Sprint("sealed=", sealed), func(t *testing.T) {
			cfg := DiskConfig{Dir: t.TempDir()}
			if sealed {
				cfg.Keys = keys(t, a)
			}
			d := diskOf(t, cfg)
			early := said(-1, "a", "police", false, "INVITE before its password")
			early.Message.Ref = "" // it was not known whose it is
			want := append([]capture.Entry{early}, call()...)
			for _, e := range want {
				d.Put(e)
				d.Put(capture.Entry{Message: &capture.Message{
					At: start, Ref: "other", CallID: "x", Text: []byte("other"),
				}})
			}
			if got := texts2(d.Of("r", nil)); got != texts2(want) {
				t.Errorf("while it is written there is\n%s\nnot\n%s", got, texts2(want))
			}
			// the process ends here, without a word
			files, _ := filepath.Glob(filepath.Join(cfg.Dir, "*"))
			if len(files) != 1 {
				t.Fatal(files)
			}
			whole, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(whole, []byte("INVITE")) == sealed {
				t.Errorf("it stands in the clear: %v", !sealed)
			}
			if err := os.WriteFile(files[0], append(whole, 0, 0, 1, 0, 7), 0o600); err != nil { // torn
				t.Fatal(err)
			}
			if sealed {
				cfg.Keys = keys(t, b+" "+a) // the key was changed
			}
			next := diskOf(t, cfg)
			defer next.Stop()
			if got := texts2(next.Of("r", nil)); got != texts2(want) {
				t.Errorf("after it there is\n%s\nnot\n%s", got, texts2(want))
			}
			if none := next.Of("nobody", nil); none != nil {
				t.Errorf("of no call: %v", none)
			}
			d.Stop()
			if !sealed {
				return
			}
			cfg.Keys = keys(t, b)
			stranger := diskOf(t, cfg)
			defer stranger.Stop()
			if got := stranger.Of("r", nil); got != nil {
				t.Errorf("without the key there is %s", texts2(got))
			}
			whole[len(whole)-3] ^= 1
			if err := os.WriteFile(files[0], whole, 0o600); err != nil {
				t.Fatal(err)
			}
			cfg.Keys = keys(t, a)
			damaged := diskOf(t, cfg)
			defer damaged.Stop()
			if got := damaged.Of("other", nil); len(got) != len(want)-1 {
				t.Errorf("of a file whose end was changed %d entries are read", len(got))
			}
		})
	}
}

// A call that another switch has handed here is found after a restart by either name, with its messages, also those
// that came before it was known whose they are; another call that the same switch calls the same is not in it.
func TestDiskKnowsOtherNames(t *testing.T) {
	cfg := DiskConfig{Dir: t.TempDir()}
	note := func(ref, also, text string) capture.Entry {
		return capture.Entry{Note: &capture.Note{At: start, Ref: ref, Also: also, Data: []byte(text)}}
	}
	early := said(-1, "a", "gov", false, "INVITE")
	early.Message.Ref = ""
	message := said(1, "a", "gov", true, "SIP/2.0 180")
	message.Message.Ref = "ours"
	mine := []capture.Entry{early, note("ours", "theirs", "arrived"), note("theirs", "", "stub"), message}
	d := diskOf(t, cfg)
	others := []capture.Entry{note("another", "theirs2", "another's"), note("", "", "nobody's")}
	for _, e := range append(others, mine...) {
		d.Put(e)
	}
	d.Stop()
	next := diskOf(t, cfg)
	defer next.Stop()
	for _, ref := range []string{"ours", "theirs"} {
		if got := texts2(next.Of(ref, nil)); got != texts2(mine) {
			t.Errorf("by %s there is\n%s\nnot\n%s", ref, got, texts2(mine))
		}
	}
	if got := texts2(next.Of("theirs2", nil)); got != "another's\n" {
		t.Errorf("of another call: %s", got)
	}

	d = diskOf(t, cfg)
	defer d.Stop()
	d.Put(note("twin", "theirs", "twin's"))
	if got := texts2(d.Of("ours", nil)); got != texts2(mine) {
		t.Errorf("with a call of the same name there is\n%s\nnot\n%s", got, texts2(mine))
	}
}

// The files are no more than they may be, and what is too old is gone.
func TestDiskIsBounded(t *testing.T) {
	dir := t.TempDir()
	d := diskOf(t, DiskConfig{Dir: dir, Keep: time.Hour, Max: 3 * segmentSize})
	text := bytes.Repeat([]byte("x"), 60_000)
	for i := range 600 { // 36 MB
		d.Put(capture.Entry{Message: &capture.Message{
			At: start, Ref: fmt.Sprint(i), CallID: fmt.Sprint(i), Text: text,
		}})
		if i%50 == 0 {
			d.Of("", nil) // the disk is as fast as it is
		}
	}
	if got := d.Of("599", nil); len(got) != 1 || d.Of("0", nil) != nil {
		t.Errorf("the newest is there: %v", got != nil)
	}
	d.Stop()
	total := int64(0)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		info, _ := f.Info()
		total += info.Size()
	}
	size, dropped := d.Stats()
	if total > 4*segmentSize+1<<20 || size != total || dropped != 0 {
		t.Errorf("%d bytes in %d files, %d are counted, %d dropped", total, len(files), size, dropped)
	}
	old := time.Now().Add(-3 * time.Hour)
	for _, f := range files[:1] {
		if err := os.Chtimes(filepath.Join(dir, f.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	next := diskOf(t, DiskConfig{Dir: dir, Keep: time.Hour, Max: 1 << 30})
	defer next.Stop()
	<-next.ready
	if left, _ := os.ReadDir(dir); len(left) != len(files)-1 {
		t.Errorf("of %d files, one of which is too old, %d are left", len(files), len(left))
	}
}

// A machine begins with a wrong year just before midnight: no file goes by it, neither on that day nor by the processes
// after it. A clock that has run for a day is believed, and with the right year only what is old goes.
func TestDiskInAWrongYear(t *testing.T) {
	dir := t.TempDir()
	put := func(at time.Time) {
		path := filepath.Join(dir, fmt.Sprintf("%020d-0%s", at.UnixNano(), segmentExt))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	right := start.Truncate(24 * time.Hour)
	for day := range 5 {
		put(right.AddDate(0, 0, day))
	}
	files := func(wall time.Time, run time.Duration) int {
		d := &Disk{cfg: DiskConfig{Dir: dir, Keep: 5 * 24 * time.Hour, Max: 1 << 30}, ready: make(chan struct{}),
			log: slog.New(slog.DiscardHandler)}
		paths, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, path := range paths {
			s, err := readSegment(path)
			if err != nil {
				t.Fatal(err)
			}
			d.files = append(d.files, s)
		}
		d.aging.Found = daysOf(d.files)
		d.sweep(wall, 0)
		if run > 0 {
			d.sweep(wall.Add(run), run)
		}
		return len(d.files)
	}
	wrong := time.Date(right.Year()+12, 5, 1, 23, 50, 0, 0, time.UTC)
	for process := range 3 {
		wall := wrong.Add(time.Duration(process) * 20 * time.Minute)
		if n := files(wall, 10*time.Minute); n != 5+process {
			t.Fatalf("process %d: of %d files %d are left", process, 5+process, n)
		}
		put(wall)
	}
	if n := files(right.AddDate(0, 0, 5).Add(12*time.Hour), 0); n != 7 {
		t.Errorf("with the right year: %d files, want that the oldest has gone", n)
	}
	if n := files(wrong.AddDate(0, 0, 30), 25*time.Hour); n != 1 {
		t.Errorf("after a day: %d files, want the newest", n)
	}
}

// A disk that takes nothing holds up nobody.
func TestDiskNeverWaits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	d := diskOf(t, DiskConfig{Dir: dir})
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for range 2 * diskQueue {
		d.Put(call()[0])
	}
	d.Stop()
	if _, dropped := d.Stats(); dropped != 2*diskQueue {
		t.Errorf("%d are dropped", dropped)
	}
}
