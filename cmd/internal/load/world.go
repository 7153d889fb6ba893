package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"liandong/cmd/internal/demo/speech"
	"liandong/cmd/internal/phone"
	"liandong/media/prompt"
)

// streamsPerThread is how many legs one thread of the engine is given: a core carries them with room to spare.
const streamsPerThread = 800

// world is everything that plays against the server in one run: callers behind a trunk, desks, partners, their sound.
// It is made by raise and ended by close.
type world struct {
	Target
	engine   *engine
	callers  []*phone.Phone // one, or the three of a room
	desks    []*phone.Phone
	partners []*phone.Phone
	silent   *net.UDPConn // of calls without sound

	began time.Time
	used  time.Duration // CPU of this process until began

	sent, received, sentAgain, receivedAgain atomic.Int64

	mu    sync.Mutex // guards what follows
	calls []*attempt
	late  time.Duration // of the latest attempt
	lag   time.Duration // of the phones' loops
}

// needs is who has to be there.
type needs struct {
	desks, partners int
	sound           bool // false: calls are signalling alone
	unsignalled     bool // calls are sound alone
	sealed          bool // callers have SRTP
	room            bool // three phones that call
	far             netip.AddrPort
	streams         int
}

func raise(ctx context.Context, t Target, n needs) (_ *world, err error) {
	w := &world{Target: t}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := w.soundFor(n); err != nil {
		return nil, err
	}
	if n.unsignalled {
		return w, nil
	}
	callers := 1
	if n.room {
		callers = int(sides)
	}
	for i := range callers {
		if err := w.addCaller(side(i), n.sealed); err != nil {
			return nil, err
		}
	}
	if n.far.IsValid() {
		return w, w.addFar(n.far)
	}
	if err := w.register(ctx, desk, t.Desk, n.desks); err != nil {
		return nil, err
	}
	return w, w.register(ctx, partner, t.Partner, n.partners)
}

// soundFor starts the engine, or takes the one port that silent calls name.
func (w *world) soundFor(n needs) (err error) {
	if n.sound {
		w.engine, err = startEngine(max(1, min(runtime.NumCPU(), (n.streams+streamsPerThread-1)/streamsPerThread)))
		return err
	}
	if w.silent, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.From, 0))); err != nil {
		return fmt.Errorf("load: --from %s: %w", w.From, err)
	}
	return nil
}

func (w *world) addCaller(s side, sealed bool) error {
	p, err := w.phone(s, phone.Config{Name: "caller", Listen: netip.AddrPortFrom(w.From, 0), Domain: w.From.String(),
		SRTP: sealed})
	if err != nil {
		return fmt.Errorf("load: --from %s: %w", w.From, err)
	}
	w.callers = append(w.callers, p)
	return nil
}

// addFar is the other end of the trunk: it answers whatever the server sends to it.
func (w *world) addFar(at netip.AddrPort) error {
	p, err := w.phone(desk, phone.Config{Name: "far end", Listen: at, Policy: phone.AnswerAfter(w.AnswerAfter)})
	if err != nil {
		return fmt.Errorf("load: --far %s: %w", at, err)
	}
	w.desks = append(w.desks, p)
	return nil
}

// register makes n desk phones and registers them.
func (w *world) register(ctx context.Context, s side, first, n int) error {
	for i := range n {
		user := strconv.Itoa(first + i)
		p, err := w.phone(s, phone.Config{
			User: user, Password: strings.ReplaceAll(w.Password, "{user}", user), Domain: w.Domain,
			Listen: netip.AddrPortFrom(w.At, 0), Policy: phone.AnswerAfter(w.AnswerAfter), Expires: time.Hour,
		})
		if err != nil {
			return fmt.Errorf("load: --at %s: %w", w.At, err)
		}
		if s == desk {
			w.desks = append(w.desks, p)
		} else {
			w.partners = append(w.partners, p)
		}
		if err := within(ctx, p.Register); err != nil {
			return fmt.Errorf("load: desk %s: %w", user, err)
		}
	}
	return nil
}

// within gives f the time that anything may take that should happen at once.
func within(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience,
		fmt.Errorf("nothing came from the server within %s", patience))
	defer cancel()
	return f(ctx)
}

func (w *world) phone(s side, c phone.Config) (*phone.Phone, error) {
	c.Server, c.Transport, c.Codecs, c.UserAgent = w.Server, w.Transport, w.codecs(), "liandong-load"
	c.Allow, c.Note = w.reachable, w.note
	voice, err := w.voices(s, c.Listen.Addr())
	if err != nil {
		return nil, err
	}
	c.Voice = voice
	return phone.New(c)
}

// codecs is the one law that marks need on both sides of a call, or, where nobody listens, both.
func (w *world) codecs() []phone.Codec {
	first := w.codec()
	if w.engine != nil {
		return []phone.Codec{first}
	}
	return []phone.Codec{first, phone.PCMA + phone.PCMU - first}
}

// voices makes the sound of one side's calls.
func (w *world) voices(s side, at netip.Addr) (func() (phone.Voice, error), error) {
	if w.engine == nil {
		m := silentMedia{netip.AddrPortFrom(at, w.silent.LocalAddr().(*net.UDPAddr).AddrPort().Port())}
		return func() (phone.Voice, error) { return m, nil }, nil
	}
	clip, err := clipOf(s)
	if err != nil {
		return nil, err
	}
	return func() (phone.Voice, error) {
		v, err := w.engine.newVoice(s, at, clip)
		if err != nil {
			return nil, err
		}
		return v, nil
	}, nil
}

func clipOf(s side) (prompt.Clip, error) {
	return speech.Clip([...]string{speech.Caller, speech.Desk110, speech.Desk12345}[s])
}

// note counts a message; called by the phones' loops.
func (w *world) note(l phone.Logged) {
	all, again := &w.received, &w.receivedAgain
	if l.Out {
		all, again = &w.sent, &w.sentAgain
	}
	all.Add(1)
	if l.Again {
		again.Add(1)
	}
}

// close ends whatever is left and waits for it.
func (w *world) close() {
	for _, p := range append(append(append([]*phone.Phone{}, w.partners...), w.desks...), w.callers...) {
		p.Close()
	}
	if w.engine != nil {
		w.engine.stop()
	}
	if w.silent != nil {
		_ = w.silent.Close()
	}
}

// unregister takes the desks off the server, as far as it answers.
func (w *world) unregister() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var errs []error
	for _, p := range append(append([]*phone.Phone{}, w.desks...), w.partners...) {
		if p.Name() == "far end" {
			continue
		}
		if err := p.Unregister(ctx); err != nil {
			errs = append(errs, err)
			break // the others would wait in vain as well
		}
	}
	return errors.Join(errs...)
}

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// sleep waits; false: told to stop.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
