package record

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"liandong/media/codec"
)

// narrow is a disk with room for so many bytes in each file; what does not fit is written by half.
type narrow struct {
	file
	room *atomic.Int64
}

func (n narrow) WriteAt(b []byte, off int64) (int, error) {
	if room := n.room.Load(); off+int64(len(b)) > room {
		written, err := n.file.WriteAt(b[:max(0, min(int64(len(b)), room-off))], off)
		if err == nil {
			err = syscall.ENOSPC
		}
		return written, err
	}
	return n.file.WriteAt(b, off)
}

// A full disk ends a recording, with what was written before; the next one is tried again.
func TestDiskFull(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		d := realDisk()
		var room atomic.Int64
		d.create = func(path string) (file, error) {
			f, err := create(path)
			return narrow{f, &room}, err
		}
		r := open0(t, cfg, d)
		room.Store(100_000)
		one := begin(t, r, roles...)
		said := talk(one, 500, codec.PCMA)
		synctest.Wait()
		if s := r.Stats(); s.On != 0 || s.Failures != 1 {
			t.Fatalf("%+v", s)
		}
		talk(one, 10, codec.PCMA) // nobody minds
		one.Stop(time.Now())
		_, sound := listen(t, r, one.Ref())
		if n := len(sound[0]); n < 100_000/3-2*block || !bytes.Equal(sound[0], said[0][:n]) {
			t.Errorf("%d samples are left", n)
		}
		m, err := r.Meta(one.Ref())
		if err != nil || !strings.Contains(m.Failure, "no space") || m.Ended.IsZero() || m.Interrupted {
			t.Errorf("%+v, %v", m, err)
		}

		room.Store(0) // not even a header
		none := begin(t, r, roles...)
		talk(none, 10, codec.PCMA)
		none.Stop(time.Now())
		settled(t, r)

		room.Store(1 << 40)
		next := begin(t, r, roles...)
		said = talk(next, 100, codec.PCMA)
		next.Stop(time.Now())
		settled(t, r)
		_, sound = listen(t, r, next.Ref())
		begins(t, "with room again", sound[0], said[0])
		if s := r.Stats(); s.Failures != 2 || s.Closed != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// A directory that cannot be written to costs recordings, not calls.
func TestNoFileCanBeMade(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		d := realDisk()
		d.create = func(string) (file, error) { return nil, os.ErrPermission }
		r := open0(t, cfg, d)
		one := begin(t, r, roles...)
		talk(one, 50, codec.PCMA)
		one.Stop(time.Now())
		settled(t, r)
		if s := r.Stats(); s.Failures != 1 || s.On != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// stale puts a closed recording of some age into a directory.
func stale(t *testing.T, dir string, age time.Duration, size int) string {
	t.Helper()
	ref := newRef(time.Now().Add(-age))
	e, err := entryOf(dir, ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(e.path), dirPerm); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.path+extPlain, make([]byte, size), filePerm); err != nil {
		t.Fatal(err)
	}
	if err := writeMeta(e.path+extMeta, Meta{Ref: ref, Started: e.at, Ended: e.at.Add(time.Minute)},
		false); err != nil {
		t.Fatal(err)
	}
	return ref
}

func has(r *Recorder, ref string) bool {
	_, err := r.Meta(ref)
	return err == nil
}

const day = 24 * time.Hour

func TestDeletedForAge(t *testing.T) {
	cfg := usual()
	cfg.Dir, cfg.Days = t.TempDir(), 30
	synctest.Test(t, func(t *testing.T) {
		old, edge, young := stale(t, cfg.Dir, 40*day, 10), stale(t, cfg.Dir, 30*day-time.Hour, 10),
			stale(t, cfg.Dir, day, 10)
		r := open0(t, cfg, realDisk())
		synctest.Wait()
		if has(r, old) || !has(r, edge) || !has(r, young) {
			t.Errorf("at once: old %v, edge %v, young %v", has(r, old), has(r, edge), has(r, young))
		}
		if days, _ := days(cfg.Dir); len(days) != 2 {
			t.Errorf("an empty day is left: %v", days)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if has(r, edge) || !has(r, young) {
			t.Errorf("two hours later: edge %v, young %v", has(r, edge), has(r, young))
		}
		if s := r.Stats(); s.DeletedAge != 2 || s.DeletedShare != 0 || s.Taken != 10 || s.Errors != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// A wall clock that is set a year ahead costs no recording, not even at the start of the process; when it is set back
// all is as before.
func TestClockAheadDeletesNothing(t *testing.T) {
	cfg := usual()
	cfg.Dir, cfg.Days = t.TempDir(), 30
	for _, ahead := range []time.Duration{2 * time.Hour, 365 * day} {
		synctest.Test(t, func(t *testing.T) {
			kept := []string{stale(t, cfg.Dir, 29*day, 10), stale(t, cfg.Dir, 2*day, 10), stale(t, cfg.Dir, day, 10)}
			step := atomic.Int64{}
			d := realDisk()
			d.now = func() time.Time { return time.Now().Add(time.Duration(step.Load())) }
			for range 2 { // in a process, and in the next
				r := open0(t, cfg, d)
				time.Sleep(time.Hour)
				step.Store(int64(ahead))
				time.Sleep(time.Hour)
				synctest.Wait()
				for _, ref := range kept {
					if !has(r, ref) {
						t.Errorf("%v ahead: %s is gone", ahead, ref)
					}
				}
				r.Stop()
			}
		})
	}
}

// A machine begins just before midnight with a wrong year and records a call: at midnight that day says nothing of the
// year, neither to this process nor to the next. It is believed when it has stood for a day.
func TestWrongYearOverMidnight(t *testing.T) {
	cfg := usual()
	cfg.Dir, cfg.Days = t.TempDir(), 30
	synctest.Test(t, func(t *testing.T) {
		var kept []string
		for i := range 29 {
			kept = append(kept, stale(t, cfg.Dir, time.Duration(29-i)*day, 10))
		}
		ahead := 36*365*day - 10*time.Minute
		d := realDisk()
		d.now = func() time.Time { return time.Now().Add(ahead) }
		all := func(r *Recorder, when string) {
			t.Helper()
			synctest.Wait()
			for _, ref := range kept {
				if !has(r, ref) {
					t.Fatalf("%s: %s is gone", when, ref)
				}
			}
		}
		r := open0(t, cfg, d)
		stale(t, cfg.Dir, -ahead, 10)
		time.Sleep(30 * time.Minute)
		all(r, "at midnight")
		r.Stop()
		r = open0(t, cfg, d)
		time.Sleep(23 * time.Hour)
		all(r, "in the next process")
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if has(r, kept[0]) {
			t.Error("after a day it is not believed")
		}
	})
}

// The oldest go first, no more than must, and never one that goes on.
func TestDeletedForRoom(t *testing.T) {
	cfg := usual()
	cfg.Dir, cfg.Days, cfg.MaxShare = t.TempDir(), 0, 10
	synctest.Test(t, func(t *testing.T) {
		d := realDisk()
		d.size = func(string) (int64, error) { return 10_000_000, nil } // so that 1 MB may be taken
		var refs []string
		for i := range 6 {
			refs = append(refs, stale(t, cfg.Dir, time.Duration(60-i)*day, 300_000))
		}
		r := open0(t, cfg, d)
		synctest.Wait()
		for i, ref := range refs {
			if has(r, ref) != (i >= 3) {
				t.Errorf("recording %d of 6 is there: %v", i+1, has(r, ref))
			}
		}
		one := begin(t, r, roles...)
		talk(one, 100*50, codec.PCMA, codec.PCMA, codec.PCMA) // 100 s: 2.4 MB
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.Stats(); s.DeletedShare != 6 || s.On != 1 || s.Share < 0.2 {
			t.Errorf("%+v", s)
		}
		if !has(r, one.Ref()) {
			t.Error("a recording that goes on is deleted")
		}
		one.Stop(time.Now())
		time.Sleep(2 * time.Minute)
		if s := r.Stats(); s.Taken != 0 || s.DeletedShare != 7 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// A sidecar without sound, sound without a sidecar, a file of a few bytes: all are closed and
// none stops the start.
func TestMendsAnything(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		key := someKey(t, 1)
		file, sound := vault(t, key, newRef(time.Now()), 3, block*9)
		for name, torn := range map[string]map[string][]byte{
			"metadata alone":  {extOpen: []byte(`{"ref":"x"}`)},
			"metadata torn":   {extOpen: []byte(`{"re`), extPlain: header(3, 0)},
			"sound alone":     {extPlain: append(header(3, 0), noise(1, 1000)...)},
			"no header":       {extPlain: []byte("RIFF")},
			"nothing":         {extPlain: nil},
			"sealed, nothing": {extSealed: nil},
			"sealed, other's": {extSealed: file},
			"temporary":       {extOpen + ".tmp": []byte("x")},
			"closed and open": {extPlain: append(header(3, 6), noise(1, 6)...), extOpen: []byte("{}"),
				extMeta: []byte("{}")},
			"sealed, cut":      {extSealed: file[:len(file)-20]},
			"header of a lie":  {extPlain: append(header(3, 1<<31), noise(2, 60)...)},
			"odd bytes at end": {extPlain: append(header(3, 0), noise(3, 61)...)},
		} {
			ref := newRef(time.Now())
			e, _ := entryOf(cfg.Dir, ref)
			if err := os.MkdirAll(filepath.Dir(e.path), dirPerm); err != nil {
				t.Fatal(err)
			}
			for ext, b := range torn {
				if err := os.WriteFile(e.path+ext, b, filePerm); err != nil {
					t.Fatal(err)
				}
			}
			r := open0(t, cfg, realDisk())
			r.Stop()
			if _, err := os.Stat(e.path + extOpen); err == nil || !has(r, ref) {
				t.Errorf("%s: left open", name)
			}
			if p, err := r.Open(ref); err == nil {
				b := make([]byte, p.Size())
				if _, err := p.ReadAt(b, 0); err == nil {
					channelsIn(t, b)
				}
				_ = p.Close()
			}
		}
		_ = sound
	})
}
