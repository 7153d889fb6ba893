package outbox

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// flaky stands between the outbox and Redis and breaks connections: some before the question has passed, some when
// Redis has done what it was asked but before the answer has passed.
type flaky struct {
	to    string
	odds  atomic.Int32 // one in so many pieces breaks the connection; 0: none
	cuts  atomic.Int32
	mu    sync.Mutex
	dice  *rand.Rand // guarded by mu
	conns []net.Conn // guarded by mu
	ends  sync.WaitGroup
}

func newFlaky(t *testing.T, to string) (*flaky, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{to: to, dice: rand.New(rand.NewPCG(1, 2))}
	f.ends.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.ends.Go(func() { f.pass(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.ends.Wait()
	})
	return f, l.Addr().String()
}

func (f *flaky) pass(in net.Conn) {
	out, err := net.Dial("tcp", f.to)
	if err != nil {
		in.Close()
		return
	}
	f.mu.Lock()
	f.conns = append(f.conns, in, out)
	f.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { f.copy(out, in, in) })
	both.Go(func() { f.copy(in, out, in) })
	both.Wait()
}

// copy passes pieces on. A cut takes only the way to the outbox: what has reached Redis is done there.
func (f *flaky) copy(to, from, outbox net.Conn) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if f.cut() {
			outbox.Close()
			return
		}
		if _, err := to.Write(buf[:n]); err != nil && err != io.EOF {
			return
		}
	}
}

func (f *flaky) cut() bool {
	odds := f.odds.Load()
	if odds == 0 {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dice.Int32N(odds) != 0 {
		return false
	}
	f.cuts.Add(1)
	return true
}

// Answers are lost, and questions. Each entry arrives once and in order.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	f, addr := newFlaky(t, mini.Addr())
	cfg := config(t, "redis://"+addr)
	o, _ := open(t, cfg)
	f.odds.Store(4)
	ms := []*matter{newMatter("110"), newMatter("110"), newMatter("12345")}
	put := 0
	for f.cuts.Load() < 60 {
		for range 20 {
			for _, m := range ms {
				o.Put(m.next(), nil)
				put++
			}
		}
		eventually(t, "some are shipped", func() bool { return o.Stats().Waiting < 100 })
	}
	f.odds.Store(0)
	eventually(t, "shipped", shipped(o))
	direct := cfg
	direct.URL = config(t, "redis://"+mini.Addr()).URL
	list := append(read(t, direct, stream110), read(t, direct, stream12345)...)
	check(t, list)
	if len(list) != put {
		t.Errorf("%d entries in the streams, want %d", len(list), put)
	}
	if o.Stats().Repeated == 0 {
		t.Error("no answer was lost after Redis had done its part: the test shows nothing")
	}
}
