package trunk

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/ua"
)

// fakeWire answers requests as its peers are told to. Guarded by mu.
type fakeWire struct {
	mu    sync.Mutex
	peers map[string]func(*gosip.Request) *gosip.Response // by address; none: silent
	sinks map[string]ua.Sink
	sent  []string // first lines and where they went
}

func (w *fakeWire) Send(p leg.Packet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	req, err := gosip.ParseMessage([]byte(p.Msg.String()))
	if err != nil {
		panic(err)
	}
	to := p.Flow.Remote.String()
	w.sent = append(w.sent, string(req.(*gosip.Request).Method)+" "+to)
	peer, sink := w.peers[to], w.sinks[p.CallID()]
	if peer == nil || sink == nil {
		return
	}
	if res := peer(req.(*gosip.Request)); res != nil {
		sink.Post(ua.Inbound{Packet: leg.Packet{Msg: res, Flow: p.Flow}})
	} else {
		sink.Post(ua.Inbound{Packet: p, Err: ua.ErrUnreachable})
	}
}

func (w *fakeWire) Bind(id string, s ua.Sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sinks[id] = s
}

func (w *fakeWire) Unbind(id string, _ ua.Sink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.sinks, id)
}

func (w *fakeWire) Local(_, transport string) (leg.Local, bool) {
	return leg.Local{Contact: "sip:10.0.0.100:5060;transport=" + transport, ViaHost: "10.0.0.100:5060",
		Transport: transport}, true
}

// answers has a peer answer as f does.
func (w *fakeWire) answers(addr string, f func(*gosip.Request) *gosip.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peers[addr] = f
}

// set has a peer answer with a code; 0: silence, 1: it cannot be reached.
func (w *fakeWire) set(addr string, code int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch code {
	case 0:
		delete(w.peers, addr)
	case 1:
		w.peers[addr] = func(*gosip.Request) *gosip.Response { return nil }
	default:
		w.peers[addr] = func(req *gosip.Request) *gosip.Response {
			return gosip.NewResponseFromRequest(req, code,
				"Said", nil)
		}
	}
}

func (w *fakeWire) count(line string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sent {
		if s == line {
			n++
		}
	}
	return n
}

// fakeNames is a name server. Guarded by mu.
type fakeNames struct {
	mu      sync.Mutex
	records []*net.SRV
	hosts   map[string][]string
	err     error
}

func (f *fakeNames) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil && (service != "sip" || proto != "udp" || name != "carrier.example") {
		return "", nil, &net.DNSError{IsNotFound: true}
	}
	return "", f.records, f.err
}

func (f *fakeNames) LookupNetIP(_ context.Context, network, host string) (ips []netip.Addr, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if network != "ip4" {
		return nil, errors.New("the socket has no IPv6")
	}
	for _, s := range f.hosts[host] {
		ips = append(ips, netip.MustParseAddr(s))
	}
	return ips, f.err
}

// says is what it answers from now on.
func (f *fakeNames) says(records []*net.SRV, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records, f.err = records, err
}

// keeping runs a keeper of one trunk in virtual time.
func keeping(t *testing.T, trunk Trunk, dns *fakeNames, f func(k *Keeper, w *fakeWire, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{peers: map[string]func(*gosip.Request) *gosip.Response{}, sinks: map[string]ua.Sink{}}
		log := &bytes.Buffer{}
		trunk.Network, trunk.Transport = "lab", "udp"
		k := New(Config{Trunks: map[string]Trunk{"pstn": trunk}, Rand: seeded(1), Names: dns}, w,
			slog.New(slog.NewTextHandler(log, nil)))
		k.Start()
		defer k.Stop()
		f(k, w, log)
	})
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func ups(k *Keeper) (up []string) {
	for _, s := range k.Stats() {
		if s.Up {
			up = append(up, s.Target)
		}
	}
	return up
}

func expectUp(t *testing.T, k *Keeper, want ...string) {
	t.Helper()
	if got := ups(k); !slices.Equal(got, want) {
		t.Errorf("up are %v, not %v", got, want)
	}
}

func TestPings(t *testing.T) {
	const a, b = "10.0.0.1:5060", "10.0.0.2:5070"
	keeping(t, Trunk{Targets: []Target{{Host: a}, {Host: b, Priority: 1}}, Options: 30 * time.Second}, nil,
		func(k *Keeper, w *fakeWire, log *bytes.Buffer) {
			w.set(a, 405) // it knows no OPTIONS, and lives
			w.set(b, 200)
			pass(65 * time.Second)
			expectUp(t, k, a, b)
			if n := w.count("OPTIONS " + a); n < 2 || n > 4 {
				t.Errorf("%d pings in 65 s", n)
			}
			w.set(a, 0)
			pass(50 * time.Second) // a ping in 33 s at the most, 4 s for the answer, 5 s, and 4 s again
			expectUp(t, k, b)
			if first := k.Order("pstn"); first[0].Host != b || len(first) != 2 {
				t.Errorf("order %v", first)
			}
			w.set(b, 1)
			w.set(a, 503)
			pass(time.Minute)
			expectUp(t, k)
			w.set(a, 200)
			pass(35 * time.Second)
			expectUp(t, k, a)
			for _, line := range []string{`"a target of a trunk is down" trunk=pstn target=` + a,
				`"a target of a trunk answers again" trunk=pstn target=` + a} {
				if n := strings.Count(log.String(), line); n != 1 {
					t.Errorf("%d times %s in\n%s", n, line, log)
				}
			}
		})
}

func TestNoPings(t *testing.T) {
	keeping(t, Trunk{Targets: []Target{{Host: "10.0.0.1:5060"}}}, nil, func(k *Keeper, w *fakeWire, _ *bytes.Buffer) {
		pass(time.Hour)
		if len(w.sent) > 0 {
			t.Errorf("sent %v", w.sent)
		}
		expectUp(t, k, "10.0.0.1:5060")
		k.Called("pstn", k.Order("pstn")[0], Outcome{})
		expectUp(t, k)
	})
}

// RFC 3263 §4.2 and §4.3: all records of the service, with all their addresses.
func TestNamesAreLookedUp(t *testing.T) {
	dns := &fakeNames{
		records: []*net.SRV{{Target: "b.example.", Port: 5080, Priority: 20, Weight: 1},
			{Target: "a.example.", Port: 5070, Priority: 10, Weight: 1}},
		hosts: map[string][]string{"a.example": {"10.0.0.1"}, "b.example": {"10.0.0.2", "10.0.0.3"}},
	}
	keeping(t, Trunk{SRV: "carrier.example", Options: 30 * time.Second}, dns,
		func(k *Keeper, w *fakeWire, _ *bytes.Buffer) {
			if before := k.Order("pstn"); len(before) != 1 || before[0].Host != "carrier.example" ||
				before[0].Addr.IsValid() {
				t.Errorf("before the lookup: %v", before)
			}
			pass(2 * time.Second)
			order := k.Order("pstn")
			if len(order) != 3 || order[0].String() != "10.0.0.1:5070" || order[0].Host != "carrier.example" ||
				order[1].Addr.Port() != 5080 {
				t.Fatalf("order %v", order)
			}
			if w.count("OPTIONS 10.0.0.3:5080") == 0 {
				t.Error("a target that was looked up is not pinged")
			}
			dns.says(dns.records, errors.New("the name server is away"))
			pass(10 * time.Minute)
			if got := k.Order("pstn"); len(got) != 3 {
				t.Errorf("without a name server: %v", got)
			}
			dns.says(dns.records[1:], nil)
			pass(2 * time.Minute)
			if got := k.Order("pstn"); len(got) != 1 || len(w.sinks) != 1 {
				t.Errorf("a record that is gone: %v, %d bound", got, len(w.sinks))
			}
		})
}

// "If no SRV records were found": the domain itself.
func TestNoServiceRecords(t *testing.T) {
	dns := &fakeNames{hosts: map[string][]string{"other.example": {"10.0.0.5"},
		"pbx.example": {"10.0.0.6", "10.0.0.7"}}}
	keeping(t, Trunk{SRV: "other.example"}, dns, func(k *Keeper, _ *fakeWire, _ *bytes.Buffer) {
		pass(time.Second)
		expectUp(t, k, "10.0.0.5:5060")
	})
	keeping(t, Trunk{Targets: []Target{{Host: "pbx.example:5062"}, {Host: "10.0.0.8"}}}, dns,
		func(k *Keeper, _ *fakeWire, _ *bytes.Buffer) {
			pass(time.Second)
			expectUp(t, k, "10.0.0.6:5062", "10.0.0.7:5062", "10.0.0.8:5060")
		})
}
