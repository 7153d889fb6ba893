package prompt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

func chunk(id string, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body)))
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func fmtChunk(tag, channels, bits uint16, rate uint32) []byte {
	var b []byte
	b = binary.LittleEndian.AppendUint16(b, tag)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	return chunk("fmt ", binary.LittleEndian.AppendUint16(b, bits))
}

func extensible(tag uint16) []byte {
	b := fmtChunk(tagExtensible, 1, 16, 8000)[8:]
	b = append(b, 22, 0, 16, 0, 4, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, tag)
	return chunk("fmt ", append(b, subFormat...))
}

func dataChunk(samples []int16) []byte {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return chunk("data", b)
}

// sized is a data chunk that claims another size than it has.
func sized(c []byte, size uint32) []byte {
	c = bytes.Clone(c)
	binary.LittleEndian.PutUint32(c[4:], size)
	return c
}

func sine(hz float64, rate, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(8000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}

func one(t *testing.T, file []byte) (Clip, error) {
	t.Helper()
	l, err := Load(map[string][]byte{"clip": file})
	if err != nil {
		return Clip{}, err
	}
	c, ok := l.Get("clip")
	if !ok {
		t.Fatal("the clip is not there")
	}
	return c, nil
}

func TestWAVIsTaken(t *testing.T) {
	samples := sine(500, 8000, 400) // two frames and a half
	coded := func(id codec.ID) []byte {
		b := make([]byte, len(samples))
		codec.Encode(id, b, samples)
		return b
	}
	linear := fmtChunk(tagPCM, 1, 16, 8000)
	for _, test := range []struct {
		name string
		file []byte
		id   codec.ID // how exact it is
	}{
		{"16-bit PCM", riff(linear, dataChunk(samples)), 0},
		{"A-law", riff(fmtChunk(tagALaw, 1, 8, 8000), chunk("data", coded(codec.PCMA))), codec.PCMA},
		{"µ-law", riff(fmtChunk(tagMuLaw, 1, 8, 8000), chunk("data", coded(codec.PCMU))), codec.PCMU},
		{"extensible", riff(extensible(tagPCM), dataChunk(samples)), 0},
		{"other chunks around", riff(chunk("LIST", []byte("odd")), linear, chunk("fact", make([]byte, 4)),
			dataChunk(samples), chunk("id3 ", nil)), 0},
		{"piped: size unknown", riff(linear, sized(dataChunk(samples), 0xffffffff)), 0},
		{"piped by sox", riff(linear, sized(dataChunk(samples), 0x7ffff000)), 0},
		{"wrong RIFF size", append([]byte("RIFF\x00\x00\x00\x00"), riff(linear, dataChunk(samples))[8:]...), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := one(t, test.file)
			if err != nil {
				t.Fatal(err)
			}
			if c.Len() != 3 || c.Duration() != 60*time.Millisecond {
				t.Fatalf("%d frames, %v", c.Len(), c.Duration())
			}
			want := append(append([]int16{}, samples...), make([]int16, 80)...)
			if test.id != 0 {
				codec.Decode(test.id, want, coded(test.id))
			}
			soften(want[:len(samples)], pcm.Rate)
			for i, s := range want {
				if got := c.Frame(i / pcm.FrameSamples)[i%pcm.FrameSamples]; got != s {
					t.Fatalf("sample %d is %d, want %d", i, got, s)
				}
			}
		})
	}
}

func TestWAVIsRefused(t *testing.T) {
	sound := dataChunk(sine(500, 8000, 400))
	linear := fmtChunk(tagPCM, 1, 16, 8000)
	for _, test := range []struct {
		name string
		file []byte
		want error
		says string
	}{
		{"empty", nil, ErrNotWAV, "RIFF"},
		{"MP3", []byte("ID3\x04 and so on and so on"), ErrNotWAV, "RIFF"},
		{"AVI", append([]byte("RIFF\x00\x00\x00\x00AVI "), sound...), ErrNotWAV, "WAVE"},
		{"stereo", riff(fmtChunk(tagPCM, 2, 16, 8000), sound), ErrFormat, "2 channels"},
		{"CD", riff(fmtChunk(tagPCM, 1, 16, 44100), sound), ErrFormat,
			"44100 Hz; allowed: mono, 16-bit PCM at 8000 or 16000 Hz"},
		{"8-bit PCM", riff(fmtChunk(tagPCM, 1, 8, 8000), sound), ErrFormat, "8 bits"},
		{"16-bit A-law", riff(fmtChunk(tagALaw, 1, 16, 8000), sound), ErrFormat, "A-law"},
		{"A-law at 16 kHz", riff(fmtChunk(tagALaw, 1, 8, 16000), sound), ErrFormat, "16000 Hz"},
		{"float", riff(fmtChunk(3, 1, 32, 8000), sound), ErrFormat, "format 3"},
		{"no bits", riff(fmtChunk(tagPCM, 1, 0, 8000), sound), ErrFormat, "0 bits"},
		{"extensible float", riff(extensible(3), sound), ErrFormat, "format 3"},
		{"no sound", riff(linear, chunk("data", nil)), ErrEmpty, ""},
		{"no sound but something behind", riff(linear, chunk("data", nil), chunk("LIST", make([]byte, 100))), ErrEmpty,
			""},
		{"half a sample", riff(linear, chunk("data", []byte{1})[:9]), ErrEmpty, ""},
		{"no data chunk", riff(linear), ErrNotWAV, "data"},
		{"no fmt chunk", riff(sound), ErrNotWAV, "fmt"},
		{"fmt behind data", riff(sound, linear), ErrNotWAV, "fmt"},
		{"short fmt chunk", riff(chunk("fmt ", make([]byte, 14)), sound), ErrNotWAV, "fmt"},
		{"cut off in the sound", riff(linear, sound)[:500], ErrNotWAV, "cut off, 456 of 800"},
		{"cut off before the sound", riff(chunk("LIST", make([]byte, 1000)))[:100], ErrNotWAV, "cut off"},
		{"too long", riff(linear, chunk("data", make([]byte, 16000*601))), ErrTooLong, "10m1s; allowed: up to 10m0s"},
	} {
		_, err := one(t, test.file)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "prompt: clip: ") || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v lacks the name or %q", test.name, err, test.says)
		}
	}
}

func TestWAVOf16kHz(t *testing.T) {
	level := func(hz float64) float64 {
		c, err := one(t, riff(fmtChunk(tagPCM, 1, 16, 16000), dataChunk(sine(hz, 16000, 16000))))
		if err != nil {
			t.Fatal(err)
		}
		if c.Len() != 50 {
			t.Fatalf("%d frames of a second", c.Len())
		}
		return pcm.Level(flat(c)[800:7200])
	}
	want := pcm.Level(sine(1000, 16000, 16000))
	for _, hz := range []float64{200, 1000, 2000, 3000, 3300} {
		if got := level(hz); math.Abs(got-want) > 0.5 {
			t.Errorf("%v Hz comes with %.1f dBFS, want %.1f", hz, got, want)
		}
	}
	for _, hz := range []float64{4400, 5000, 6000, 7500} { // would fold down
		if got := level(hz); got > want-40 {
			t.Errorf("%v Hz folds down with %.1f dBFS", hz, got)
		}
	}
}

// The file begins where it began: the filter's delay is taken away.
func TestWAVOf16kHzIsInTime(t *testing.T) {
	for _, n := range []int{1, 2, 15, 16, 319, 320, 321, 640} {
		c, err := one(t, riff(fmtChunk(tagPCM, 1, 16, 16000), dataChunk(sine(1000, 16000, n))))
		if err != nil {
			t.Fatal(err)
		}
		if want := (n + 319) / 320; c.Len() != want {
			t.Errorf("%d samples at 16 kHz are %d frames, want %d", n, c.Len(), want)
		}
	}
	c, err := one(t, riff(fmtChunk(tagPCM, 1, 16, 16000), dataChunk(sine(440, 16000, 16000))))
	if err != nil {
		t.Fatal(err)
	}
	if lag, r := pcm.Correlate(sine(440, 8000, 8000), flat(c), 9); lag != 0 || r < 0.98 {
		t.Errorf("%d samples late, %.3f alike", lag, r)
	}
}

func flat(c Clip) []int16 {
	var out []int16
	for i := range c.Len() {
		out = append(out, c.Frame(i)[:]...)
	}
	return out
}

// A file is refused with its name, or gives whole frames for every codec.
func FuzzLoad(f *testing.F) {
	sound := dataChunk(sine(500, 8000, 200))
	f.Add(riff(fmtChunk(tagPCM, 1, 16, 8000), sound))
	f.Add(riff(fmtChunk(tagPCM, 1, 16, 16000), sound))
	f.Add(riff(fmtChunk(tagALaw, 1, 8, 8000), sound))
	f.Add(riff(extensible(tagMuLaw), chunk("LIST", []byte("odd")), sound))
	f.Add(riff(fmtChunk(tagPCM, 1, 16, 8000), sized(sound, 0xffffffff)))
	f.Fuzz(func(t *testing.T, file []byte) {
		l, err := Load(map[string][]byte{"a-name": file})
		if err != nil {
			if l != nil || !strings.HasPrefix(err.Error(), "prompt: a-name: ") {
				t.Fatal(err)
			}
			return
		}
		c, _ := l.Get("a-name")
		if c.Len() == 0 || len(c.Encoded(codec.PCMA, c.Len()-1)) != pcm.FrameSamples ||
			len(c.Encoded(codec.PCMU, 0)) != pcm.FrameSamples {
			t.Fatalf("%d frames", c.Len())
		}
	})
}

// TestFromG711: bare codes become a clip whose frames go out as those same codes.
func TestFromG711(t *testing.T) {
	codes := make([]byte, 4*pcm.FrameSamples)
	for i := range codes {
		codes[i] = byte(i * 7)
	}
	for _, law := range []codec.ID{codec.PCMA, codec.PCMU} {
		library, err := Load(map[string][]byte{"bare": FromG711(law, codes)})
		if err != nil {
			t.Fatal(err)
		}
		clip, _ := library.Get("bare")
		if clip.Len() != 4 {
			t.Fatalf("%v: %d frames, want 4", law, clip.Len())
		}
		for i := range clip.Len() {
			got, want := clip.Encoded(law, i), codes[i*pcm.FrameSamples:][:pcm.FrameSamples]
			for k := range want {
				if got[k] != want[k] && (law != codec.PCMU || want[k] != 0x7f) { // µ-law has two zeros
					t.Fatalf("%v: frame %d, code %d is %#x, want %#x", law, i, k, got[k], want[k])
				}
			}
		}
	}
	long := make([]byte, 2*int(MaxLength/time.Second)*pcm.Rate)
	if _, err := Load(map[string][]byte{"bare": FromG711(codec.PCMA, long)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("twenty minutes: %v, want ErrTooLong", err)
	}
	if _, err := Load(map[string][]byte{"bare": FromG711(codec.PCMA, nil)}); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing: %v, want ErrEmpty", err)
	}
}
