package prompt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// shipped reads the WAV files of a folder of the repository by name.
func shipped(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("../..", folder, "*.wav"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(filepath.Base(path), ".wav")] = b
	}
	return files
}

func TestShippedAnnouncements(t *testing.T) {
	files := shipped(t, "configs/prompts/zh")
	l, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"transfer", "transfer_failed", "keep_waiting", "three_way", "party_left", "queue", "all_busy", "accepted",
		"refused", "urgent",
	} {
		c, ok := l.Get(name)
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		speech(t, name, c, 500*time.Millisecond, 10*time.Second)
	}
}

func TestShippedDemoSpeech(t *testing.T) {
	l, err := Load(shipped(t, "cmd/internal/demo/speech"))
	if err != nil {
		t.Fatal(err)
	}
	voices := map[string][]int16{}
	for _, name := range []string{"caller", "desk110", "desk12345"} {
		c, ok := l.Get(name)
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		speech(t, name, c, 6*time.Second, 8*time.Second)
		voices[name] = flat(c)
	}
	for a := range voices {
		for b := range voices {
			if _, r := pcm.Correlate(voices[a], voices[b], pcm.Rate); a != b && r > 0.25 {
				t.Errorf("%s and %s cannot be told apart: r %.2f", a, b, r)
			}
		}
	}
}

// speech checks length and level, and that there is neither silence around it nor a long pause in it.
func speech(t *testing.T, name string, c Clip, shortest, longest time.Duration) {
	t.Helper()
	if d := c.Duration(); d < shortest || d > longest {
		t.Errorf("%s lasts %v", name, d)
	}
	if level := pcm.Level(flat(c)); level < -21.5 || level > -18.5 {
		t.Errorf("%s has %.1f dBFS", name, level)
	}
	quiet := 0
	for i := range c.Len() {
		quiet++
		if pcm.Level(c.Frame(i)[:]) > -45 {
			quiet = 0
		}
		if quiet == 30 {
			t.Errorf("%s is silent for 0.6 s at %v", name, time.Duration(i)*pcm.FrameTime)
		}
	}
}

func TestShippedSize(t *testing.T) {
	total := 0
	for _, folder := range []string{"configs/prompts/zh", "cmd/internal/demo/speech"} {
		for _, b := range shipped(t, folder) {
			total += len(b)
		}
	}
	if total > 1_500_000 {
		t.Errorf("%d bytes of WAV files, 1.5 MB are allowed", total)
	}
}

func TestLoadReportsEveryFile(t *testing.T) {
	good := riff(fmtChunk(tagPCM, 1, 16, 8000), dataChunk(make([]int16, 160)))
	l, err := Load(map[string][]byte{"good": good, "first": nil, "second": []byte("x"), "ring": good})
	if l != nil || !errors.Is(err, ErrNotWAV) || !errors.Is(err, ErrReserved) {
		t.Fatalf("%v, %v", l, err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "first") || !strings.Contains(lines[1], "ring") ||
		!strings.Contains(lines[2], "second") {
		t.Errorf("%q", lines)
	}
}

func TestNames(t *testing.T) {
	l, err := Load(map[string][]byte{"hello": riff(fmtChunk(tagPCM, 1, 16, 8000), dataChunk(make([]int16, 1)))})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"already", "busy", "confirm", "congestion", "hello", "music", "refuse", "ring"}
	if got := l.Names(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := Tones(); !slices.Equal(got, slices.DeleteFunc(want, func(s string) bool { return s == "hello" })) {
		t.Errorf("%q", got)
	}
	if _, ok := l.Get("nothing"); ok {
		t.Error("a clip that there is not")
	}
}

func TestEncodedIsTheFrameEncoded(t *testing.T) {
	l, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range l.Names() {
		c, _ := l.Get(name)
		for _, id := range []codec.ID{codec.PCMA, codec.PCMU} {
			for i := range c.Len() {
				want := make([]byte, pcm.FrameSamples)
				codec.Encode(id, want, c.Frame(i)[:])
				if got := c.Encoded(id, i); string(got) != string(want) {
					t.Fatalf("%s, %v: frame %d differs", name, id, i)
				}
				if cap(c.Encoded(id, i)) != pcm.FrameSamples {
					t.Fatal("appending to a payload would write into the next")
				}
			}
		}
		for _, id := range []codec.ID{0, codec.G722, codec.Opus, 99} {
			if c.Encoded(id, 0) != nil {
				t.Errorf("sound in %d", uint8(id))
			}
		}
	}
}

func TestPlayingAllocatesNothing(t *testing.T) {
	l, _ := Load(nil)
	var sum int16
	n := testing.AllocsPerRun(100, func() {
		c, _ := l.Get(Ring)
		sum += c.Frame(3)[7]
		_ = c.Encoded(codec.PCMU, c.Len()-1)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
