// Package demo plays the whole job on loopback: a switch with an embedded
// Redis, and three SIP phones with real speech. It prints what passed, and it
// checks what it shows: the sound that each party really received, the number
// that the partner's phone saw, and the ticket entries.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/demo/speech"
	"liandong/cmd/internal/phone"
	"liandong/configs"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// Options say where the demo writes.
type Options struct {
	WAVDir string    // keep what each party heard there; "" keep nothing
	Out    io.Writer // the ladders, times and entries
}

// patience is how long the demo waits for anything that should happen at once.
const patience = 15 * time.Second

// citizen is the address of the trunk in the lab's config.
var citizen = netip.MustParseAddr("127.0.0.10")

// Run plays the cases; an error says what was promised and did not happen.
func Run(ctx context.Context, o Options) error {
	s, err := raise(ctx, o)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer s.close()
	var failed []error
	for _, c := range cases {
		if err := s.play(ctx, c); err != nil {
			failed = append(failed, fmt.Errorf("demo: (%s) %w", c.name, err))
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	_, err = fmt.Fprintln(o.Out, "\nAll that was promised happened.")
	return err
}

// stage is the switch, its Redis and the three phones.
type stage struct {
	Options
	dir      string
	server   netip.AddrPort
	redis    *miniredis.Miniredis
	app      *app.App
	cfg      *configs.Config
	reader   *outbox.Reader
	consumer *outbox.Consumer
	phones   map[string]*phone.Phone // by role
	voices   map[string][]int16
}

// The roles of the three phones.
const (
	caller = "caller"
	police = "110 desk"
	gov    = "12345 desk"
)

func raise(ctx context.Context, o Options) (_ *stage, err error) {
	s := &stage{Options: o, phones: map[string]*phone.Phone{}, voices: map[string][]int16{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "liandong-demo-"); err != nil {
		return nil, err
	}
	if s.redis, err = miniredis.Run(); err != nil {
		return nil, err
	}
	if s.server, err = freePort(netip.MustParseAddr("127.0.0.1")); err != nil {
		return nil, err
	}
	web, err := freePort(s.server.Addr())
	if err != nil {
		return nil, err
	}
	if s.cfg, err = configs.Lab(configs.Options{Set: []string{
		"networks.lab.sip.udp=" + s.server.String(), "networks.lab.sip.tcp=" + s.server.String(),
		"redis.url=redis://" + s.redis.Addr() + "/0", "outbox.path=" + filepath.Join(s.dir, "outbox.db"),
		"http.listen=" + web.String(),
	}}); err != nil {
		return nil, err
	}
	if s.app, err = app.New(s.cfg, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))); err != nil {
		return nil, err
	}
	if err := s.app.Start(); err != nil {
		s.app = nil
		return nil, err
	}
	if err := s.subscribe(ctx); err != nil {
		return nil, err
	}
	return s, s.connect(ctx)
}

// subscribe joins the ticket streams as a ticket system does.
func (s *stage) subscribe(ctx context.Context) (err error) {
	if s.reader, err = outbox.NewReader(s.cfg.Outbox()); err != nil {
		return err
	}
	s.consumer = &outbox.Consumer{Group: "demo", Name: "demo", Count: 100}
	for _, id := range s.cfg.HotlineIDs() {
		s.consumer.Streams = append(s.consumer.Streams, ticket.StreamOf(id))
	}
	return s.reader.Join(ctx, s.consumer.Group, s.consumer.Streams...)
}

// connect makes the phones; the desks register with digest.
func (s *stage) connect(ctx context.Context) error {
	for role, p := range map[string]struct{ voice, user string }{
		caller: {voice: "caller"}, police: {"desk110", "1101"}, gov: {"desk12345", "2101"},
	} {
		voice, err := speech.Samples(p.voice)
		if err != nil {
			return err
		}
		s.voices[role] = voice
		cfg := phone.Config{
			Name: role, Listen: netip.AddrPortFrom(citizen, 0), Server: s.server, Speech: voice, Record: true, RTCP: true,
		}
		if p.user != "" {
			cfg.Listen = netip.AddrPortFrom(s.server.Addr(), 0)
			cfg.User, cfg.Password, cfg.Domain = p.user, "lab-"+p.user, s.cfg.Realm
		}
		if s.phones[role], err = phone.New(cfg); err != nil {
			return err
		}
		if p.user != "" {
			if err := within(ctx, s.phones[role].Register); err != nil {
				return fmt.Errorf("%s registers: %w", role, err)
			}
		}
	}
	return nil
}

// freePort finds a port that is free for UDP and TCP.
func freePort(addr netip.Addr) (netip.AddrPort, error) {
	for range 100 {
		l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		if err != nil {
			return netip.AddrPort{}, err
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return at, nil
		}
	}
	return netip.AddrPort{}, errors.New("no port is free for UDP and TCP")
}

func (s *stage) close() {
	for _, p := range s.phones {
		p.Close()
	}
	if s.reader != nil {
		s.reader.Close()
	}
	if s.app != nil {
		s.app.Stop()
	}
	if s.redis != nil {
		s.redis.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return f(ctx)
}
