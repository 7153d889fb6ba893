package notifier

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/snapshot"
)

// board is an event package of the tests: resources are words, their state is a
// number.
type board struct{ states map[string]int }

func (board) Type() string { return "text/state" }

func (board) Find(user string, to header.URI) (string, int) {
	switch to.User {
	case "secret":
		return "", 403
	case "nobody":
		return "", 404
	}
	return to.User, 0
}

func (b board) Write(v View) []byte {
	return fmt.Appendf(nil, "%d %d", v.Version, b.states[v.Resource])
}

// rig is a Server and what it has sent.
type rig struct {
	t      testing.TB
	server *Server
	board  board
	now    time.Time
	sent   []leg.Packet
	gone   []string
	kept   map[string][]byte // what is written of each subscription
}

func newRig(t testing.TB, change func(*Config)) *rig {
	r := &rig{t: t, now: time.Unix(1712109600, 0), board: board{map[string]int{}}, kept: map[string][]byte{}}
	cfg := Default()
	cfg.Packages = map[string]Package{"state": r.board}
	cfg.Leg.Rand = rand.New(rand.NewPCG(1, 2)).Uint64
	cfg.Local = func(_, transport string) (leg.Local, bool) {
		return leg.Local{Contact: "sip:10.0.0.1:5060;transport=" + transport, ViaHost: "10.0.0.1:5060",
			Transport: transport}, true
	}
	cfg.Floor = 1000
	if change != nil {
		change(&cfg)
	}
	r.server = New(cfg)
	return r
}

func (r *rig) note(out Out) {
	r.sent = append(r.sent, out.Packets...)
	r.gone = append(r.gone, out.Gone...)
	for _, s := range out.Changed {
		b, err := snapshot.Encode(s)
		if err != nil {
			r.t.Fatal(err)
		}
		r.kept[s.CallID()] = b
	}
	for _, id := range out.Gone {
		if r.server.subs[id] == nil {
			delete(r.kept, id)
		}
	}
	if rebirth {
		r.reborn()
	}
}

// rebirth says that the Server dies after every input, and another goes on from what
// was written of it. Nothing that a test sees may differ by it.
var rebirth bool

// TestMain runs everything twice, the second time with rebirth.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		rebirth = true
		fmt.Println("the same with subscriptions that are written and read after every input:")
		code = m.Run()
	}
	os.Exit(code)
}

func (r *rig) reborn() {
	r.t.Helper()
	old := r.server
	if len(r.kept) != len(old.subs) {
		r.t.Fatalf("%d subscriptions, %d are kept", len(old.subs), len(r.kept))
	}
	states := make([]State, 0, len(r.kept))
	for id, b := range r.kept {
		var s State
		if err := snapshot.Decode(b, &s); err != nil {
			r.t.Fatal(err)
		}
		if now, err := snapshot.Encode(old.subs[id].State); err != nil || !bytes.Equal(now, b) {
			r.t.Fatalf("%v: kept\n%q\nis\n%q", err, b, now)
		}
		states = append(states, s)
	}
	cfg := old.cfg
	cfg.Floor = old.Top()
	r.server = Restore(cfg, states)
	on := r.server.stats.On
	if r.server.stats = old.stats; on != old.stats.On {
		r.t.Fatalf("%d are on, %d have been", on, old.stats.On)
	}
}

// What is written of a subscription is all of it.
func TestStateHidesNothing(t *testing.T) {
	if hidden := snapshot.Hidden(reflect.TypeFor[State]()); hidden != nil {
		t.Errorf("lost: %v", hidden)
	}
}

var freeze = flag.Bool("freeze", false, "write testdata/state-1, which is frozen once the format has been released")

// A state of format 1 is read for ever: here one with a NOTIFY under way.
func TestFrozenState(t *testing.T) {
	file := filepath.Join("testdata", "state-1", "notify-under-way.cbor")
	if *freeze {
		r := newRig(t, nil)
		r.watcher("1101", "110").subscribed()
		r.set("110", 7)
		if err := os.WriteFile(file, r.kept["1101-110"], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	var s State
	if err := snapshot.Decode(b, &s); err != nil {
		t.Fatal(err)
	}
	if s.CallID() != "1101-110" || s.Dialog.RemoteTag == "" || s.Notice == nil {
		t.Errorf("%+v", s)
	}
	r.kept[s.CallID()] = b
	r.server = Restore(r.server.cfg, []State{s})
	r.pass(time.Hour)
	if r.server.Stats() != (Stats{Silent: 1}) || len(r.gone) != 1 || len(r.take()) == 0 {
		t.Errorf("%+v, %v are gone", r.server.Stats(), r.gone)
	}
}

// Subscriptions of an event package that there is no longer end without a word: 481
// brings their phones back.
func TestPackageIsGone(t *testing.T) {
	r := newRig(t, nil)
	r.watcher("1101", "110").subscribed()
	state := r.server.subs["1101-110"].State
	r.server = Restore(Default(), []State{state})
	if _, waits := r.server.Deadline(); waits || r.server.Stats().On != 0 {
		t.Error("it goes on")
	}
}

// pass lets time go by, and every timer act at its moment.
func (r *rig) pass(d time.Duration) {
	for end := r.now.Add(d); ; {
		at, ok := r.server.Deadline()
		if !ok || at.After(end) {
			r.now = end
			return
		}
		if at.After(r.now) {
			r.now = at
		}
		r.note(r.server.Tick(r.now))
	}
}

func (r *rig) set(resource string, state int) {
	r.board.states[resource] = state
	r.note(r.server.Changed(r.now, "state", resource))
}

// take gives out what was sent since, as the phone reads it, without the copies.
func (r *rig) take() (all []gosip.Message) {
	seen := map[string]bool{}
	for _, p := range r.sent {
		if seen[p.Msg.String()] {
			continue
		}
		seen[p.Msg.String()] = true
		m, err := gosip.ParseMessage([]byte(p.Msg.String()))
		if err != nil {
			r.t.Fatalf("unreadable: %v\n%s", err, p.Msg)
		}
		all = append(all, m)
	}
	r.sent = nil
	return all
}

// one is the only message sent since.
func (r *rig) one() gosip.Message {
	r.t.Helper()
	all := r.take()
	if len(all) != 1 {
		r.t.Fatalf("%d messages were sent: %v", len(all), all)
	}
	return all[0]
}

func (r *rig) code(want int) *gosip.Response {
	r.t.Helper()
	res, ok := r.one().(*gosip.Response)
	if !ok || res.StatusCode != want {
		r.t.Fatalf("answered %v, want %d", res, want)
	}
	return res
}

// watcher is one subscription as its phone sees it.
type watcher struct {
	r                   *rig
	user, to, transport string
	callID, them        string
	seq                 int
	addr                string
	last                gosip.Message // the last NOTIFY
	version, state      int
	over                string // reason of the last NOTIFY
}

func (r *rig) watcher(user, to string) *watcher {
	return &watcher{r: r, user: user, to: to, transport: "udp", callID: user + "-" + to, addr: "10.0.0.2:5060"}
}

func (w *watcher) flow() leg.Flow {
	return leg.Flow{Network: "lab", Transport: w.transport, Remote: netip.MustParseAddrPort(w.addr)}
}

// text is a SUBSCRIBE; lines replace header fields or are added.
func (w *watcher) text(lines ...string) string {
	w.seq++
	tag := ""
	if w.them != "" {
		tag = ";tag=" + w.them
	}
	fields := []string{
		"Via: SIP/2.0/" + strings.ToUpper(w.transport) + " 10.0.0.2:5060;rport;branch=z9hG4bK" + w.callID +
			strconv.Itoa(w.seq), "Max-Forwards: 70",
		"From: <sip:" + w.user + "@10.0.0.1>;tag=w", "To: <sip:" + w.to + "@10.0.0.1>" + tag, "Call-ID: " + w.callID,
		fmt.Sprintf("CSeq: %d SUBSCRIBE", w.seq),
		"Contact: <sip:" + w.user + "@10.0.0.2:5060>", "Event: state", "Expires: 300", "Accept: text/state",
	}
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		kept := fields[:0:0]
		for _, f := range fields {
			if n, _, _ := strings.Cut(f, ":"); n != name {
				kept = append(kept, f)
			}
		}
		fields = kept
		if !strings.HasSuffix(line, ":") {
			fields = append(fields, line)
		}
	}
	return "SUBSCRIBE sip:" + w.to + "@10.0.0.1 SIP/2.0\r\n" + strings.Join(fields, "\r\n") +
		"\r\nContent-Length: 0\r\n\r\n"
}

func (w *watcher) send(text string) {
	w.r.t.Helper()
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		w.r.t.Fatalf("%v\n%s", err, text)
	}
	p := leg.Packet{Msg: m, Flow: w.flow()}
	if w.them == "" && w.r.server.subs[w.callID] == nil {
		w.r.note(w.r.server.Subscribe(w.r.now, w.user, p))
	} else {
		w.r.note(w.r.server.Receive(w.r.now, p))
	}
}

// reply answers a NOTIFY.
func (w *watcher) reply(m gosip.Message, code int) {
	p := leg.Packet{Msg: m, Flow: w.flow()}
	res, err := gosip.ParseMessage([]byte(finished(leg.Reply(p, code, "", "")).String()))
	if err != nil {
		w.r.t.Fatal(err)
	}
	w.r.note(w.r.server.Receive(w.r.now, leg.Packet{Msg: res, Flow: w.flow()}))
}

func finished(res *gosip.Response) *gosip.Response {
	res.SetBody(nil)
	return res
}

// subscribed sends a SUBSCRIBE, and takes the 200 and the first NOTIFY.
func (w *watcher) subscribed(lines ...string) {
	w.r.t.Helper()
	w.send(w.text(lines...))
	all := w.r.take()
	if len(all) != 2 {
		w.r.t.Fatalf("a SUBSCRIBE brought %v", all)
	}
	res, ok := all[0].(*gosip.Response)
	if !ok || res.StatusCode != 200 || res.GetHeader("Expires") == nil || res.Contact() == nil {
		w.r.t.Fatalf("a SUBSCRIBE brought %v", all[0])
	}
	w.them = res.To().Params.GetOr("tag", "")
	w.notified(all[1])
	w.reply(all[1], 200)
}

// notified checks a NOTIFY: of this subscription, in order, and with a body.
func (w *watcher) notified(m gosip.Message) {
	w.r.t.Helper()
	req, ok := m.(*gosip.Request)
	if !ok || req.Method != gosip.NOTIFY {
		w.r.t.Fatalf("no NOTIFY: %v", m)
	}
	if tag := req.To().Params.GetOr("tag", ""); tag != "w" || req.From().Params.GetOr("tag", "") != w.them ||
		req.CallID().Value() != w.callID {
		w.r.t.Fatalf("a NOTIFY of another dialog:\n%s", req)
	}
	if w.last != nil && req.CSeq().SeqNo != w.last.CSeq().SeqNo+1 {
		w.r.t.Fatalf("CSeq %d after %d", req.CSeq().SeqNo, w.last.CSeq().SeqNo)
	}
	w.last = m
	var v, s int
	if n, _ := fmt.Sscanf(string(req.Body()), "%d %d", &v, &s); n != 2 || v <= w.version {
		w.r.t.Fatalf("body %q after version %d", req.Body(), w.version)
	}
	w.version, w.state = v, s
	w.over = ""
	if state := req.GetHeader("Subscription-State").Value(); !strings.HasPrefix(state, "active;expires=") {
		w.over = strings.TrimPrefix(state, "terminated;reason=")
	}
}

// hears takes the one NOTIFY sent since and answers it.
func (w *watcher) hears(state int) {
	w.r.t.Helper()
	m := w.r.one()
	w.notified(m)
	if w.state != state {
		w.r.t.Fatalf("told %d, it is %d", w.state, state)
	}
	w.reply(m, 200)
}

func (w *watcher) silence() {
	w.r.t.Helper()
	if all := w.r.take(); len(all) > 0 {
		w.r.t.Fatalf("sent %v", all)
	}
}

func (w *watcher) forgotten() {
	w.r.t.Helper()
	if on := w.r.server.Stats().On; on != 0 || len(w.r.server.subs)+len(w.r.server.active)+len(w.r.server.watched)+len(
		w.r.server.users)+len(w.r.server.held)+len(w.r.server.versions) != 0 {
		w.r.t.Fatalf("%d subscriptions are left", on)
	}
	if len(w.r.gone) == 0 {
		w.r.t.Fatal("the Call-ID is still bound")
	}
}
