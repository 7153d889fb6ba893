package ua

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"liandong/sip/leg"
)

// journal is what outlives a UA.
type journal struct {
	shelf
	mu    sync.Mutex
	kept  map[string][]byte
	fatal func() // what becomes of who writes; nil: nothing
}

func newJournal(t *testing.T) *journal {
	j := &journal{shelf: shelf{held: map[string]int{}}, kept: map[string][]byte{}}
	t.Cleanup(func() {
		for _, name := range j.names() {
			j.Drop(name)
		}
	})
	return j
}

func (j *journal) keep(key string, value []byte) {
	j.mu.Lock()
	if f := j.fatal; f != nil {
		j.mu.Unlock()
		f()
		j.mu.Lock()
	}
	defer j.mu.Unlock()
	if j.kept[key] = value; value == nil {
		delete(j.kept, key)
	}
}

// outlived is a rig whose UA keeps what it knows; the next one on the same journal goes on, with these calls.
func outlived(t *testing.T, j *journal, change func(*Config), calls ...string) *rig {
	t.Helper()
	r := &rig{t: t, inbox: newInbox(), clock: &clock{at: time.Unix(1_700_000_000, 0)}, said: &logged{}}
	cfg := labConfig()
	cfg.Secret, cfg.Now, cfg.Keep, cfg.Keeper = nil, r.clock.now, j.keep, j
	if change != nil {
		change(&cfg)
	}
	var err error
	if r.UA, err = New(cfg, r.inbox, r.said.logger()); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	kept := maps.Clone(j.kept)
	j.mu.Unlock()
	if len(kept) > 0 {
		if err := r.Restore(maps.All(kept)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range calls {
		r.Bind(id, r.inbox)
	}
	if err = r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// A UA ends without a word and another goes on: no phone notices.
func TestAnotherProcessGoesOn(t *testing.T) {
	j := newJournal(t)
	r := outlived(t, j, nil)
	at := map[string]netip.AddrPort{"udp": r.addr("udp"), "tcp": r.addr("tcp")}
	byUDP, byTCP := newPhone(r.udp("127.0.0.1"), "1101", "SHA-256"), newPhone(r.tcp("127.0.0.1"), "1102", "MD5")
	trunk := r.tcp(trunkHost)
	for _, p := range []*phone{byUDP, byTCP} {
		wantCode(t, p.register(p.contact()), 200)
	}
	wantCode(t, trunk.ask(trunk.request("OPTIONS", "x").String()), 200)
	was := [2][]Binding{r.Locate("1101"), r.Locate("1102")}
	// half a message has come
	invite := trunk.request("INVITE", "x").String()
	trunk.send(invite[:len(invite)/2])
	eventually(t, "the half is kept", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		for key, value := range j.kept {
			if strings.HasPrefix(key, keptRest) && strings.Contains(string(value), "INVITE sip:110@") {
				return true
			}
		}
		return false
	})
	r.Leave()

	trunk.send(invite[len(invite)/2:]) // while nobody is there
	options := byUDP.request("OPTIONS", "1101").String()
	byUDP.send(options)
	next := outlived(t, j, nil)
	for transport, addr := range at {
		if next.addr(transport) != addr {
			t.Errorf("%s is at %v, was at %v", transport, next.addr(transport), addr)
		}
	}
	if in := next.inbox.next(t); in.Packet.Method() != "INVITE" {
		t.Errorf("of the halves came %v", in.Packet.Msg)
	}
	wantCode(t, byUDP.receive(), 200)
	if now := [2][]Binding{next.Locate("1101"), next.Locate("1102")}; fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("registered\n%+v, were\n%+v", now, was)
	}
	for _, p := range []*phone{byUDP, byTCP} { // with the nonce that they have, at once
		wantCode(t, p.register(p.contact()), 200)
		p.nc-- // a replay
		wantCode(t, p.register(p.contact()), 401)
	}
	next.Bind("out", next.inbox)
	next.Send(leg.Packet{Msg: outbound(t, "out", ""), Flow: next.Locate("1102")[0].Flow})
	if text := byTCP.receive(); !strings.Contains(text, "Call-ID: out") {
		t.Errorf("to the phone by its old connection:\n%s", text)
	}
	_ = byTCP.conn.Close()
	eventually(t, "a connection that ends is forgotten", func() bool {
		for _, name := range j.names() {
			if strings.HasSuffix(name, "-"+byTCP.conn.LocalAddr().String()) {
				return false
			}
		}
		return true
	})
	for range 3 {
		next.Leave()
		next = outlived(t, j, nil)
	}
	wantCode(t, byUDP.ask(byUDP.request("OPTIONS", "1101").String()), 200)
}

// A connection that nobody has handed over ends: the phone is found at its Contact, or by its next REGISTER.
func TestConnectionThatWasNotHandedOver(t *testing.T) {
	j := newJournal(t)
	r := outlived(t, j, nil)
	p := newPhone(r.tcp("127.0.0.1"), "1101", "MD5")
	wantCode(t, p.register("Contact: <sip:1101@127.0.0.1:5077;transport=tcp>"), 200)
	far := newPhone(r.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, far.register("Contact: <sip:1102@10.1.2.3;transport=tcp>"), 200)
	r.Leave()
	for _, name := range j.names() {
		if strings.HasPrefix(name, "sip/conn/") {
			j.Drop(name)
		}
	}
	kept := maps.Clone(j.kept)
	next := &rig{t: t, inbox: newInbox(), clock: r.clock, said: &logged{}}
	cfg := labConfig()
	cfg.Secret, cfg.Now, cfg.Keep, cfg.Keeper = nil, r.clock.now, j.keep, j
	next.UA, _ = New(cfg, next.inbox, next.said.logger())
	if err := next.Restore(maps.All(kept)); err != nil {
		t.Error(err)
	}
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Stop)
	if live := next.Locate("1101"); len(live) != 1 || live[0].Flow.Remote.String() != "127.0.0.1:5077" {
		t.Errorf("at its Contact: %+v", live)
	}
	if live := next.Locate("1102"); len(live) != 0 {
		t.Errorf("behind a NAT: %+v", live)
	}
	far.peer = next.tcp("127.0.0.1")
	wantCode(t, far.register("Contact: <sip:1102@10.1.2.3;transport=tcp>"), 200)
	if live := next.Locate("1102"); len(live) != 1 {
		t.Errorf("after its REGISTER: %+v", live)
	}
}

// Every field of a registration survives, those that are to come too.
func TestKeptRecordHasEveryField(t *testing.T) {
	r := record{
		Binding: Binding{
			User: "1101", Contact: "c", Before: []string{"b"}, Path: []string{"q"}, Expires: time.Unix(0, 5),
			UserAgent: "a", phone: "p",
			Flow: leg.Flow{Network: "n", Transport: "tcp", Local: netip.MustParseAddrPort("10.0.0.1:1"),
				Remote: netip.MustParseAddrPort("10.0.0.2:2"), Symmetric: true},
		},
		key: "k", callID: "i", cseq: 7, since: time.Unix(0, 6), node: "o", behind: true, lost: true,
	}
	full := reflect.ValueOf(r)
	for i := range full.NumField() {
		if full.Field(i).IsZero() {
			t.Fatalf("the test leaves %s empty", full.Type().Field(i).Name)
		}
	}
	if got := r.kept().record("1101"); !reflect.DeepEqual(got, r) {
		t.Errorf("%+v\n%+v", got, r)
	}
}

// The clock of registrations does not move when the wall clock is set: its times have no reading of that one to go by.
func TestSteadyClock(t *testing.T) {
	now := SteadyClock()
	if d := time.Until(now()).Abs(); d > time.Second || strings.Contains(now().String(), "m=") {
		t.Errorf("it begins %v off, %v", d, now())
	}
}

// Whatever the clock that a UA is given does, phones register, refresh and dial at once.
func TestPhonesOutliveASetClock(t *testing.T) {
	for _, step := range []time.Duration{
		5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour,
	} {
		t.Run(step.String(), func(t *testing.T) {
			r := newRig(t, nil)
			p, late := newPhone(r.udp("127.0.0.1"), "1101", "MD5"), newPhone(r.udp("127.0.0.1"), "1102", "SHA-256")
			wantCode(t, p.register(p.contact()), 200)
			r.clock.advance(step)
			if step < 0 && len(r.Locate("1101")) != 1 {
				t.Error("nobody rings")
			}
			// the challenge that it had is too old by now
			if answer := p.register(p.contact()); code(t, answer) == 401 {
				p.challenge, p.nc = challenges(t, answer)["MD5"], 0
				wantCode(t, p.register(p.contact()), 200)
			}
			wantCode(t, late.register(late.contact()), 200)
			p.send(p.sign(p.bare("INVITE")).String())
			if in := r.inbox.next(t); in.Packet.Method() != "INVITE" {
				t.Errorf("came %v", in.Packet.Msg)
			}
			if len(r.Locate("1101")) != 1 || len(r.Locate("1102")) != 1 {
				t.Error("not registered")
			}
		})
	}
}

// A peer sends nothing twice over a connection: what a process has read and no call has taken yet comes to the call
// of the next process, in order, and what was taken comes no more.
func TestReadAndNotTaken(t *testing.T) {
	j := newJournal(t)
	r := outlived(t, j, nil)
	phone := newPhone(r.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, phone.register(phone.contact()), 200)
	notes := func() (names []string) {
		j.mu.Lock()
		defer j.mu.Unlock()
		for name := range j.kept {
			if strings.HasPrefix(name, keptNote) {
				names = append(names, name)
			}
		}
		return names
	}
	if left := notes(); len(left) != 0 {
		t.Errorf("a REGISTER that has been answered is kept: %q", left)
	}
	r.Bind("call", r.inbox)
	for i, method := range []string{"INFO", "UPDATE", "BYE"} {
		req := phone.request(method, "1102")
		req.callID, req.cseq, req.to = "call", 7+i, "<sip:110@liandong.lab>;tag=ours"
		phone.send(req.String())
	}
	info := r.inbox.next(t).Packet
	for range 2 {
		r.inbox.next(t)
	}
	if left := notes(); len(left) != 3 {
		t.Fatalf("kept are %q", left)
	}
	j.keep(info.Kept, nil) // its call has taken it
	r.Leave()

	next := outlived(t, j, nil, "call")
	for _, want := range []string{"UPDATE", "BYE"} {
		in := next.inbox.next(t).Packet
		if in.Method() != want || in.Flow.Remote != info.Flow.Remote {
			t.Errorf("%s comes by %+v, want %s", in.Method(), in.Flow, want)
		}
		j.keep(in.Kept, nil)
	}
	next.Leave()
	next = outlived(t, j, nil, "call")
	wantCode(t, phone.ask(phone.request("OPTIONS", "1102").String()), 200)
	select {
	case in := <-next.inbox.got:
		t.Errorf("%s comes once more", in.Packet.Method())
	default:
	}
	if left := notes(); len(left) != 0 {
		t.Errorf("kept are %q", left)
	}
}

// A process may die at any moment between a look at what has come and the last note of it, or after: the next one has
// each message once, and the stream is not lost.
func TestDeathWhileReading(t *testing.T) {
	moments := 0
	for dies := 1; ; dies++ {
		lived := false
		t.Run(fmt.Sprint("before write ", dies), func(t *testing.T) { lived = diesReading(t, dies) })
		if lived || t.Failed() {
			break
		}
		moments++
	}
	if moments < 4 {
		t.Errorf("it has died at %d moments", moments)
	}
}

// diesReading has a process die before one of its writes; true: it has not come to that.
func diesReading(t *testing.T, dies int) bool {
	j := newJournal(t)
	old := outlived(t, j, nil)
	phone := newPhone(old.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, phone.register(phone.contact()), 200)
	old.Bind("call", old.inbox)
	var texts []string
	for i, method := range []string{"INFO", "UPDATE", "BYE"} {
		req := phone.request(method, "1102")
		req.callID, req.cseq, req.to = "call", 7+i, "<sip:110@liandong.lab>;tag=ours"
		texts = append(texts, req.String())
	}
	half := texts[1][:len(texts[1])/2]
	dead, bury := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(bury) }) // before the old one is stopped
	writes := 0
	j.mu.Lock()
	j.fatal = func() {
		if writes++; writes == dies {
			close(dead)
			<-bury
		}
	}
	j.mu.Unlock()
	phone.send(texts[0] + half)
	lived := false
	select {
	case <-dead:
	case in := <-old.inbox.got:
		lived = true
		if in.Packet.Method() != "INFO" {
			t.Fatalf("came %v", in.Packet.Msg)
		}
		return lived
	}
	j.mu.Lock()
	j.fatal = nil
	j.mu.Unlock()
	next := outlived(t, j, nil, "call")
	phone.send(texts[1][len(half):] + texts[2])
	for _, want := range []string{"INFO", "UPDATE", "BYE"} {
		if in := next.inbox.next(t).Packet; in.Method() != want {
			t.Errorf("%s comes, want %s", in.Method(), want)
		}
	}
	next.inbox.empty(t)
	return false
}

// However late a message is taken, its key is not that of one that has come since; no more than some are kept.
func TestTakenLate(t *testing.T) {
	j := newJournal(t)
	r := outlived(t, j, nil)
	phone := newPhone(r.tcp("127.0.0.1"), "1102", "MD5")
	wantCode(t, phone.register(phone.contact()), 200)
	r.Bind("call", r.inbox)
	ask := func(n int) string {
		req := phone.request("INFO", "1102")
		req.callID, req.cseq, req.to = "call", n, "<sip:110@liandong.lab>;tag=ours"
		phone.send(req.String())
		return r.inbox.next(t).Packet.Kept
	}
	first := ask(1)
	keys := map[string]bool{first: true}
	for n := range 3 * maxNoted {
		key := ask(2 + n)
		if keys[key] {
			t.Fatalf("message %d has the key of another: %s", 2+n, key)
		}
		keys[key] = true
	}
	kept := func() (n int) {
		j.mu.Lock()
		defer j.mu.Unlock()
		for name := range j.kept {
			if strings.HasPrefix(name, keptNote) {
				n++
			}
		}
		return n
	}
	if j.keep(first, nil); kept() != maxNoted {
		t.Errorf("%d are kept", kept())
	}
	_ = phone.conn.Close()
	eventually(t, "nothing is kept of a connection that has ended", func() bool { return kept() == 0 })
}
