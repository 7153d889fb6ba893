package record

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"liandong/media/codec"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RECORD_CHILD"); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// child records calls until it is killed, sixty times as fast as people talk: packets come with
// times of their own. Each call is known by its ref, which it prints; sound is noise of a seed
// made of it.
func child(dir string) error {
	cfg := usual()
	cfg.Dir = dir
	if text := os.Getenv("RECORD_KEY"); text != "" {
		keys, err := ParseKeys(text)
		if err != nil {
			return err
		}
		cfg.Keys = keys
	}
	r, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	for {
		if err := oneCall(r); err != nil {
			return err
		}
	}
}

func oneCall(r *Recorder) error {
	now := time.Now()
	one, err := r.Start(Call{Ref: newRef(now), CallRef: "crash", Channels: roles}, now)
	if err != nil {
		return err
	}
	fmt.Println(one.Ref())
	said := saidIn(one.Ref())
	for i := range len(said[0]) / frame {
		for c := range said {
			one.Put(c, codec.PCMA, uint32(i*frame), said[c][i*frame:][:frame], now)
		}
		now = now.Add(20 * time.Millisecond)
		if i%60 == 59 {
			time.Sleep(20 * time.Millisecond)
			for one.ring.tail.Load() != one.ring.head.Load() { // however slow the writer is
				nudge(r.toWriter)
				time.Sleep(time.Millisecond)
			}
		}
	}
	one.Stop(now)
	return nil
}

// saidIn is what the parties of a call of the child say: 30 seconds.
func saidIn(ref string) (said [3][]byte) {
	for c := range said {
		said[c] = noise(uint64(ref[20])<<8+uint64(ref[21])+uint64(c), 30*8000)
	}
	return said
}

// Wherever the switch is killed, all that was written plays, sound for sound, and the next start
// closes what was open.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for ten seconds")
	}
	const rounds = 24
	for name, text := range map[string]string{"plain": "", "sealed": strings.Repeat("42", KeySize)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := usual()
			cfg.Dir = t.TempDir()
			if text != "" {
				cfg.Keys, _ = ParseKeys(text)
			}
			interrupted, whole := 0, 0
			for round := range rounds {
				refs := killed(t, cfg.Dir, text)
				checkUnmended(t, cfg, refs)
				a, b := checkMended(t, cfg, refs)
				interrupted, whole = interrupted+a, whole+b
				if t.Failed() {
					t.Fatalf("in round %d", round)
				}
			}
			t.Logf("%d recordings interrupted, %d closed before", interrupted, whole)
			if interrupted < rounds/2 {
				t.Errorf("only %d recordings were interrupted in %d rounds", interrupted, rounds)
			}
		})
	}
}

// killed lets a child record and kills it at some point. It gives the calls that it began.
func killed(t *testing.T, dir, key string) (refs []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RECORD_CHILD="+dir, "RECORD_KEY="+key)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the child begins nothing: %s", log.String())
	}
	refs = append(refs, lines.Text())
	stop := time.AfterFunc(time.Duration(rand.IntN(700))*time.Millisecond, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	for lines.Scan() {
		refs = append(refs, lines.Text())
	}
	if err := cmd.Wait(); err == nil || log.Len() > 0 {
		t.Fatalf("the child ended by itself: %v %s", err, log.String())
	}
	return refs
}

// checkUnmended plays the files as the crash left them.
func checkUnmended(t *testing.T, cfg Config, refs []string) {
	t.Helper()
	for _, ref := range refs {
		e, err := entryOf(cfg.Dir, ref)
		if err != nil {
			t.Fatal(err)
		}
		path := e.sound()
		info, err := os.Stat(path)
		if err != nil || info.Size() < int64(wavHeader) ||
			strings.HasSuffix(path, extSealed) && info.Size() < int64(sealedHeader) {
			continue // killed while it was made
		}
		p, err := open(path, Meta{}, cfg.Keys)
		if err != nil {
			t.Errorf("%s, %d bytes: %v", ref, info.Size(), err)
			continue
		}
		b := make([]byte, p.Size())
		if _, err := p.ReadAt(b, 0); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
		spoken(t, ref, channelsIn(t, b), p.Size() > wavHeader)
		_ = p.Close()
	}
}

// spoken says that each channel is what was said, as far as it goes.
func spoken(t *testing.T, ref string, sound [][]byte, some bool) {
	t.Helper()
	said := saidIn(ref)
	if !some {
		return
	}
	for c := range said {
		n := min(len(sound[c]), len(said[c]))
		if !bytes.Equal(sound[c][:n], said[c][:n]) {
			t.Errorf("%s: channel %d is not what was said", ref, c)
		}
	}
}

// checkMended lets a recorder start over what the crash left.
func checkMended(t *testing.T, cfg Config, refs []string) (interrupted, whole int) {
	t.Helper()
	r, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.Stop()
	for _, ref := range refs {
		m, err := r.Meta(ref)
		if err != nil {
			continue // it was not begun
		}
		if m.Ended.IsZero() || m.Ref != ref || m.Failure == "" &&
			(m.SHA256 == "" || m.WAVSHA256 == "" || m.CallRef != "crash") {
			t.Errorf("%s is not closed: %+v", ref, m)
		}
		if m.Interrupted {
			interrupted++
		} else {
			whole++
		}
		if p, err := r.Open(ref); err == nil && p.Size() > wavHeader {
			_ = p.Close()
			wav, sound := listen(t, r, ref)
			spoken(t, ref, sound, true)
			if digest(wav) != m.WAVSHA256 {
				t.Errorf("%s does not play as it was hashed", ref)
			}
		}
	}
	return interrupted, whole
}
