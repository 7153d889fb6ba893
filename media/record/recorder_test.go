package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// Each party on its own channel, A-law bit by bit, and metadata that fits.
func TestRecording(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		began := time.Now()
		one := begin(t, r, roles...)
		said := talk(one, 517, codec.PCMA, codec.PCMU, codec.PCMA)
		one.Stop(time.Now())
		settled(t, r)

		wav, sound := listen(t, r, one.Ref())
		if len(sound) != 3 {
			t.Fatalf("%d channels", len(sound))
		}
		mu := make([]byte, len(said[1]))
		codec.Transcode(codec.PCMA, mu, codec.PCMU, said[1])
		begins(t, "caller", sound[0], said[0])
		begins(t, "desk, µ-law", sound[1], mu)
		begins(t, "partner", sound[2], said[2])
		if n := len(sound[0]); n != 517*frame {
			t.Errorf("%d samples of a call of %d", n, 517*frame)
		}

		m, err := r.Meta(one.Ref())
		if err != nil {
			t.Fatal(err)
		}
		e, _ := entryOf(cfg.Dir, one.Ref())
		stored, err := os.ReadFile(e.sound())
		if err != nil {
			t.Fatal(err)
		}
		if m.SHA256 != digest(stored) || m.WAVSHA256 != digest(wav) || m.Bytes != int64(len(stored)) {
			t.Errorf("hashes or length are wrong: %+v", m)
		}
		if (len(cfg.Keys) > 0) == bytes.Equal(stored, wav) {
			t.Error("a file is sealed when it should not be, or not when it should")
		}
		if len(cfg.Keys) > 0 && (m.KeyID != cfg.Keys[0].ID() || bytes.Contains(stored, said[0][:24])) {
			t.Errorf("sealed with key %q, or not at all", m.KeyID)
		}
		if !m.Started.Equal(began) || m.Ended.Sub(m.Started) != 517*20*time.Millisecond || m.Interrupted ||
			m.Failure != "" || m.Dropped != 0 {
			t.Errorf("%+v", m)
		}
		if len(m.Channels) != 3 || m.Channels[1] != (Channel{Role: "desk", Packets: 517}) {
			t.Errorf("channels %+v", m.Channels)
		}
	})
}

// Wideband is heard in the band of a telephone, at its place; another codec in the middle of a
// call begins where the first one ends.
func TestWideband(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		one := begin(t, r, roles...)
		const packets = 200
		wide, narrow := chord(pcm.WideRate, packets*2*frame), chord(pcm.Rate, packets*frame)
		encoder := codec.NewEncoder(codec.G722)
		payload := make([]byte, frame)
		for i := range packets {
			id := codec.G722
			if i < packets/2 {
				encoder.Encode(payload, wide[i*2*frame:][:2*frame])
			} else {
				id = codec.PCMU
				codec.Encode(id, payload, narrow[i*frame:][:frame])
			}
			one.Put(2, id, uint32(i*frame), payload, time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		one.Stop(time.Now())
		settled(t, r)
		_, sound := listen(t, r, one.Ref())
		got := make([]int16, len(sound[2]))
		codec.Decode(codec.PCMA, got, sound[2])
		for name, part := range map[string]struct {
			at, latest int
			least      float64
			// the bands of G.722 and the filter take 3 ms and a bit
		}{"G.722": {2000, 35, 0.85}, "µ-law": {packets/2*frame + 2000, 0, 0.99}} {
			lag, c := pcm.Correlate(narrow[part.at:part.at+8000], got[part.at:part.at+8000], 60)
			if c < part.least || lag < 0 || lag > part.latest {
				t.Errorf("%s: correlation %.3f at a lag of %d samples", name, c, lag)
			}
		}
		if m, err := r.Meta(one.Ref()); err != nil || m.Channels[2].Resyncs != 0 || m.Dropped != 0 {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// chord is tones that beat, so that no lag but the right one fits.
func chord(rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		for _, hz := range []float64{311, 397, 541, 733, 947, 1223, 1511, 2003} {
			out[i] += int16(1500 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
		}
	}
	return out
}

func digest(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// What is there of a call that goes on can be played, by us and, plain, by anybody.
func TestPlayWhileItGrows(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		one := begin(t, r, roles...)
		said := talk(one, 500, codec.PCMA)
		synctest.Wait()
		_, sound := listen(t, r, one.Ref())
		if have := len(sound[0]); have < 500*frame-window-2*block || !bytes.Equal(sound[0], said[0][:have]) {
			t.Errorf("%d samples can be played", have)
		}
		if m, err := r.Meta(one.Ref()); err != nil || !m.Ended.IsZero() || m.CallRef == "" {
			t.Errorf("metadata %+v, %v", m, err)
		}
		if e, _ := entryOf(cfg.Dir, one.Ref()); len(cfg.Keys) == 0 {
			b, err := os.ReadFile(e.path + extPlain)
			if err != nil {
				t.Fatal(err)
			}
			begins(t, "the file itself", channelsIn(t, b)[0], said[0][:len(sound[0])])
		}
	})
}

func TestPauseIsSilenceAndNoted(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		one := begin(t, r, roles...)
		said := talk(one, 100, codec.PCMA)
		one.Pause(time.Now())
		one.Pause(time.Now())
		paused := time.Now()
		talk(one, 100, codec.PCMA)
		one.Resume(time.Now())
		one.Resume(time.Now())
		for i := range 50 {
			one.Put(0, codec.PCMA, uint32((200+i)*frame), said[0][i*frame:][:frame], time.Now())
			time.Sleep(20 * time.Millisecond)
		}
		one.Pause(time.Now())
		one.Stop(time.Now())
		settled(t, r)
		_, sound := listen(t, r, one.Ref())
		begins(t, "caller", sound[0], append(append(append([]byte{}, said[0]...), gap(100*frame)...),
			said[0][:50*frame]...))
		m, err := r.Meta(one.Ref())
		if err != nil || len(m.Pauses) != 2 || !m.Pauses[0].From.Equal(paused) ||
			m.Pauses[0].To.Sub(paused) != 2*time.Second || !m.Pauses[1].To.IsZero() {
			t.Errorf("pauses %+v, %v", m.Pauses, err)
		}
	})
}

// Nobody but the switch's user reads what is on the disk.
func TestModes(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		cfg.Dir = filepath.Join(cfg.Dir, "recordings")
		r := open0(t, cfg, realDisk())
		one := begin(t, r, roles...)
		talk(one, 60, codec.PCMA)
		check := func() (files int) {
			err := filepath.WalkDir(cfg.Dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				want := fs.FileMode(0o600)
				if d.IsDir() {
					want = fs.ModeDir | 0o700
				}
				if err == nil && info.Mode() != want {
					t.Errorf("%s is %v, want %v", path, info.Mode(), want)
				}
				files++
				return err
			})
			if err != nil {
				t.Error(err)
			}
			return files
		}
		during := check()
		one.Stop(time.Now())
		settled(t, r)
		if after := check(); during != 5 || after != 5 { // two directories, lock, sound, metadata
			t.Errorf("%d files while it grows, %d when it is closed", during, after)
		}
	})
}

// A writer that is behind costs packets, which are counted, and no time.
func TestFullRingDropsAndCounts(t *testing.T) {
	one := &Recording{call: Call{Channels: roles}, began: time.Now(), wake: func() {}, line: newTimeline(3)}
	sound := noise(1, frame)
	for i := range 1000 {
		one.Put(0, codec.PCMA, uint32(i*frame), sound, one.began)
	}
	room := uint64(ringBytes / (slotHeader + frame))
	if got := one.dropped.Load(); got != 1000-room {
		t.Errorf("%d packets dropped, room is for %d of 1000", got, room)
	}
}

func TestPutOfNonsense(t *testing.T) {
	one := &Recording{call: Call{Channels: roles}, began: time.Now(), wake: func() {}, line: newTimeline(3)}
	for _, bad := range []struct {
		channel, size int
	}{{-1, 160}, {3, 160}, {0, 0}, {0, maxPayload + 1}} {
		before := one.dropped.Load()
		one.Put(bad.channel, codec.PCMA, 0, make([]byte, bad.size), one.began)
		if one.dropped.Load() != before+1 {
			t.Errorf("channel %d with %d bytes is taken", bad.channel, bad.size)
		}
	}
}

func TestPutDoesNotAllocate(t *testing.T) {
	one := &Recording{call: Call{Channels: roles}, began: time.Now(), wake: func() {}, line: newTimeline(3)}
	sound := noise(1, frame)
	var scratch [maxPayload]byte
	for name, make := range map[string]func(){"with room": func() { one.ring.take(&scratch) }, "full": func() {}} {
		got := testing.AllocsPerRun(1000, func() {
			one.Put(1, codec.PCMA, 0, sound, one.began)
			make()
		})
		if got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	cfg := usual()
	cfg.Dir = t.TempDir()
	r := open0(t, cfg, realDisk())
	now := time.Now()
	for _, ref := range []string{"", "x", "../../../../etc/passwd0000", "01HTHGQ7X0000000000000000U"} {
		if _, err := r.Start(Call{Ref: ref, Channels: roles}, now); !errors.Is(err, ErrRef) {
			t.Errorf("start %q: %v", ref, err)
		}
		if _, err := r.Open(ref); !errors.Is(err, ErrRef) {
			t.Errorf("open %q: %v", ref, err)
		}
		if _, err := r.Meta(ref); !errors.Is(err, ErrRef) {
			t.Errorf("metadata of %q: %v", ref, err)
		}
	}
	ref := newRef(now)
	if _, err := r.Open(ref); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.Meta(ref); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := r.Start(Call{Ref: ref}, now); err == nil {
		t.Error("a recording without channels begins")
	}
	if _, err := r.Start(Call{Ref: ref, Channels: roles}, now); err != nil {
		t.Error(err)
	}
	if _, err := r.Start(Call{Ref: ref, Channels: roles}, now); err == nil {
		t.Error("two recordings of one ref")
	}
	if _, err := New(cfg, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrInUse) {
		t.Errorf("a second recorder in the same directory: %v", err)
	}
	r.Stop()
	if _, err := r.Start(Call{Ref: newRef(now), Channels: roles}, now); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Stop closes what goes on: nothing is left for mending.
func TestStopClosesAll(t *testing.T) {
	eachForm(t, func(t *testing.T, cfg Config) {
		r := open0(t, cfg, realDisk())
		var refs []string
		for range 5 {
			one := begin(t, r, roles...)
			talk(one, 10, codec.PCMA)
			refs = append(refs, one.Ref())
		}
		r.Stop()
		for _, ref := range refs {
			if m, err := r.Meta(ref); err != nil || m.Ended.IsZero() || m.Interrupted || m.SHA256 == "" {
				t.Errorf("%+v, %v", m, err)
			}
		}
	})
}

func TestConfig(t *testing.T) {
	err := Config{Days: -1, MaxShare: 101, Keys: []Key{{}, someKey(t, 1), someKey(t, 1)}}.Validate()
	for _, want := range []string{"dir: must", "days: must be 0 (for ever) to 36500",
		"max_share: must be 0 (no limit) to 100 percent", "key: must not be all zeros", "key: is there twice"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestKeys(t *testing.T) {
	const hexa = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	keys, err := ParseKeys(hexa + "\n" + "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n")
	if err != nil || len(keys) != 2 || keys[0].secret[31] != 0x1f || keys[1].secret[0] != 0x20 {
		t.Fatal(keys, err)
	}
	for _, bad := range []string{"", " \n", "secret", hexa[2:], hexa + "00", hexa[1:] + "x"} {
		_, err := ParseKeys(bad)
		if !errors.Is(err, ErrKeyForm) || len(bad) > 3 && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", keys[0])
	if text := log.String() + fmt.Sprintf("%v %+v %#v %s", keys[0], keys[0], keys[0], keys[0]); strings.Contains(text,
		"0102") || strings.Contains(text, "1 2 3") || !strings.Contains(text, keys[0].ID()) {
		t.Error(text)
	}
}

func BenchmarkPut(b *testing.B) {
	one := &Recording{call: Call{Channels: roles}, began: time.Now(), wake: func() {}, line: newTimeline(3)}
	sound := noise(1, frame)
	var scratch [maxPayload]byte
	b.ReportAllocs()
	for b.Loop() {
		one.Put(1, codec.PCMA, 0, sound, one.began)
		one.ring.take(&scratch)
	}
}

// BenchmarkSecond is what a second of a call of three parties costs the writer.
func BenchmarkSecond(b *testing.B) {
	for name, keys := range map[string][]Key{"plain": nil, "sealed": {someKey(b, 1)}} {
		b.Run(name, func(b *testing.B) {
			cfg := Config{Dir: b.TempDir(), Keys: keys}
			r := &Recorder{cfg: cfg, disk: realDisk(), live: map[string]*Recording{}, toWriter: make(chan struct{}, 1)}
			now := time.Now()
			one, err := r.Start(Call{Ref: newRef(now), Channels: roles}, now)
			if err != nil {
				b.Fatal(err)
			}
			r.begun()
			sound := noise(1, frame)
			b.ReportAllocs()
			b.SetBytes(3 * 8000)
			i := 0
			for b.Loop() {
				for range 50 {
					for c := range 3 {
						one.Put(c, codec.PCMA, uint32(i*frame), sound, now)
					}
					now, i = now.Add(20*time.Millisecond), i+1
				}
				if one.drain(now, false) {
					b.Fatal(one.failure)
				}
			}
		})
	}
}
