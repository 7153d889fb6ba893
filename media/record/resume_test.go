package record

import (
	"bytes"
	"os"
	"testing"
	"time"

	"liandong/media/codec"
)

// TestResume: a recording goes on in another process under its ref: what was said before and after is in its place, the
// time between is silence and a gap in the metadata, a pause goes on, and what else was left open is mended. Of what
// was said until then nothing is lost, of a sealed file less than a block. A torn end, of a crash, is cut off.
func TestResume(t *testing.T) {
	for _, torn := range []int{0, 7, 3000} {
		eachForm(t, func(t *testing.T, cfg Config) {
			first := open0(t, cfg, realDisk())
			one, lost := begin(t, first, "caller", "desk"), begin(t, first, "caller")
			before := talk(one, 200, codec.PCMA, codec.PCMA)
			at := one.Position()
			if at.Call.Ref != one.Ref() || at.Paused {
				t.Fatalf("position %+v", at)
			}
			first.Leave()
			e, _ := entryOf(cfg.Dir, one.Ref())
			tear(t, e.sound(), torn)

			time.Sleep(300 * time.Millisecond)
			cfg.Resumes = true
			for range 2 { // and once more
				second := open0(t, cfg, realDisk())
				again, err := second.Resume(at, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				second.Resumed()
				time.Sleep(time.Second)
				second.Leave()
				tear(t, e.sound(), torn)
				if at = again.Position(); !at.Began.Equal(one.began) {
					t.Errorf("it began at %v, and then at %v", one.began, at.Began)
				}
			}
			third := open0(t, cfg, realDisk())
			again, err := third.Resume(at, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			third.Resumed()
			resumed := time.Now()
			after := talk(again, 200, codec.PCMA, codec.PCMA)
			again.Stop(time.Now())
			settled(t, third)
			_, sound := listen(t, third, one.Ref())
			m, err := third.Meta(one.Ref())
			if err != nil {
				t.Fatal(err)
			}
			if m.Interrupted || m.Failure != "" || len(m.Gaps) != 3 || !m.Started.Equal(one.began) {
				t.Errorf("metadata %+v", m)
			}
			kept := samples(m.Gaps[0].From.Sub(m.Started))
			most := int64(0) // in good order, of a plain file
			switch {
			case torn > 0:
				most = window + 2*block
			case len(cfg.Keys) > 0:
				most = block
			}
			if lost := 4*8000 - kept; lost < 0 || lost > most {
				t.Errorf("%d samples are lost before the gap, %d may be", lost, most)
			}
			start := samples(resumed.Sub(m.Started))
			for c := range sound {
				if !bytes.Equal(sound[c][:kept], before[c][:kept]) {
					t.Errorf("channel %d: before the gap it is another sound", c)
				}
				if !bytes.Equal(sound[c][kept:start], gap(int(start-kept))) {
					t.Errorf("channel %d: something is heard in the gap", c)
				}
				if !bytes.Equal(sound[c][start:][:len(after[c])], after[c]) {
					t.Errorf("channel %d: after the gap it is another sound", c)
				}
			}
			if m, err := third.Meta(lost.Ref()); err != nil || !m.Interrupted {
				t.Errorf("what nobody goes on with: %+v, %v", m, err)
			}
		})
	}
}

// TestResumeRecalls: what the kernel has kept of the time without a process, and of the moment before it, comes later
// and finds its place, however much of it is there already: nothing is missing, and nothing is there twice.
func TestResumeRecalls(t *testing.T) {
	for _, torn := range []int{0, 3000} {
		eachForm(t, func(t *testing.T, cfg Config) {
			first := open0(t, cfg, realDisk())
			one := begin(t, first, "caller", "desk")
			said := [2][]byte{noise(1, 400*frame), noise(2, 400*frame)}
			start := time.Now()
			put := func(to *Recording, i int) {
				for c := range said {
					to.Put(c, codec.PCMA, uint32(i*frame), said[c][i*frame:][:frame],
						start.Add(time.Duration(i)*20*time.Millisecond))
				}
			}
			say := func(to *Recording, from, until int) {
				for i := from; i < until; i++ {
					put(to, i)
					time.Sleep(20 * time.Millisecond)
				}
			}
			say(one, 0, 200)
			at := one.Position()
			first.Leave()
			e, _ := entryOf(cfg.Dir, one.Ref())
			tear(t, e.sound(), torn)
			time.Sleep(400 * time.Millisecond)
			cfg.Resumes = true
			second := open0(t, cfg, realDisk())
			again, err := second.Resume(at, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			second.Resumed()
			time.Sleep(800 * time.Millisecond) // until it is known who is recorded
			for i := 160; i < 260; i++ {
				put(again, i)
			}
			say(again, 260, 400)
			again.Stop(time.Now())
			settled(t, second)
			_, sound := listen(t, second, one.Ref())
			for c := range sound {
				if !bytes.Equal(sound[c], said[c]) {
					t.Errorf("channel %d: %d bytes that are not the %d that were said", c, len(sound[c]), len(said[c]))
				}
			}
			m, err := second.Meta(one.Ref())
			if err != nil || m.Failure != "" || len(m.Gaps) != 1 || m.Channels[0].Misplaced != 0 {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}

// TestPauseIsExact: a packet that comes late is kept by when it was said, before a pause, in one or behind it, however
// many there have been meanwhile.
func TestPauseIsExact(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		one := begin(t, r, roles...)
		start, said := time.Now(), noise(1, 100*frame)
		for i := range 100 {
			switch i {
			case 23, 74:
				one.Pause(time.Now())
			case 63, 77:
				one.Resume(time.Now())
			}
			time.Sleep(20 * time.Millisecond)
			if i%20 == 19 {
				for k := i - 19; k <= i; k++ {
					one.Put(0, codec.PCMA, uint32(k*frame), said[k*frame:][:frame],
						start.Add(time.Duration(k)*20*time.Millisecond))
				}
			}
		}
		one.Stop(time.Now())
		settled(t, r)
		_, sound := listen(t, r, one.Ref())
		want := bytes.Clone(said)
		copy(want[23*frame:63*frame], gap(40*frame))
		copy(want[74*frame:77*frame], gap(3*frame))
		if !bytes.Equal(sound[0], want) {
			t.Error("it is not what was said outside of the pauses")
		}
	})
}

// TestResumeAfterPause: what was said in a pause that has ended is not in the file either when it comes to another
// process, which has it from the kernel; what was said beside the pause is.
func TestResumeAfterPause(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		first := open0(t, cfg, realDisk())
		one := begin(t, first, "caller")
		start, said := time.Now(), noise(1, 100*frame)
		put := func(to *Recording, i int) {
			to.Put(0, codec.PCMA, uint32(i*frame), said[i*frame:][:frame],
				start.Add(time.Duration(i)*20*time.Millisecond))
		}
		for i := range 100 {
			switch i {
			case 40, 93:
				one.Pause(time.Now())
			case 90, 96:
				one.Resume(time.Now())
			}
			put(one, i)
			time.Sleep(20 * time.Millisecond)
		}
		at := one.Position()
		first.leaving.Store(true) // as after a crash: nothing is written any more
		if err := first.lock.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Resumes = true
		second := open0(t, cfg, realDisk())
		again, err := second.Resume(at, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		second.Resumed()
		for i := range 100 {
			put(again, i)
		}
		again.Stop(time.Now())
		settled(t, second)
		_, sound := listen(t, second, one.Ref())
		want := bytes.Clone(said)
		copy(want[40*frame:90*frame], gap(50*frame))
		copy(want[93*frame:96*frame], gap(3*frame))
		if !bytes.Equal(sound[0], want) {
			t.Error("it is not what was said outside of the pauses")
		}
	})
}

// TestLastWords: what was said before a recording was stopped is in the file though it comes a moment later; what comes
// when the file is closed is counted, and what was said behind the end is neither.
func TestLastWords(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		one := begin(t, r, "caller")
		start, said := time.Now(), noise(1, 60*frame)
		put := func(from, until int) {
			for i := from; i < until; i++ {
				one.Put(0, codec.PCMA, uint32(i*frame), said[i*frame:][:frame],
					start.Add(time.Duration(i)*20*time.Millisecond))
			}
		}
		time.Sleep(600 * time.Millisecond)
		put(0, 30)
		time.Sleep(400 * time.Millisecond)
		one.Stop(time.Now())
		time.Sleep(lateness / 2)
		put(30, 60)
		settled(t, r)
		if n := one.dropped.Load(); n != 0 {
			t.Errorf("%d packets are dropped, want none", n)
		}
		put(40, 60)
		if n := one.dropped.Load(); n != 10 {
			t.Errorf("%d packets are dropped, want 10", n)
		}
		_, sound := listen(t, r, one.Ref())
		if !bytes.Equal(sound[0], said[:50*frame]) {
			t.Errorf("%d samples that are not the %d that were said", len(sound[0]), 50*frame)
		}
	})
}

// TestResumeAfterClockSet: the clock on the wall has been set by a year; the sound goes on where it was.
func TestResumeAfterClockSet(t *testing.T) {
	for _, step := range []time.Duration{-365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		eachForm(t, func(t *testing.T, cfg Config) {
			first := open0(t, cfg, realDisk())
			one := begin(t, first, "caller")
			talk(one, 200, codec.PCMA)
			at := one.Position()
			first.Leave()
			at.Began = at.Began.Add(step)
			cfg.Resumes = true
			second := open0(t, cfg, realDisk())
			again, err := second.Resume(at, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			second.Resumed()
			after := talk(again, 100, codec.PCMA)
			again.Stop(time.Now())
			settled(t, second)
			_, sound := listen(t, second, one.Ref())
			if n := len(sound[0]); n > 9*8000 {
				t.Fatalf("%d samples of seven seconds", n)
			}
			if !bytes.Contains(sound[0], after[0]) {
				t.Error("what was said after the gap is not there")
			}
		})
	}
}

// TestResumePaused: a pause goes on.
func TestResumePaused(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		first := open0(t, cfg, realDisk())
		one := begin(t, first, "caller")
		talk(one, 100, codec.PCMA)
		one.Pause(time.Now())
		at := one.Position()
		first.Leave()
		cfg.Resumes = true
		second := open0(t, cfg, realDisk())
		again, err := second.Resume(at, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		talk(again, 100, codec.PCMA)
		again.Stop(time.Now())
		settled(t, second)
		_, sound := listen(t, second, one.Ref())
		if rest := sound[0][2*8000:]; !bytes.Equal(rest, gap(len(rest))) {
			t.Error("what was said in the pause is there")
		}
		if m, err := second.Meta(one.Ref()); err != nil || len(m.Pauses) != 1 {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// tear appends what a crash leaves of a write.
func tear(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}
