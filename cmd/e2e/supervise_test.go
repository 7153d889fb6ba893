package e2e

import (
	"cmp"
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
	"liandong/sip/ua/certtest"
)

// chiefTone is a supervisor's voice, Hz: no multiple of 10, as what A-law makes of the other tones is.
const chiefTone = 1573.0

// watching are the lab's lines with a supervisor each, who is at no seat.
var watching = []string{
	"phones.1109={hotline: 110, password: lab-1109}", "hotlines.110.supervisors=[1109]",
	"phones.2109={hotline: 12345, password: lab-2109}", "hotlines.12345.supervisors=[2109]",
}

// level is how loud one frequency is, in dB of a full tone (amplitude 32767), by a Hann window.
func level(pcm []int16, hz float64) float64 {
	var re, im, sum float64
	for i, x := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / 8000)
		re, im, sum = re+w*float64(x)*cos, im+w*float64(x)*sin, sum+w
	}
	return 20 * math.Log10(max(2*math.Hypot(re, im)/sum/32767, 1e-9))
}

// latest is what a phone hears in the time from now on.
func latest(t testing.TB, c *phone.Call, d time.Duration) (heard []int16) {
	t.Helper()
	must(t, c.WaitHeard(within(t, 30*time.Second), d, func(pcm []int16) bool { heard = pcm; return true }))
	return heard
}

// loudness is how loud the desk hears the supervisor, in dB: it is as loud as he has said it, -9.5 dB, as soon as a
// second of it has come without a pause.
func loudness(t testing.TB, desk *phone.Call) (loud float64) {
	t.Helper()
	loud = math.Inf(-1)
	err := desk.WaitHeard(within(t, 30*time.Second), time.Second, func(pcm []int16) bool {
		loud = max(loud, level(pcm, chiefTone))
		return loud > -12
	})
	if err != nil {
		t.Errorf("the desk hears a whisper at %.1f dB at the most: %v", loud, err)
	}
	return loud
}

// whisperLimit is how much softer than at the desk a whisper is anywhere else.
const whisperLimit = -60.0

// unheard fails when a party hears the supervisor's voice, against how loud the desk hears it, which is given in dB.
// Packets that a busy machine has lost are heard as clicks, in which there is something of every frequency: there need
// be two seconds without.
func unheard(t testing.TB, who string, c *phone.Call, loud float64) {
	t.Helper()
	best := math.Inf(1)
	err := c.WaitHeard(within(t, 20*time.Second), 2*time.Second, func(pcm []int16) bool {
		best = min(best, level(pcm, chiefTone)-loud)
		return best <= whisperLimit
	})
	if err != nil {
		t.Errorf("%s hears the supervisor at %.1f dB of what the desk hears, at the most %v is allowed: %v", who, best,
			whisperLimit, err)
		return
	}
	t.Logf("%s: %.1f dB", who, best)
}

// hearsIn waits until a tone is in what a call's phone hears, beside others.
func hearsIn(t testing.TB, c *phone.Call, hz float64) {
	t.Helper()
	err := c.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond,
		func(pcm []int16) bool { return phone.Share(pcm, hz) > 0.2 })
	if err != nil {
		t.Fatalf("%v Hz: %v", hz, err)
	}
}

// monitor has a supervisor's phone call for a desk.
func (l *lab) monitor(t testing.TB, p *phone.Phone, of string) *phone.Call {
	t.Helper()
	c, err := p.Call("sip:monitor"+of+"@"+l.server.Addr().String(), phone.CallOptions{})
	must(t, err)
	return c
}

// A supervisor's phone listens to a call, whispers, joins and listens again, with G.711 and G.722: at each time those
// hear him who are to, and nobody else, by -60 dB of what the desk hears. Each party has one stream.
func TestSupervisorByPhone(t *testing.T) {
	t.Parallel()
	pt := map[string]string{"G.711": "8", "µ-law and A-law": "", "G.722": "9"}
	for name, codecs := range map[string]func(user string) []phone.Codec{
		"G.711":           func(string) []phone.Codec { return nil },
		"µ-law and A-law": phoneCodecs,
		"G.722":           func(string) []phone.Codec { return []phone.Codec{phone.G722, phone.PCMA} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLab(t, watching...)
			at := func(user string, hz float64, policy phone.Policy) *phone.Phone {
				p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: l.server,
					Policy: policy, Speech: phone.Tone(hz, time.Second), RTCP: true, Codecs: codecs(user)})
				must(t, p.Register(within(t, 10*time.Second)))
				return p
			}
			first, chief := at("1101", deskTone, phone.AnswerAfter(0)), at("1109", chiefTone, phone.Policy{})
			caller := newPhone(t, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(citizen, 0), Server: l.server,
				Speech: phone.Tone(callerTone, time.Second), RTCP: true, Codecs: codecs("caller")})
			l.superviseTalk(t, pt[name], caller, first, chief)
		})
	}
}

// The same with TLS and SRTP everywhere.
func TestSupervisorBySRTP(t *testing.T) {
	t.Parallel()
	a := certtest.New(t) // of the trunk's side
	trunk := freePort(t, citizen)
	l := startSecureLab(t, miniredis.RunT(t).Addr(), append(watching[:len(watching):len(watching)],
		"networks.lab.tls=required", "networks.lab.srtp=required", "networks.lab.sip.client_ca="+a.File(),
		"trunks.pstn.transport=tls", "trunks.pstn.target="+trunk.String(), "trunks.pstn.ca_file="+a.File())...)
	first := l.srtpDesk(t, "1101", deskTone, phone.AnswerAfter(0))
	chief := l.srtpDesk(t, "1109", chiefTone, phone.Policy{})
	caller := newPhone(t, phone.Config{Name: "caller", Listen: trunk, Server: l.tls, Transport: "tls", SRTP: true,
		RTCP: true, TLS: l.believes(a.Certificate(citizen.String())), Speech: phone.Tone(callerTone, time.Second)})
	l.superviseTalk(t, "8", caller, first, chief)
	plainly(t, first, chief, caller)
}

// talksBy is the payload type that the last answer to an INVITE of a call has first.
func talksBy(c *phone.Call) (pt string) {
	for _, m := range c.Messages() {
		_, rest, ok := strings.Cut(string(m.Message.Bytes()), "m=audio ")
		if f := strings.Fields(rest); ok && len(f) > 2 && m.Message.Code == 200 {
			pt = f[2]
		}
	}
	return pt
}

// superviseTalk is a call of a citizen with 1101 which 1109 looks after, all of them by one codec.
func (l *lab) superviseTalk(t *testing.T, pt string, caller, first, chief *phone.Phone) {
	t.Helper()
	c := l.call(t, caller, "110")
	d := next(t, first)
	waitConfirmed(t, c)
	hears(t, c, deskTone)

	s := waitConfirmed(t, l.monitor(t, chief, "1101"))
	for who, call := range map[string]*phone.Call{"citizen": c, "desk": d, "supervisor": s} {
		if got := talksBy(call); pt != "" && got != pt {
			t.Errorf("%s: payload type %q is agreed on, want %q", who, got, pt)
		}
	}
	hearsAll(t, s, callerTone, deskTone)
	pushes(t, s, "5")
	hearsIn(t, d, chiefTone)
	loud := loudness(t, d)
	unheard(t, "while he whispers the citizen", c, loud)
	hearsAll(t, s, callerTone, deskTone)

	pushes(t, s, "4")
	hears(t, d, callerTone)
	unheard(t, "while he listens the desk", d, loud)
	unheard(t, "while he listens the citizen", c, loud)

	pushes(t, s, "6")
	hearsAll(t, c, deskTone, chiefTone)
	hearsAll(t, d, callerTone, chiefTone)
	hearsAll(t, s, callerTone, deskTone)

	hangUp(t, s)
	hears(t, c, deskTone)
	hears(t, d, callerTone)
	unheard(t, "without him the citizen", c, loud)
	if keys := c.Digits() + d.Digits(); keys != "" {
		t.Errorf("his keys were heard: %q", keys)
	}
	hangUp(t, d)
	ended(t, c)
	oneStream(t, c)
	oneStream(t, d)
}

// phoneCodecs gives each phone another codec first.
func phoneCodecs(user string) []phone.Codec {
	if user == "1101" {
		return []phone.Codec{phone.PCMU}
	}
	return []phone.Codec{phone.PCMA}
}

// Who may not look after a line is refused, and the story says so; 0 ends the call.
func TestSupervisorRefusedAndEnds(t *testing.T) {
	t.Parallel()
	l := startLab(t, watching...)
	first := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	chief, other := l.desk(t, "1109", chiefTone, phone.Policy{}), l.desk(t, "2109", partnerTone, phone.Policy{})
	refused := func(p *phone.Phone, of string, code int) {
		t.Helper()
		c := l.monitor(t, p, of)
		ended(t, c)
		if got := c.Ending().Code; got != code {
			t.Errorf("monitor%s: %d, want %d", of, got, code)
		}
	}
	refused(chief, "1101", 480)
	refused(other, "1101", 603)
	refused(chief, "4711", 404)
	c := l.call(t, l.caller(t, callerTone), "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	refused(other, "1101", 603)
	refused(first, "1101", 603)
	s := waitConfirmed(t, l.monitor(t, chief, "1101"))
	hearsAll(t, s, callerTone, deskTone)
	pushes(t, s, "0")
	ended(t, c, d, s)
	log := l.log.String()
	for _, want := range []string{"supervisor_refused", "detail=listen", "detail=end", "agent=2109", "agent=1109"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}

// attending waits until a call has the supervisors that are named, each with how he is in it.
func (l *lab) attending(t testing.TB, want ...string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, body := l.get(t, "/v1/calls")
		var calls []struct {
			Supervisors []struct{ User, Act string }
		}
		must(t, json.Unmarshal(body, &calls))
		var all []string
		for _, c := range calls {
			for _, s := range c.Supervisors {
				all = append(all, s.User+" "+s.Act)
			}
		}
		if got = strings.Join(all, ", "); got == strings.Join(want, ", ") {
			return
		}
	}
	t.Fatalf("the supervisors are %q, want %q", got, want)
}

// A supervisor follows a call through its phases: he hears the citizen and the desk, the three of a three-way call,
// the two desks in private, and is let go when the call is the other line's.
func TestSupervisorFollows(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.AnswerAfter(200*time.Millisecond), append(watching[:len(watching):len(watching)],
		"timers.settle=0s")...)
	chief, other := h.lab.desk(t, "1109", chiefTone, phone.Policy{}), h.lab.desk(t, "2109", otherTone, phone.Policy{})
	s := waitConfirmed(t, h.monitor(t, chief, "1101"))
	hearsAll(t, s, callerTone, deskTone)
	pushes(t, h.desk, "*3")
	p := waitConfirmed(t, next(t, h.partner))
	hearsAll(t, s, callerTone, partnerTone)
	hearsIn(t, s, deskTone)
	o := waitConfirmed(t, h.monitor(t, other, "2101"))
	hearsAll(t, o, callerTone, partnerTone)
	pushes(t, o, "5") // his desk alone hears it: neither the citizen, nor the other desk, nor its supervisor
	hearsIn(t, p, otherTone)
	for who, c := range map[string]*phone.Call{"the citizen": h.caller, "the other desk": h.desk, "its supervisor": s} {
		if got := phone.Share(latest(t, c, time.Second), otherTone); got > 1e-4 {
			t.Errorf("%s hears the whisper: %v of all that is heard", who, got)
		}
	}
	pushes(t, h.desk, "*2")
	hearsAll(t, s, deskTone, partnerTone)
	hearsNone(t, h.caller, deskTone, partnerTone, otherTone)
	pushes(t, h.desk, "*1")
	ended(t, h.desk, s)
	h.attending(t, "2109 whisper")
	hears(t, h.caller, partnerTone)
	pushes(t, o, "4")
	hears(t, p, callerTone)
	hangUp(t, h.caller)
	ended(t, p, o)
	oneStream(t, h.caller)
}

// otherTone is the other line's supervisor, Hz.
const otherTone = 1871.0

// A citizen waits and nobody is at a desk: the supervisor hears what the citizen hears and says, and has the citizen by
// joining, with a desk's keys from then on.
func TestSupervisorTakesWhoWaits(t *testing.T) {
	t.Parallel()
	l := startLab(t, append(watching[:len(watching):len(watching)], "hotlines.110.queue.answer=true")...)
	chief, partner := l.desk(t, "1109", chiefTone, phone.Policy{}), l.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	c := waitConfirmed(t, l.call(t, l.caller(t, callerTone), "110"))
	hearsNone(t, c)
	s := waitConfirmed(t, l.monitor(t, chief, "110"))
	hearsIn(t, s, callerTone)
	hearsNone(t, c, chiefTone)
	pushes(t, s, "6")
	hears(t, c, chiefTone)
	hears(t, s, callerTone)
	pushes(t, s, "*1")
	p := waitConfirmed(t, next(t, partner))
	ended(t, s)
	hears(t, c, partnerTone)
	hangUp(t, c)
	ended(t, p)
	if e := readEntries(t, l.redis, "liandong:tickets:12345", 2)[0]; e["from_agent"] != "1109" {
		t.Errorf("the stub says %v", e)
	}
}

// The desk dies under a supervisor: who listens is nobody, and a colleague has the citizen; who has joined has the
// desk's place. The supervisor dies: nobody notices.
func TestSupervisorAndDeath(t *testing.T) {
	t.Parallel()
	l := startLab(t, watching...)
	var dead atomic.Bool
	chief := newPhone(t, phone.Config{User: "1109", Password: "lab-1109", Domain: domain, Server: l.server,
		Speech: phone.Tone(chiefTone, time.Second), Lose: func(bool, *phone.Message) bool { return dead.Load() }})
	must(t, chief.Register(within(t, 10*time.Second)))
	var deskDead atomic.Bool
	first := newPhone(t, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: l.server,
		Speech: phone.Tone(deskTone, time.Second), Policy: phone.AnswerAfter(0),
		Lose: func(bool, *phone.Message) bool { return deskDead.Load() }})
	must(t, first.Register(within(t, 10*time.Second)))
	c := l.call(t, l.caller(t, callerTone), "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	s := waitConfirmed(t, l.monitor(t, chief, "1101"))
	hearsAll(t, s, callerTone, deskTone)

	second := l.desk(t, "1102", partnerTone, phone.AnswerAfter(0))
	deskDead.Store(true)
	d.Voice().Mute()
	e := waitConfirmed(t, next(t, second)) // the supervisor is no desk
	hears(t, c, partnerTone)
	hearsAll(t, s, callerTone, partnerTone)
	pushes(t, s, "6")
	hearsAll(t, c, partnerTone, chiefTone)
	hangUp(t, e)
	hears(t, c, chiefTone) // he has the citizen
	hears(t, s, callerTone)
	hangUp(t, s)
	ended(t, c)

	c = l.call(t, l.caller(t, callerTone), "110")
	e = next(t, second)
	hears(t, waitConfirmed(t, c), partnerTone)
	s = waitConfirmed(t, l.monitor(t, chief, "1102"))
	hearsAll(t, s, callerTone, partnerTone)
	l.attending(t, "1109 listen")
	dead.Store(true)
	s.Voice().Mute()
	l.attending(t)
	hears(t, c, partnerTone)
	hears(t, e, callerTone)
	oneStream(t, c)
	hangUp(t, c)
	ended(t, e)
}

// A recording says who listened, whispered and joined, from when to when, and has what who joined has said on a channel
// of its own; his whisper it has not. A worker that is killed meanwhile takes nobody out of the call.
func TestSupervisorOutlivesTheWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), append(watching[:len(watching):len(watching)],
		"hotlines.110.recording.mode=always", "hotlines.110.recording.announce=none")...)
	first, chief := s.desk(t, "1101", deskTone, phone.AnswerAfter(0)), s.desk(t, "1109", chiefTone, phone.Policy{})
	c := s.call(t, s.caller(t, callerTone), "110")
	d := next(t, first)
	hears(t, waitConfirmed(t, c), deskTone)
	w := waitConfirmed(t, s.monitor(t, chief, "1101"))
	hearsAll(t, w, callerTone, deskTone)
	kill := func() {
		time.Sleep(killGap) // a worker that dies too often takes its calls with it
		s.kill(t)
	}
	kill()
	hearsAll(t, w, callerTone, deskTone)
	pushes(t, w, "5")
	hearsIn(t, d, chiefTone)
	kill()
	hearsIn(t, d, chiefTone)
	hears(t, c, deskTone)
	pushes(t, w, "6")
	hearsAll(t, c, deskTone, chiefTone)
	kill()
	hearsAll(t, c, deskTone, chiefTone)
	hangUp(t, w)
	hears(t, c, deskTone)
	ref := ""
	for _, e := range wholeStream(t, s.redis, "liandong:calls") {
		ref = cmp.Or(ref, e["recording_ref"])
	}
	hangUp(t, c)
	ended(t, d)
	m := s.closedRecording(t, ref)
	var ways []string
	for _, a := range m.Attended {
		if a.User != "1109" || a.Line != "110" || a.From.IsZero() || !a.To.After(a.From) {
			t.Errorf("%+v", a)
		}
		ways = append(ways, a.Mode)
	}
	if got := strings.Join(ways, " "); got != "listen whisper join" {
		t.Errorf("the recording tells of %q", got)
	}
	_, wav := s.get(t, "/v1/recordings/"+ref)
	tracks := channels(t, wav)
	if len(tracks) != 4 || m.Channels[3].Role != "supervisor" {
		t.Fatalf("%d channels, %+v", len(tracks), m.Channels)
	}
	joined := m.Attended[2].From.Sub(m.Started) - 200*time.Millisecond
	if early := tracks[3][:int(joined.Seconds()*8000)]; phone.Loudness(early) > 10 || fits(tracks[3], chiefTone) < 0.9 {
		t.Errorf("before he joined the supervisor's channel has loudness %v, after it his voice by %v",
			phone.Loudness(early), fits(tracks[3], chiefTone))
	}
}
