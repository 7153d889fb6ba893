// Package demo plays the whole job on loopback: a switch with an embedded
// Redis, and three SIP phones with real speech. It prints what passed, and it
// checks what it shows: the sound that each party really received, the number
// that the partner's phone saw, and the ticket entries.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
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
	WAVDir  string    // keep what each party heard there; "" keep nothing
	Out     io.Writer // the ladders, times and entries
	Console bool      // open the console, and say how to sign in
	Stay    bool      // go on with a call every few seconds, until ctx ends
	Lang    string    // "zh" or "en"

	Terminal bool // Out is one: with colours, and a table at the end
}

// pause is how long there is no call between two, with Stay.
const pause = 4 * time.Second

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
	s.welcome()
	var failed []error
	for _, c := range cases {
		if err := s.play(ctx, c); err != nil {
			failed = append(failed, fmt.Errorf("demo: (%s) %w", c.name, err))
		}
	}
	s.table()
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	if _, err = fmt.Fprintln(o.Out, "\n"+s.in("答应的都做到了。", "All that was promised happened.")); err != nil ||
		!o.Stay {
		return err
	}
	fmt.Fprintln(o.Out, s.in("每隔几秒还有一通电话，按 Ctrl-C 结束。",
		"Calls go on every few seconds; Ctrl-C ends them."))
	s.stay(ctx)
	return nil
}

// stay plays the cases again and again, and says nothing.
func (s *stage) stay(ctx context.Context) {
	s.Out, s.WAVDir = io.Discard, ""
	for i := 0; ; i++ {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		_ = s.play(ctx, cases[i%len(cases)]) // it is looked at, not checked
	}
}

// welcome says where the console is, and who may sign in.
func (s *stage) welcome() {
	if s.password == "" {
		return
	}
	fmt.Fprintf(s.Out, s.in("控制台 http://%s/ ：用户 demo（管理员）、desk（110 坐席 1101），密码 %s\n",
		"Console at http://%s/: users demo (an admin) and desk (seat 1101 of 110), password %s\n"), s.console,
		s.password)
}

// in is a text in the language of the demo.
func (o Options) in(zh, en string) string {
	if o.Lang == "zh" {
		return zh
	}
	return en
}

// stage is the switch, its Redis and the three phones.
type stage struct {
	Options
	dir      string
	server   netip.AddrPort
	console  netip.AddrPort
	password string // of the console's users; "": there is no console
	redis    *miniredis.Miniredis
	app      *app.App
	cfg      *configs.Config
	reader   *outbox.Reader
	consumer *outbox.Consumer
	phones   map[string]*phone.Phone // by role
	voices   map[string][]int16
	outcomes []outcome
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
	free, err := freePorts(netip.MustParseAddr("127.0.0.1"), 3)
	if err != nil {
		return nil, err
	}
	var web netip.AddrPort
	s.server, web, s.console = free[0], free[1], free[2]
	if s.cfg, err = configs.Lab(configs.Options{Set: append(s.pages(),
		"networks.lab.sip.udp="+s.server.String(), "networks.lab.sip.tcp="+s.server.String(),
		"redis.url=redis://"+s.redis.Addr()+"/0", "outbox.path="+filepath.Join(s.dir, "outbox.db"),
		"http.listen="+web.String(),
	)}); err != nil {
		return nil, err
	}
	if s.app, err = app.New(s.cfg, nil, slog.New(slog.NewTextHandler(os.Stderr,
		&slog.HandlerOptions{Level: slog.LevelWarn}))); err != nil {
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

// pages are the settings of a console with two users and a password that is made up.
func (s *stage) pages() (set []string) {
	if s.Lang != "" {
		set = append(set, "lang="+s.Lang)
	}
	if !s.Console {
		return set
	}
	s.password = strings.ToLower(rand.Text()[:10])
	hash := configs.HashPassword(s.password, []byte(rand.Text())[:configs.SaltLength])
	return append(set, "http.console="+s.console.String(),
		"http.users.demo={role: admin, password: '"+hash+"'}",
		"http.users.desk={role: taker, phone: 1101, password: '"+hash+"'}")
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
	return s.reader.MakeGroup(ctx, s.consumer.Group, s.consumer.Streams...)
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
			Name: role, Listen: netip.AddrPortFrom(citizen, 0), Server: s.server, Speech: voice, Record: true,
			RTCP: true,
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

// freePorts finds so many ports that are free for UDP and TCP, each another one.
func freePorts(addr netip.Addr, n int) (free []netip.AddrPort, err error) {
	for range 100 {
		l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
		if err != nil {
			return nil, err
		}
		defer l.Close() // not before the others are found
		at := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			continue
		}
		defer u.Close()
		if free = append(free, at); len(free) == n {
			return free, nil
		}
	}
	return nil, errors.New("no ports are free for UDP and TCP")
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
