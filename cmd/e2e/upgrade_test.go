package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// upgrade runs the command against the switch, and gives what it says.
func (s *serving) upgrade(by string) (string, error) {
	out, err := exec.Command(by, slices.Concat([]string{"upgrade"}, s.args[1:])...).CombinedOutput()
	return string(out), err
}

// putInPlace has another program lie where the switch's lay.
func (s *serving) putInPlace(t testing.TB, program string) {
	t.Helper()
	next := s.path + ".next"
	must(t, os.Symlink(program, next))
	must(t, os.Rename(next, s.path))
}

// script is a program of another kind.
func script(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "liandong")
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return path
}

// A call goes on in a new version, and in the old one when the new one ends at once or dies soon: nobody hears more
// than a blink, nothing is said on the wire.
func TestUpgradeUnderACall(t *testing.T) {
	if testing.Short() {
		t.Skip("as long as new versions are watched")
	}
	t.Parallel()
	old, err := build()
	must(t, err)
	said, err := exec.Command(old, "--version").Output()
	must(t, err)
	version := strings.TrimSpace(string(said))
	newer := filepath.Join(t.TempDir(), "liandong")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.release=v9.8.7", "-o", newer,
		"liandong/cmd/liandong").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := startServing(t, miniredis.RunT(t).Addr(), "selftest.every=1m", "lang=en",
		"hotlines.110.recording.mode=always", "hotlines.110.recording.announce=none")
	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	for _, tt := range []struct {
		what, program, says, version string
		fails                        bool
	}{
		{"ends at once", script(t, "exit 3"), "not upgraded", version, true},
		{"dies soon", script(t, fmt.Sprintf("(sleep 3; kill -9 $$) 3>&- & exec %s \"$@\"", old)), "the old version",
			version, true},
		{"is well", newer, "upgraded: liandong v9.8.7", "v9.8.7", false},
	} {
		s.await(t, func(p keeper.Status) bool { return p.Spare != 0 })
		s.putInPlace(t, tt.program)
		said, err := s.upgrade(old)
		if !strings.Contains(said, tt.says) || (err != nil) != tt.fails {
			t.Errorf("a version that %s: %v\n%s", tt.what, err, said)
		}
		t.Logf("a version that %s:\n%s", tt.what, said)
		s.await(t, func(p keeper.Status) bool { return strings.Contains(p.Version, tt.version) })
		hears(t, c, deskTone)
		hears(t, d, callerTone)
	}
	oneStream(t, c)
	oneStream(t, d)
	t.Logf("pauses of the caller: %v", c.Continuity().Pauses)
	for _, one := range []*phone.Call{c, d} {
		for _, m := range one.Messages() {
			if method := m.Message.Method; !m.Out && (method == "BYE" || method == "INVITE" && one == c) {
				t.Errorf("%s came:\n%s", method, shortly(one))
			}
		}
	}
	hangUp(t, c)
	ended(t, d)
}

// soundWentOn: by what an upgrade has said, the sound stood still for a part of it only.
func soundWentOn(t testing.TB, said string) {
	t.Helper()
	var mute, gap float64
	_, last, _ := strings.Cut(said, "no sound for ")
	if n, err := fmt.Sscanf(last, "%f ms, signalling waited for %f;", &mute, &gap); n < 2 || mute >= gap {
		t.Errorf("no sound for %v ms of %v, %v: nobody carried it until the next one was ready", mute, gap, err)
	}
}

// A Redis that hangs holds up no upgrade: the sound goes on, so do keys, and each entry is there once when it answers
// again.
func TestUpgradeWhileRedisHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("as long as a new version is watched")
	}
	t.Parallel()
	redis := redistest.Start(t)
	s := startServing(t, redis.Addr(), "lang=en")
	desk, partner := s.desk(t, "1101", deskTone, phone.AnswerAfter(0)),
		s.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	redis.Pause()
	pushes(t, d, "*3")
	w := next(t, partner)
	hearsAll(t, c, deskTone, partnerTone)
	before := s.await(t, func(p keeper.Status) bool { return p.Spare != 0 })
	said, err := s.upgrade(s.path)
	t.Logf("%v\n%s", err, said)
	soundWentOn(t, said)
	if p := s.await(t, func(p keeper.Status) bool { return p.Worker != 0 }); p.Worker == before.Worker {
		t.Errorf("not upgraded: %+v", p)
	}
	hearsAll(t, c, deskTone, partnerTone)
	hearsAll(t, w, deskTone, callerTone)
	redis.Resume()
	oneStream(t, c)
	oneStream(t, d)
	hangUp(t, c)
	ended(t, d)
	ended(t, w)
	s.entriesOnce(t, 1)
}

// A second switch on what a first one has is told whose it is, at once, and the first goes on.
func TestSecondServe(t *testing.T) {
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr())
	began := time.Now()
	said, err := exec.Command(s.path, append(slices.Clone(s.args), "--set", "lang=en")...).CombinedOutput()
	if want := fmt.Sprintf("another switch runs with %s (process %d).", s.run, s.keeper.Process.Pid); err == nil ||
		!strings.Contains(string(said), want) || strings.Contains(string(said), "media engine") {
		t.Errorf("%v, want %s\n%s", err, want, said)
	}
	t.Log("it took ", time.Since(began))
	if p := s.await(t, func(p keeper.Status) bool { return p.Spare != 0 }); p.Restarts != 0 {
		t.Errorf("%+v", p)
	}
}

// The whole unit is killed, the keeper too, and started again: phones are known and ring at once, and the call that was
// on goes on.
func TestWholeUnitDies(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr())
	desk, other := s.desk(t, "1101", deskTone, phone.AnswerAfter(0)),
		s.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	must(t, s.keeper.Process.Kill())
	_ = s.keeper.Wait()
	began := time.Now()
	s.start(t)
	t.Logf("ready, with a spare, after %v", time.Since(began))
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	second := s.call(t, s.caller(t, callerTone), "12345")
	waitConfirmed(t, second)
	next(t, other)
	hears(t, second, partnerTone)
	oneStream(t, c)
	hangUp(t, c)
	ended(t, d)
}
