package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/media/pcm"
)

// carries waits until the kernel relays to so many parties.
func (s *serving) carries(t testing.TB, parties string) {
	t.Helper()
	var page []byte
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		page, _ = s.tryGet("/metrics")
		if strings.Contains(string(page), "liandong_media_carried_legs "+parties+"\n") {
			return
		}
	}
	t.Fatalf("the kernel does not relay to %s parties:\n%s", parties, page)
}

// The kernel relays a call whose process has died: while there is none that could, and without a packet that is lost
// when the next one goes on; what the desk presses then is heard. The recording has what was said meanwhile, as far as
// it was kept.
func TestCarriedCallOutlivesItsProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	if os.Getuid() != 0 {
		t.Skip("the kernel asks for privileges")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), "media.kernel_relay=true", "hotlines.110.recording.mode=always",
		"hotlines.110.recording.announce=none", "hotlines.12345.recording.mode=always",
		"hotlines.12345.recording.announce=none")
	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	partner := s.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, desk)
	waitConfirmed(t, c)
	s.carries(t, "2")
	from, to := c.Continuity(), d.Continuity()
	for range 2 {
		before := s.await(t, func(p keeper.Status) bool { return p.Spare != 0 })
		must(t, syscall.Kill(before.Spare, syscall.SIGSTOP)) // so that nobody goes on for a while
		must(t, syscall.Kill(before.Worker, syscall.SIGKILL))
		for _, call := range []*phone.Call{c, d} {
			getsMore(t, call, 50)
		}
		hears(t, c, deskTone)
		hears(t, d, callerTone)
		must(t, syscall.Kill(before.Spare, syscall.SIGCONT))
		s.await(t, func(p keeper.Status) bool { return p.Worker == before.Spare && p.Spare != 0 })
		getsMore(t, c, 150) // until what the recording had of the time without a process is on the disk
		s.carries(t, "2")
	}
	for name, now := range map[string]phone.Continuity{"citizen": c.Continuity(), "desk": d.Continuity()} {
		was := map[string]phone.Continuity{"citizen": from, "desk": to}[name]
		if len(now.SSRCs) != 1 || len(now.Sources) != 1 || len(now.Gaps) != len(was.Gaps) || now.Late != was.Late ||
			len(now.Jumps) != len(was.Jumps) {
			t.Errorf("%s: %+v, before the kills %+v", name, now, was)
		}
	}
	must(t, d.SendDTMF(within(t, 10*time.Second), "*1", phone.RFC4733))
	p := next(t, partner)
	waitConfirmed(t, p)
	hears(t, c, partnerTone)
	hears(t, p, callerTone)
	s.carries(t, "2")
	begun, err := filepath.Glob(filepath.Join(filepath.Dir(s.path), "recordings", "*", "*.open"))
	if err != nil || len(begun) != 1 {
		t.Fatalf("recordings %q, %v", begun, err)
	}
	must(t, c.Hangup(within(t, 10*time.Second)))
	must(t, p.WaitState(within(t, 10*time.Second), phone.Ended))
	s.carries(t, "0")
	s.hasGaps(t, strings.TrimSuffix(filepath.Base(begun[0]), ".open"))
}

// getsMore waits for so many packets.
func getsMore(t *testing.T, call *phone.Call, packets int) {
	t.Helper()
	was := call.Continuity().Packets
	for end := time.Now().Add(20 * time.Second); call.Continuity().Packets < was+packets; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing is heard")
		}
	}
}

// hasGaps finds what the caller has said in the second before each process went on with the recording.
func (s *serving) hasGaps(t *testing.T, ref string) {
	t.Helper()
	m := s.closedRecording(t, ref)
	if len(m.Gaps) != 2 || m.Failure != "" || m.Interrupted {
		t.Errorf("%+v", m)
	}
	_, wav := s.get(t, "/v1/recordings/"+ref)
	said := channels(t, wav)[0]
	const piece = 1600 // 0.2 s
	for _, g := range m.Gaps {
		end := int(g.To.Sub(m.Started).Seconds() * pcm.Rate)
		for at := end - 5*piece; at < end; at += piece {
			if at < 0 || at+piece > len(said) || phone.Share(said[at:at+piece], callerTone) < 0.8 {
				t.Errorf("the caller is not heard %v before the recording went on after %v",
					time.Duration(end-at)*time.Second/pcm.Rate, g.To.Sub(g.From))
			}
		}
	}
}
