package record

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// memory is a file that is none.
type memory struct{ b []byte }

func (m *memory) WriteAt(b []byte, off int64) (int, error) {
	m.b = append(m.b[:min(off, int64(len(m.b)))], b...)
	return len(b), nil
}
func (m *memory) Truncate(n int64) error { m.b = m.b[:n]; return nil }
func (*memory) Sync() error              { return nil }
func (*memory) Close() error             { return nil }

// vault is a sealed file with so many bytes of sound.
func vault(t testing.TB, k Key, ref string, channels, bytes int) (file, sound []byte) {
	t.Helper()
	m := &memory{}
	s, err := newSealed(m, k, ref, channels)
	if err != nil {
		t.Fatal(err)
	}
	sound = noise(uint64(bytes), bytes)
	for rest := sound; err == nil && len(rest) > 0; {
		n := min(len(rest), block*channels)
		err, rest = s.write(rest[:n]), rest[n:]
	}
	if err == nil {
		err = s.end()
	}
	if err != nil {
		t.Fatal(err)
	}
	if s.size() != int64(len(m.b)) {
		t.Fatalf("size %d of %d bytes", s.size(), len(m.b))
	}
	return m.b, sound
}

// unlock reads all sound of a sealed file.
func unlock(file []byte, keys ...Key) (sound []byte, ended bool, err error) {
	u, err := newUnsealed(bytes.NewReader(file), int64(len(file)), keys)
	if err != nil {
		return nil, false, err
	}
	sound, err = io.ReadAll(io.NewSectionReader(u, 0, u.length()))
	return sound, u.ended, err
}

const chunkBytes = block*2 + tagSize // with two channels

func TestSealedReadsBack(t *testing.T) {
	k, ref := someKey(t, 1), newRef(time.Now())
	for _, n := range []int{0, 2, block * 2, block*2 + 2, block*6 - 2, block * 6} {
		file, sound := vault(t, k, ref, 2, n)
		got, ended, err := unlock(file, someKey(t, 9), k)
		if err != nil || !ended || !bytes.Equal(got, sound) {
			t.Errorf("%d bytes: %d read, ended %v, %v", n, len(got), ended, err)
		}
	}
	a, _ := vault(t, k, ref, 2, block*2)
	b, _ := vault(t, k, ref, 2, block*2)
	if bytes.Equal(a[sealedHeader:], b[sealedHeader:]) {
		t.Error("the same sound is sealed to the same bytes twice")
	}
}

// A player seeks: any stretch reads as it does from the whole.
func TestSealedSeeks(t *testing.T) {
	file, sound := vault(t, someKey(t, 1), newRef(time.Now()), 2, block*7+10)
	u, err := newUnsealed(bytes.NewReader(file), int64(len(file)), []Key{someKey(t, 1)})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{block * 4, 0, block*2 - 1, block * 2, len(sound) - 3, 5, block*6 + 1} {
		b := make([]byte, min(block*3, len(sound)-at))
		if n, err := u.ReadAt(b, int64(at)); n != len(b) || err != nil || !bytes.Equal(b, sound[at:at+n]) {
			t.Errorf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if n, err := u.ReadAt(make([]byte, 10), int64(len(sound)-4)); n != 4 || err != io.EOF {
		t.Errorf("beyond the end: %d, %v", n, err)
	}
}

func TestWrongKey(t *testing.T) {
	file, _ := vault(t, someKey(t, 1), newRef(time.Now()), 2, block)
	if _, _, err := unlock(file, someKey(t, 2)); !errors.Is(err, ErrNoKey) ||
		!strings.Contains(err.Error(), someKey(t, 1).ID()) {
		t.Errorf("%v", err)
	}
	id := someKey(t, 2).ID() // the other's name on the file does not make it the other's
	raw, _ := newEnvelope(someKey(t, 2), newRef(time.Now()), 2)
	copy(file[len(sealedMagic):], raw.header[len(sealedMagic):][:keyIDSize])
	if sound, ended, _ := unlock(file, someKey(t, 2)); ended || len(sound) > 0 {
		t.Errorf("sealed with one key and opened with %s", id)
	}
}

// One bit anywhere, and the sound from there on is refused, never altered.
func TestTampered(t *testing.T) {
	k := someKey(t, 1)
	file, sound := vault(t, k, newRef(time.Now()), 2, block*5)
	for at := 0; at < len(file); at += 1 + at/40 {
		bad := bytes.Clone(file)
		bad[at] ^= 1 << (at % 8)
		got, ended, err := unlock(bad, k)
		if err == nil && ended {
			t.Errorf("byte %d of %d changed: nothing is noticed", at, len(file))
		}
		if !bytes.HasPrefix(sound, got) {
			t.Errorf("byte %d of %d changed: it is heard", at, len(file))
		}
	}
}

func TestChunksMovedOrSwapped(t *testing.T) {
	k := someKey(t, 1)
	one, sound := vault(t, k, newRef(time.Now()), 2, block*6)
	other, _ := vault(t, k, newRef(time.Now()), 2, block*6)
	chunk := func(file []byte, i int) []byte { return file[sealedHeader+i*chunkBytes:][:chunkBytes] }
	for name, change := range map[string]func(b []byte) []byte{
		"two swapped": func(b []byte) []byte {
			copy(chunk(b, 0), chunk(one, 1))
			copy(chunk(b, 1),
				chunk(one, 0))
			return b
		},
		"one repeated":    func(b []byte) []byte { copy(chunk(b, 1), chunk(one, 0)); return b },
		"of another file": func(b []byte) []byte { copy(chunk(b, 1), chunk(other, 1)); return b },
		"one left out": func(b []byte) []byte {
			return append(b[:sealedHeader:sealedHeader],
				b[sealedHeader+chunkBytes:]...)
		},
		"the header's other": func(b []byte) []byte { copy(b, other[:sealedHeader]); return b },
	} {
		got, ended, err := unlock(change(bytes.Clone(one)), k)
		if err == nil && ended || !bytes.HasPrefix(sound, got) {
			t.Errorf("%s: %d bytes, ended %v, %v", name, len(got), ended, err)
		}
	}
}

// A file that is cut anywhere plays up to the cut and does not pass for whole; mended it ends
// there, and mending again changes nothing.
func TestTornAndMended(t *testing.T) {
	k := someKey(t, 1)
	for _, n := range []int{block*4 + 100, block * 4} { // the last chunk with sound and without
		file, sound := vault(t, k, newRef(time.Now()), 2, n)
		cuts := []int{sealedHeader, sealedHeader + 1, sealedHeader + tagSize, sealedHeader + chunkBytes - 1,
			sealedHeader + chunkBytes,
			sealedHeader + 2*chunkBytes, sealedHeader + 2*chunkBytes + 15, len(file) - 17, len(file) - 1}
		for _, cut := range cuts {
			got, ended, err := unlock(file[:cut], k)
			if err != nil || ended || !bytes.HasPrefix(sound, got) ||
				len(got) != (cut-sealedHeader)/chunkBytes*block*2 {
				t.Errorf("cut at %d: %d bytes, ended %v, %v", cut, len(got), ended, err)
			}
			path := filepath.Join(t.TempDir(), "x"+extSealed)
			if err := os.WriteFile(path, file[:cut], filePerm); err != nil {
				t.Fatal(err)
			}
			var last []byte
			for range 2 {
				if err := mendSound(path, []Key{k}); err != nil {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				mended, err := os.ReadFile(path)
				if err != nil || last != nil && !bytes.Equal(last, mended) {
					t.Fatalf("cut at %d: mended twice it is another, %v", cut, err)
				}
				last = mended
			}
			// The nonce of the last chunk that is torn is not used for another text.
			if u, err := newUnsealed(bytes.NewReader(last), int64(len(last)), []Key{k}); err != nil || !u.mended {
				t.Errorf("cut at %d: mended in the name of the writer, %v", cut, err)
			}
			again, ended, err := unlock(last, k)
			if err != nil || !ended || !bytes.Equal(again, got) {
				t.Errorf("cut at %d and mended: %d bytes, ended %v, %v", cut, len(again), ended, err)
			}
		}
		if sound, _, err := unlock(file[:sealedHeader-1], k); err == nil || len(sound) > 0 {
			t.Error("half a header is read")
		}
	}
}

// FuzzUnsealed: whatever a file holds, reading it ends, and what it gives was sealed with the
// key.
func FuzzUnsealed(f *testing.F) {
	k := someKey(f, 1)
	file, sound := vault(f, k, newRef(time.Now()), 2, block*3)
	f.Add(file, 0, byte(0))
	f.Add(file[:200], 100, byte(1))
	f.Add([]byte(sealedMagic), 3, byte(9))
	f.Fuzz(func(t *testing.T, b []byte, at int, flip byte) {
		b = bytes.Clone(b)
		if len(b) > 0 {
			b[uint(at)%uint(len(b))] ^= flip
		}
		got, _, err := unlock(b, k)
		if err == nil && len(got) > 0 && !bytes.HasPrefix(sound, got) {
			t.Fatalf("%d bytes that nobody sealed", len(got))
		}
	})
}
