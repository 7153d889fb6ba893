package record

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"

	"liandong/media/codec"
)

var roles = []string{"caller", "desk", "partner"}

func someKey(t testing.TB, n byte) Key {
	t.Helper()
	keys, err := ParseKeys(hex.EncodeToString(bytes.Repeat([]byte{n}, KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}

func newRef(at time.Time) string {
	return ulid.MustNew(ulid.Timestamp(at), rand.NewChaCha8([32]byte{byte(rand.Uint32()), byte(rand.Uint32()),
		byte(rand.Uint32())})).String()
}

// realDisk is the one of the switch.
func realDisk() disk { return disk{create: create, size: fileSystem, now: time.Now} }

// open0 starts a recorder that the test stops itself, or that ends with it.
func open0(t *testing.T, cfg Config, d disk) *Recorder {
	t.Helper()
	r, err := start(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func begin(t *testing.T, r *Recorder, channels ...string) *Recording {
	t.Helper()
	one, err := r.Start(Call{Ref: newRef(time.Now()), CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
		Channels: channels}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// talk lets each channel say something for so many packets of 20 ms, in virtual time, and says
// what that was.
func talk(one *Recording, packets int, codecs ...codec.ID) [][]byte {
	said := make([][]byte, len(codecs))
	for c := range codecs {
		said[c] = noise(uint64(c+1), packets*frame)
	}
	for i := range packets {
		for c, id := range codecs {
			one.Put(c, id, uint32(i*frame), said[c][i*frame:][:frame], time.Now())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return said
}

// listen plays a recording: the WAV and its channels.
func listen(t *testing.T, r *Recorder, ref string) (wav []byte, sound [][]byte) {
	t.Helper()
	p, err := r.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if wav, err = io.ReadAll(p); err != nil {
		t.Fatal(err)
	}
	if !p.Whole {
		t.Error("the recording is not whole")
	}
	return wav, channelsIn(t, wav)
}

// channelsIn reads a WAV file as any player does: chunk by chunk.
func channelsIn(t *testing.T, wav []byte) (sound [][]byte) {
	t.Helper()
	le := binary.LittleEndian
	if string(wav[:4]) != "RIFF" || string(wav[8:12]) != "WAVE" || int(le.Uint32(wav[4:])) != len(wav)-8 {
		t.Fatalf("no RIFF header for %d bytes: %x", len(wav), wav[:12])
	}
	channels := 0
	for rest := wav[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), le.Uint32(rest[4:])
		body := rest[8:][:size]
		switch id {
		case "fmt ":
			channels = int(le.Uint16(body[2:]))
			if le.Uint16(body) != 6 || le.Uint32(body[4:]) != 8000 || int(le.Uint32(body[8:])) != 8000*channels ||
				int(le.Uint16(body[12:])) != channels || le.Uint16(body[14:]) != 8 {
				t.Fatalf("fmt chunk %x", body)
			}
		case "data":
			for c := range channels {
				sound = append(sound, pick(body, channels, c))
			}
		}
		rest = rest[min(8+size+size&1, uint32(len(rest))):] // the last byte of padding may not have been written
	}
	return sound
}

// begins says that a channel is what was said, with silence after it.
func begins(t *testing.T, what string, got, said []byte) {
	t.Helper()
	if len(got) < len(said) || !bytes.Equal(got[:len(said)], said) {
		t.Errorf("%s: the sound is another (%d samples, %d were said)", what, len(got), len(said))
		return
	}
	if rest := got[len(said):]; !bytes.Equal(rest, gap(len(rest))) {
		t.Errorf("%s: something is heard that was not said", what)
	}
}

// eachForm runs a test for plain and for sealed files, in virtual time.
func eachForm(t *testing.T, test func(t *testing.T, cfg Config)) {
	for name, keys := range map[string][]Key{"plain": nil, "sealed": {someKey(t, 1), someKey(t, 2)}} {
		t.Run(name, func(t *testing.T) {
			cfg := usual()
			cfg.Dir, cfg.Keys = t.TempDir(), keys
			synctest.Test(t, func(t *testing.T) { test(t, cfg) })
		})
	}
}

// settled waits until nothing goes on any more.
func settled(t *testing.T, r *Recorder) {
	t.Helper()
	for range 1000 {
		if r.Stats().On == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("a recording is not closed")
}

// usual is a Config whose Dir is to be set.
func usual() Config { return Config{Days: 90, MaxShare: 80} }
