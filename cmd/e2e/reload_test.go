package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// SIGHUP has the switch read its config again: under a call, which does not notice. What the file says then holds for
// who comes next; a file with a mistake is told by its line and changes nothing.
func TestHangupReadsTheConfigAgain(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(labFile)
	must(t, err)
	file := filepath.Join(t.TempDir(), "liandong.yaml")
	must(t, os.WriteFile(file, text, 0o600))
	s := startServing(t, miniredis.RunT(t).Addr(), "lang=en")
	s.stop(t)
	s.args[2] = file
	s.start(t)
	eventually(t, "each start says that the announcements are the shipped ones", func() bool {
		b, err := os.ReadFile(s.said.Name())
		return err == nil && strings.Count(string(b), "are the shipped placeholders") >= 2
	})

	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	hears(t, c, deskTone)

	changed := strings.Replace(string(text), "password: lab-1102", "password: calm-heron-1102", 1)
	if changed == string(text) {
		t.Fatal("the lab has another phone 1102 than this test expects")
	}
	must(t, os.WriteFile(file, []byte(changed), 0o600))
	must(t, s.keeper.Process.Signal(syscall.SIGHUP))
	s.says(t, "phones.1102.password")
	colleague := newPhone(t, phone.Config{User: "1102", Password: "calm-heron-1102", Domain: domain, Server: s.server})
	must(t, colleague.Register(within(t, 10*time.Second)))

	must(t, os.WriteFile(file, []byte(strings.Replace(changed, "no_answer:", "no_anwser:", 1)), 0o600))
	must(t, s.keeper.Process.Signal(syscall.SIGHUP))
	s.says(t, "liandong.yaml:32:5: hotlines.110.no_anwser")
	must(t, colleague.Register(within(t, 10*time.Second)))
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, d.WaitState(within(t, 10*time.Second), phone.Ended))
	s.says(t, "call arrived") // who calls and how it ends is on record
	s.says(t, "call ended")
}

// says waits until the switch has logged something.
func (s *serving) says(t testing.TB, what string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b, err := os.ReadFile(s.said.Name()); err == nil && strings.Contains(string(b), what) {
			return
		}
	}
	t.Fatalf("the switch has not said %q", what)
}
