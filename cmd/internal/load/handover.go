package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/media/dtmf"
)

// Handover is calls that stand at once and are handed over one after the other, by a key of the desk's or by its REFER.
type Handover struct {
	Target
	Calls      int    `placeholder:"N" default:"1" help:"How many calls stand at once (default: ${default})."`
	By         string `enum:"key,refer" default:"key" help:"The desk presses a key (RFC 4733), or transfers blindly with REFER: key or refer (default: ${default})."`
	Key        string `placeholder:"DIGITS" default:"*1" help:"The desk's key for a hand-over (default: ${default})."`
	TransferTo string `placeholder:"NUMBER" default:"12345" help:"Where a REFER points; {n} is the number of the desk's call from 0, {partner} a partner's user (default: ${default})."`
}

// Check names every option that will not do.
func (c Handover) Check() error {
	return errors.Join(c.check(), c.checkCalls(c.Calls, true), checkKey(c.Key),
		allowed(c.TransferTo != "" && !strings.ContainsAny(c.TransferTo, " <>\r\n"), "transfer-to", c.TransferTo,
			"a number or user"))
}

func checkKey(key string) error {
	ok := key != "" && len(key) <= 8 && strings.Trim(key, dtmf.Keys) == ""
	return allowed(ok, "key", key, "1 to 8 of "+dtmf.Keys)
}

// transfer is one desk's hand-over.
type transfer struct {
	n      int
	desk   *phone.Call
	voice  *voice
	asked  time.Time // of a REFER; a key's time is in the stream
	failed string
}

// Measure runs it.
func (c Handover) Measure(ctx context.Context) (*Report, error) {
	r, err := start(ctx, "handover", c.Target, needs{desks: c.Calls, partners: c.Calls, sound: true,
		streams: 3 * c.Calls})
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var at []*phone.Call // desks' calls
	var to []*phone.Call // partners' calls
	listening, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	into := func(list *[]*phone.Call) func(*phone.Call) {
		return func(call *phone.Call) { mu.Lock(); defer mu.Unlock(); *list = append(*list, call) }
	}
	incoming(listening, &wg, r.desks, into(&at))
	incoming(listening, &wg, r.partners, into(&to))
	r.setUp(ctx, c.Calls)
	mu.Lock()
	talking := at
	mu.Unlock()
	var done []*transfer
	err = r.window(ctx, maxDuration, func(ctx context.Context) { done = c.handAll(ctx, r, talking) })
	released := c.released(ctx, done)
	report, e := r.finish(ctx, c.Calls)
	stop()
	wg.Wait()
	r.collect(false)
	report.Handover = c.outcome(r, done, to)
	report.Handover.Released = released
	return report, errors.Join(err, e)
}

// handAll lets every desk hand its call over, at the rate, and waits until each caller has heard a partner.
func (c Handover) handAll(ctx context.Context, r *run, talking []*phone.Call) (done []*transfer) {
	var wg sync.WaitGroup
	for n, call := range talking {
		v, ok := voiceOf(call)
		if !ok || call.State() == phone.Ended {
			continue
		}
		t := &transfer{n: n, desk: call, voice: v}
		done = append(done, t)
		if c.By == "refer" {
			wg.Go(func() { c.refer(ctx, t) })
		} else if !v.press(c.Key) {
			t.failed = "the server takes no keys by RFC 4733"
		}
		if !sleep(ctx, time.Duration(float64(time.Second)/c.Rate)) {
			break
		}
	}
	wg.Wait()
	waitFor(ctx, patience+c.AnswerAfter, func() bool { return r.reached() >= len(done) })
	sleep(ctx, settle)
	return done
}

// refer is a blind transfer (RFC 3515, RFC 5589 §6).
func (c Handover) refer(ctx context.Context, t *transfer) {
	number := strings.NewReplacer("{n}", fmt.Sprint(t.n), "{partner}", fmt.Sprint(c.Partner+t.n)).Replace(c.TransferTo)
	t.asked = time.Now()
	err := within(ctx, func(ctx context.Context) error {
		_, err := t.desk.Request(ctx, "REFER", []phone.Header{
			{Name: "Refer-To", Value: "<sip:" + number + "@" + c.Server.String() + ">"},
			{Name: "Referred-By", Value: "<sip:" + fmt.Sprint(c.Desk) + "@" + c.Domain + ">"},
		}, nil)
		return err
	})
	if status, ok := errors.AsType[*phone.StatusError](err); ok {
		t.failed = fmt.Sprintf("REFER %d %s", status.Code, status.Phrase)
	} else if err != nil {
		t.failed = err.Error()
	}
}

// reached counts the callers who have heard a partner.
func (r *run) reached() (n int) {
	r.engine.each(func(s *stream) {
		if s.side == caller && s.counted.firstOf(partner) != 0 {
			n++
		}
	})
	return n
}

// firstOf is when the first packet of a side came, ns; 0: none did.
func (c *counted) firstOf(s side) (first int64) {
	for i := range c.heard {
		if h := &c.heard[i]; h.any && h.by() == s && (first == 0 || h.first < first) {
			first = h.first
		}
	}
	return first
}

// released counts the desks that are let go; those that a REFER left in their calls hang up as RFC 5589 §6.1 has it.
func (c Handover) released(ctx context.Context, done []*transfer) (n int) {
	for _, t := range done {
		if t.desk.State() == phone.Ended {
			n++
		} else if c.By == "refer" && t.failed == "" && within(ctx, t.desk.Hangup) == nil {
			n++
		}
	}
	return n
}

// outcome puts desks, callers and partners together by who heard whom, and says what became of each hand-over.
func (c Handover) outcome(r *run, done []*transfer, to []*phone.Call) *Transfers {
	h := &Transfers{Tried: len(done), Failed: map[string]int{}}
	byID := map[uint32]*stream{}
	r.engine.each(func(s *stream) { byID[s.id] = s })
	rang := map[uint32]*phone.Call{}
	for _, call := range to {
		if v, ok := voiceOf(call); ok {
			rang[v.stream.id] = call
		}
	}
	var ring, hear, answer times
	for _, t := range done {
		key, call, first, why := t.result(byID, rang)
		if why != "" {
			h.Failed[why]++
			continue
		}
		h.Done++
		ring.add(call.At(phone.Calling).Sub(key))
		hear.add(first.Sub(key))
		answer.add(first.Sub(call.At(phone.Confirmed)))
	}
	h.Ring, h.Hear, h.Answer = ring.summary(), hear.summary(), answer.summary()
	return h
}

// result is when the key came, the partner's call, and when the caller first heard the partner; or why there is none.
func (t *transfer) result(byID map[uint32]*stream, rang map[uint32]*phone.Call) (key time.Time, to *phone.Call,
	first time.Time, why string) {
	s := t.voice.stream
	if key = t.asked; key.IsZero() && len(s.presses) > 0 {
		key = time.Unix(0, s.presses[len(s.presses)-1])
	}
	if t.failed != "" || key.IsZero() {
		return key, nil, first, cmp.Or(t.failed, "no key was sent")
	}
	from := s.counted.mostOf(caller)
	if from == nil || byID[from.speaker] == nil {
		return key, nil, first, "the desk never heard its caller"
	}
	heard := byID[from.speaker].counted.mostOf(partner)
	if heard == nil || rang[heard.speaker] == nil {
		return key, nil, first, "the caller never heard a partner"
	}
	return key, rang[heard.speaker], time.Unix(0, heard.first), ""
}
