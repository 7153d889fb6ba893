package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/cmd/internal/remote"
	"liandong/cmd/internal/trace"
	"liandong/media/pcm"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// How alike two sounds must be to be called the same, and how little to be
// called different: one voice alone, one of two voices mixed, a voice that must
// not be there.
const (
	alone   = 0.7
	mixed   = 0.35
	foreign = 0.3
)

// How much is listened to at a time: of a voice, and of an announcement.
const (
	window = 1500 * time.Millisecond
	phrase = 600 * time.Millisecond
)

// scene is one case being played.
type scene struct {
	*stage
	ctx                    context.Context
	caller, taker, partner *phone.Call
	key                    time.Time
	read                   []outbox.Message
	times                  []string
	kept                   int // promises
	missing                []error
}

// missed ends a case that cannot go on.
type missed struct{ error }

func (s *stage) play(ctx context.Context, c one) error {
	sc := &scene{stage: s, ctx: ctx}
	sc.printf("\n%s\n", s.paint(bold, fmt.Sprintf("(%s) %s", c.name, s.in(c.title[0], c.title[1]))))
	if err := s.prepare(c); err != nil {
		return err
	}
	sc.run(c.play)
	sc.show()
	s.outcomes = append(s.outcomes, outcome{c, sc.kept, len(sc.missing), sc.times})
	return errors.Join(append(sc.missing, sc.keep(c.name))...)
}

func (s *stage) prepare(c one) error {
	return errors.Join(
		s.phones[police].SetPolicy(phone.AnswerAfter(300*time.Millisecond)),
		s.phones[gov].SetPolicy(c.partner),
	)
}

// run plays until the end, or until something that must be is not.
func (s *scene) run(play func(*scene)) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case missed:
		default:
			panic(r)
		}
		for _, c := range []*phone.Call{s.caller, s.taker, s.partner} {
			if c != nil && c.State() != phone.Ended {
				_ = within(s.ctx, c.Hangup) // what is left of a case that went wrong
			}
		}
	}()
	play(s)
}

func (s *scene) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format, args...) }

// check notes something that was promised.
func (s *scene) check(ok bool, what, found string, args ...any) {
	what = s.words(what)
	if ok {
		s.kept++
		s.printf("  %s %s\n", s.paint(green, "✓"), what)
		return
	}
	err := fmt.Errorf("%s: %s", what, fmt.Sprintf(found, args...))
	s.printf("  %s %v\n", s.paint(red, "✗"), err)
	s.missing = append(s.missing, err)
}

// must is a check without which the case cannot go on.
func (s *scene) must(what string, err error) {
	s.check(err == nil, what, "%v", err)
	if err != nil {
		panic(missed{err})
	}
}

func (s *scene) next(role string) *phone.Call {
	select {
	case c := <-s.phones[role].Incoming():
		return c
	case <-time.After(patience):
	case <-s.ctx.Done():
	}
	s.must(role+"'s phone rings", errors.New("no call came"))
	return nil
}

// hears checks that a party hears just these voices, and not its own.
func (s *scene) hears(c *phone.Call, self string, voices ...string) {
	enough := alone
	if len(voices) > 1 {
		enough = mixed
	}
	var last string
	err := within(s.ctx, func(ctx context.Context) error {
		return c.WaitHeard(ctx, window, func(heard []int16) bool {
			ok := true
			last = ""
			for _, role := range []string{caller, police, gov} {
				_, r := pcm.Correlate(heard, s.twice(role), 1<<20)
				last += fmt.Sprintf(", %s %.2f", role, r)
				ok = ok && fits(r, role, voices, enough)
			}
			return ok
		})
	})
	what := fmt.Sprintf("%s hears %s", self, strings.Join(voices, " and "))
	s.check(err == nil, what+" (likeness: "+strings.TrimPrefix(last, ", ")+")", "%v", err)
}

// fits says whether one voice is as loud in what was heard as it should be.
func fits(r float64, role string, voices []string, enough float64) bool {
	for _, v := range voices {
		if v == role {
			return r >= enough
		}
	}
	return r < foreign
}

// twice is a voice long enough to find any stretch of its loop in.
func (s *scene) twice(role string) []int16 {
	return append(append([]int16(nil), s.voices[role]...), s.voices[role]...)
}

// hearsClip checks that a party hears an announcement.
func (s *scene) hearsClip(c *phone.Call, name, what string) {
	clip, ok := s.cfg.Engine().Prompts.Get(name)
	if !ok {
		s.must(what, fmt.Errorf("there is no clip %s", name))
	}
	var sound []int16
	for i := range clip.Len() {
		sound = append(sound, clip.Frame(i)[:]...)
	}
	err := within(s.ctx, func(ctx context.Context) error {
		return c.WaitHeard(ctx, phrase, func(heard []int16) bool {
			_, r := pcm.Correlate(heard, sound, 1<<20)
			return r >= alone
		})
	})
	s.check(err == nil, what, "%v", err)
}

// firstHeard is when a voice was first heard in a call.
func (s *scene) firstHeard(c *phone.Call, role string) time.Time {
	const stretch, step = 2400, 160
	heard, voice := c.Heard(), s.twice(role)
	for at := int(s.key.Sub(c.HeardSince()).Seconds() * pcm.Rate); at+stretch <= len(heard); at += step {
		if _, r := pcm.Correlate(heard[at:at+stretch], voice, 1<<20); r >= mixed {
			return c.HeardSince().Add(time.Duration(at+stretch) * time.Second / pcm.Rate)
		}
	}
	return time.Time{}
}

func (s *scene) time(what string, from, to time.Time) {
	s.check(to.After(from), "measured: "+what, "it never came")
	s.times = append(s.times, fmt.Sprintf("%s: %d ms", s.words(what), to.Sub(from).Milliseconds()))
}

// unbroken checks that a phone saw one RTP stream from beginning to end.
func (s *scene) unbroken(c *phone.Call, who string) {
	t := c.Continuity()
	s.check(t.Unbroken(), who+" received one RTP stream without a break", "%+v", t)
}

// entries waits for exactly these entries of one stub.
func (s *scene) entries(events ...ticket.Event) {
	for until := time.Now().Add(patience); len(s.read) < len(events) && time.Now().Before(until); {
		list, err := s.reader.Next(s.ctx, s.consumer, 100*time.Millisecond)
		s.read = append(s.read, list...)
		if err != nil {
			s.must("the stream can be read", err)
		}
		s.must("entries are acknowledged", s.ack(list))
	}
	ok := len(s.read) == len(events)
	var got []string
	for i, m := range s.read {
		got = append(got, string(m.Entry.Event))
		ok = ok && m.Err == nil && m.Entry.Event == events[i] && m.Entry.StubID == s.read[0].Entry.StubID &&
			m.Stream == "liandong:tickets:12345" && m.Entry.CallerE164 == "+86"+number
	}
	s.check(ok, fmt.Sprintf("the ticket entries %v are in liandong:tickets:12345", events), "there are %v", got)
	if len(s.read) > 0 {
		s.time("key → entry readable in the stream", s.key, added(s.read[0].ID))
	}
}

func (s *scene) ack(list []outbox.Message) error {
	if len(list) == 0 {
		return nil
	}
	return s.reader.Ack(s.ctx, s.consumer.Group, list...)
}

// added is when Redis took an entry: its id begins with the time.
func added(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n + 1) // ids are cut to whole milliseconds
}

// field checks a field of the last entry.
func (s *scene) field(name, want string) {
	if len(s.read) > 0 {
		got := s.read[len(s.read)-1].Fields[name]
		s.check(got == want, name+" is "+want, "it is %q", got)
	}
}

// show prints what passed: the ladder, the times, the entries.
func (s *scene) show() {
	s.printf("\n  %s\n", s.in("经过：消息、按键、提示音、谁听到谁（秒）",
		"what passed: messages, keys, announcements, who hears whom (seconds)"))
	if err := s.ladder(); err != nil {
		s.printf("    %v\n", err)
	}
	s.printf("\n  %s\n", s.in("时间", "times"))
	for _, t := range s.times {
		s.printf("    %s\n", t)
	}
	s.printf("\n  %s\n", s.in("用 XREADGROUP 读到的存根条目", "ticket entries, read with XREADGROUP"))
	for _, m := range s.read {
		s.printf("    %s %s\n", m.Stream, m.ID)
		for f := range slices.Chunk(m.Entry.Fields(), 2) {
			s.printf("      %-16s %s\n", f[0], f[1])
		}
	}
}

// ladder prints the call as the switch has kept it.
func (s *scene) ladder() error {
	if len(s.read) == 0 {
		return nil
	}
	sw, err := remote.Of(s.cfg.API())
	if err != nil {
		return err
	}
	text, err := sw.Ask(s.ctx, http.MethodGet, "/v1/calls/"+s.read[0].Entry.CallRef+"/trace", nil)
	if err != nil {
		return err
	}
	var l trace.Ladder
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	return trace.Text(s.Out, l, s.cfg.Lang, false)
}

// keep writes what each party heard.
func (s *scene) keep(name string) error {
	if s.WAVDir == "" {
		return nil
	}
	if err := os.MkdirAll(s.WAVDir, 0o755); err != nil {
		return err
	}
	for role, c := range map[string]*phone.Call{"caller": s.caller, "110": s.taker, "12345": s.partner} {
		if c == nil {
			continue
		}
		if err := save(filepath.Join(s.WAVDir, name+"-"+role+".wav"), c.Heard()); err != nil {
			return err
		}
	}
	return nil
}

func save(file string, sound []int16) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return phone.WriteWAV(f, sound)
}
