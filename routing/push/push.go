// Package push brings ticket entries by HTTP to systems that read no Redis: each entry of their hotlines as a signed
// POST, in the order of the stream, again and again until it is taken. What has been taken is known by a consumer group
// of the stream, so that nothing is lost when either side ends in between; it may come twice, and has an event_id.
//
// Of the switches on one Redis the one that keeps its books pushes.
package push

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"liandong/routing/desk"
	"liandong/routing/link"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// Config is one receiver.
type Config struct {
	link.Config // where Redis is

	Name     string   // among the receivers; part of its consumer group
	Node     string   // this switch's name
	Hotlines []string // whose entries it gets
	URL      string
	Secret   desk.Secret // signs what is sent
	TLS      *tls.Config // nil: as the system trusts
	Timeout  time.Duration
	Retry    time.Duration // first pause after a failure; each is twice as long
	MaxRetry time.Duration // up to this
	Poll     time.Duration // between two looks when there is nothing to do
}

// Default is a Config without a receiver.
func Default() Config {
	return Config{Config: link.Default(), Timeout: 10 * time.Second, Retry: time.Second, MaxRetry: time.Minute,
		Poll: 200 * time.Millisecond}
}

// Group is the consumer group of a receiver, in the streams of its hotlines.
func Group(name string) string { return "push-" + name }

// Streams are those that it reads.
func (c Config) Streams() (names []string) {
	for _, h := range c.Hotlines {
		names = append(names, ticket.StreamOf(h))
	}
	return names
}

// Pusher works between Start and Stop.
type Pusher struct {
	cfg    Config
	log    *slog.Logger
	leads  func() bool // this switch is the one that works
	read   *outbox.Reader
	client *http.Client
	stats  counters

	given   *outbox.Consumer // owned by run; nil: to be joined
	failing string           // owned by run: what was logged last, until it is well again
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

// counters are what Stats reports. All fields are atomic.
type counters struct{ delivered, failed, refused, failing atomic.Uint64 }

// Stats is how it stands.
type Stats struct {
	Delivered uint64 // entries that the receiver took
	Failed    uint64 // attempts that did not succeed
	Refused   uint64 // entries that it will not have, and that were passed over
	Up        bool   // the last attempt succeeded
}

// New makes a pusher that connects when it is started.
func New(cfg Config, leads func() bool, log *slog.Logger) (*Pusher, error) {
	read, err := outbox.NewReader(outbox.Config{Config: cfg.Config})
	if err != nil {
		return nil, fmt.Errorf("push: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: cfg.TLS, MaxIdleConns: 2, IdleConnTimeout: time.Minute}
	client := &http.Client{Transport: transport, Timeout: cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Pusher{cfg: cfg, log: log.With("webhook", cfg.Name), leads: leads, read: read, client: client}, nil
}

// Start begins to work. Call it once.
func (p *Pusher) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() { p.run(ctx) })
}

// Stop ends the work and waits for it; an entry that is on its way is sent again by whoever works next.
func (p *Pusher) Stop() {
	if p.cancel != nil {
		p.cancel()
	}
	link.Finish(p.done.Wait, p.read.Close)
	p.client.CloseIdleConnections()
}

// Name is the receiver's.
func (p *Pusher) Name() string { return p.cfg.Name }

// Stats tells how it stands.
func (p *Pusher) Stats() Stats {
	return Stats{Delivered: p.stats.delivered.Load(), Failed: p.stats.failed.Load(), Refused: p.stats.refused.Load(),
		Up: p.stats.failing.Load() == 0}
}

func (p *Pusher) run(ctx context.Context) {
	pause := p.cfg.Retry
	for ctx.Err() == nil {
		err := p.pass(ctx)
		p.told(ctx, err)
		wait := p.cfg.Poll
		if err != nil { // whatever is not acknowledged is given again
			p.given = nil
			wait = max(pause, wanted(err))
			pause = min(2*pause, p.cfg.MaxRetry)
		} else {
			pause = p.cfg.Retry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// pass sends all that there is now, if this switch is the one that works.
func (p *Pusher) pass(ctx context.Context) error {
	for p.leads() && ctx.Err() == nil {
		if p.given == nil {
			if err := p.makeGroup(ctx); err != nil {
				return err
			}
		}
		list, err := p.read.Next(ctx, p.given, 0)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, m := range list {
			if !p.leads() {
				return nil
			}
			if err := p.deliver(ctx, m); err != nil {
				return err
			}
		}
	}
	p.given = nil // another one works now, or nobody does
	return nil
}

// makeGroup makes the group, and takes over what whoever worked before was given.
func (p *Pusher) makeGroup(ctx context.Context) error {
	group, streams := Group(p.cfg.Name), p.cfg.Streams()
	if err := p.read.MakeGroup(ctx, group, streams...); err != nil {
		return err
	}
	if err := p.read.Claim(ctx, group, p.cfg.Node, 0, streams...); err != nil {
		return err
	}
	const batch = 20
	p.given = &outbox.Consumer{Group: group, Name: p.cfg.Node, Streams: streams, Count: batch}
	return nil
}

// told logs each new kind of failure, and its end.
func (p *Pusher) told(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil:
		p.stats.failing.Store(1)
		if text := link.Plain(err); text != p.failing {
			p.failing = text
			p.log.Warn("push: an entry cannot be delivered, trying again", "err", text)
		}
	case p.failing != "":
		p.failing = ""
		p.stats.failing.Store(0)
		p.log.Info("push: entries are delivered again")
	}
}

// pushed is the body of a request.
type pushed struct {
	Stream string            `json:"stream"`
	ID     string            `json:"id"`
	Entry  map[string]string `json:"entry"`
}

// Headers of a request.
const (
	SignatureHeader = "X-Liandong-Signature"
	EventHeader     = "X-Liandong-Event-Id"
)

// refusals are answers after which the same entry would be refused again.
var refusals = []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
	http.StatusUnprocessableEntity}

// deliver sends one entry and acknowledges it when it was taken, or will never be.
func (p *Pusher) deliver(ctx context.Context, m outbox.Message) error {
	body, err := json.Marshal(pushed{m.Stream, m.ID, m.Fields})
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	status, err := p.post(ctx, body, m.Fields["event_id"])
	switch {
	case err != nil:
		p.stats.failed.Add(1)
		return err
	case slices.Contains(refusals, status):
		p.stats.refused.Add(1)
		p.log.Error("push: the receiver refuses an entry; it is passed over, and stays in its stream",
			"status", status, "stream", m.Stream, "id", m.ID, "event_id", m.Fields["event_id"])
	default:
		p.stats.delivered.Add(1)
	}
	return p.read.Ack(ctx, Group(p.cfg.Name), m)
}

// failure is an answer after which the entry is sent again.
type failure struct {
	status int
	after  time.Duration // what the receiver wishes
}

func (f failure) Error() string { return fmt.Sprintf("push: the receiver answers %d", f.status) }

// wanted is how long the receiver wishes to be left alone.
func wanted(err error) time.Duration {
	if f, ok := errors.AsType[failure](err); ok {
		return f.after
	}
	return 0
}

// longest pause that a receiver may wish.
const longest = 10 * time.Minute

func (p *Pusher) post(ctx context.Context, body []byte, event string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("push: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "liandong")
	req.Header.Set(EventHeader, event)
	req.Header.Set("Idempotency-Key", event)
	req.Header.Set(SignatureHeader, Signature(p.cfg.Secret.Reveal(), time.Now(), body))
	answer, err := p.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("push: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 == 2 || slices.Contains(refusals, answer.StatusCode) {
		return answer.StatusCode, nil
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return 0, failure{answer.StatusCode, min(time.Duration(max(seconds, 0))*time.Second, longest)}
}

// Signature is the header by which a receiver knows that a body is ours and when it was sent: t=SECONDS,v1=HEX, with
// the HMAC-SHA256 of SECONDS, a dot and the body.
func Signature(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
