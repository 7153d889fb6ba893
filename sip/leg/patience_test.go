package leg

import (
	"testing"
	"time"
)

func impatient(t *testing.T) *script {
	t.Helper()
	return outbound(t, func(_ *Config, i *Invite) { i.Patience = 4 * time.Second })
}

// Who says nothing within the owner's patience is given up, and told so as soon
// as he does speak: RFC 3261 §9.1 has the CANCEL wait for a provisional response.
func TestPatienceEnds(t *testing.T) {
	s := impatient(t)
	s.pass(4*time.Second - time.Millisecond)
	s.want("INVITE INVITE INVITE INVITE", "")
	invite := s.last("INVITE")
	s.take()
	s.pass(time.Millisecond)
	if f, ok := s.events[0].(Failed); !ok || !f.Silent {
		t.Errorf("%+v", s.events)
	}
	s.want("", "failed 408")
	s.reply(invite, 180, "")
	s.want("CANCEL", "")
	s.take()
	s.reply(invite, 487, "")
	s.want("ACK", "")
	s.wantDone()
}

// An answer that comes too late gets its ACK and a BYE, and is told to nobody.
func TestAnswerAfterPatience(t *testing.T) {
	s := impatient(t)
	invite := s.last("INVITE")
	s.pass(4 * time.Second)
	s.take()
	s.events = nil
	s.reply(invite, 200, peerSDP)
	s.want("ACK BYE", "")
}

// Any word, 100 too, is a sign of life: from then on the party may ring as long
// as its caller lets it.
func TestPatienceIsForSilence(t *testing.T) {
	s := impatient(t)
	s.reply(s.last("INVITE"), 100, "")
	s.take()
	s.pass(time.Minute)
	s.want("", "")
}
