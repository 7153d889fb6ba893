package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// phoneEdge is where phones find the shipped Kamailio of several switches.
var phoneEdge = netip.MustParseAddr("127.0.0.31")

// edged is switches behind the shipped Kamailio, each a keeper with its worker.
type edged struct {
	nodes     []*serving
	carrierAt netip.AddrPort // of the edge
	phonesAt  netip.AddrPort
	carrier   *phone.Phone
}

// startEdged starts them; {i} in what overrides their config is the number of each.
func startEdged(t testing.TB, nodes int, redis string, set ...string) *edged {
	t.Helper()
	e := &edged{nodes: make([]*serving, nodes), carrierAt: freePort(t, edge), phonesAt: freePort(t, phoneEdge)}
	e.carrier = newPhone(t, phone.Config{Name: "carrier", Listen: netip.AddrPortFrom(citizen, 0), Server: e.carrierAt,
		Speech: phone.Tone(callerTone, time.Second)})
	list := ""
	for i := range e.nodes {
		set := slices.Clone(set)
		for at := range set {
			set[at] = strings.ReplaceAll(set[at], "{i}", strconv.Itoa(i))
		}
		e.nodes[i] = startServing(t, redis, append([]string{
			"node=n" + fmt.Sprint(i), "trunks.pstn.match=" + edge.String(),
			"trunks.pstn.target=" + e.carrierAt.String(), "shutdown.drain=5m",
		}, set...)...)
		list += fmt.Sprintf("1 sip:%s 0 0\n", e.nodes[i].server)
	}
	file := filepath.Join(t.TempDir(), "dispatcher.list")
	must(t, os.WriteFile(file, []byte(list), 0o600))
	runKamailio(t, "cluster", map[string]string{"LISTEN": "udp:" + e.carrierAt.String(),
		"PHONES": "udp:" + e.phonesAt.String(), "CARRIER": quoted(e.carrier.Addr().String()), "NODES": quoted(file)})
	return e
}

// desk is a phone that registers through the edge.
func (e *edged) desk(t testing.TB, user string, hz float64) *phone.Phone {
	t.Helper()
	p := newPhone(t, phone.Config{User: user, Password: "lab-" + user, Domain: domain, Server: e.phonesAt,
		Policy: phone.AnswerAfter(0), Speech: phone.Tone(hz, time.Second)})
	must(t, p.Register(within(t, 20*time.Second)))
	return p
}

// holds is the node where a seat's phone has registered; -1: none.
func (e *edged) holds(t *testing.T, user string) int {
	t.Helper()
	at := -1
	for i, n := range e.nodes {
		var chairs []struct {
			User   string
			Phones int
		}
		res, body := n.get(t, "/v1/seats")
		if res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		must(t, json.Unmarshal(body, &chairs))
		for _, c := range chairs {
			if c.User == user && c.Phones > 0 {
				if at >= 0 {
					t.Errorf("%s is at both nodes", user)
				}
				at = i
			}
		}
	}
	return at
}

// calls has the carrier call the police.
func (e *edged) calls(t *testing.T) *phone.Call {
	t.Helper()
	c, err := e.carrier.Call("sip:110@"+e.carrierAt.String(), phone.CallOptions{From: number,
		PAI: []string{"tel:+86" + number}})
	must(t, err)
	return c
}

// health is the edge's answer to an OPTIONS of the carrier.
func (e *edged) health(t *testing.T) (code int) {
	t.Helper()
	conn, err := net.Dial("udp", e.carrierAt.String())
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	_, err = fmt.Fprintf(conn, "OPTIONS sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]d\r\n"+
		"Max-Forwards: 70\r\nFrom: <sip:carrier@%[2]s>;tag=1\r\nTo: <sip:%[1]s>\r\nCall-ID: %[3]d@carrier\r\n"+
		"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", e.carrierAt, conn.LocalAddr(), time.Now().UnixNano())
	must(t, err)
	b := make([]byte, 2000)
	n, err := conn.Read(b)
	must(t, err)
	_, err = fmt.Sscanf(string(b[:n]), "SIP/2.0 %d", &code)
	must(t, err)
	return code
}

// answered waits until the carrier's call is at one of the desks, and says at which.
func answered(t *testing.T, c *phone.Call, desks ...*phone.Phone) (d *phone.Call, which int) {
	t.Helper()
	select {
	case d = <-desks[0].Incoming():
	case d = <-desks[1].Incoming():
		which = 1
	case <-within(t, 20*time.Second).Done():
		t.Fatalf("no desk rings: %+v", c.Ending())
	}
	waitConfirmed(t, c)
	return waitConfirmed(t, d), which
}

// The shipped Kamailio before two switches: calls by turns; phones that have registered through it, each with one
// switch, are rung by that one (Path, RFC 3327), call, and hand over; a switch that drains gets no new calls and keeps
// those that it has; one that is killed gets none either, and its phones find the other; with none left who calls hears
// so at once.
func TestKamailioCluster(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	e := startEdged(t, 2, miniredis.RunT(t).Addr())
	tones := [2]float64{deskTone, partnerTone}
	var desks, partners [2]*phone.Phone // by the switch that has them
	for i, user := range [2]string{"1101", "1102"} {
		desks[i] = e.desk(t, user, tones[i])
		partners[i] = e.desk(t, [2]string{"2101", "2102"}[i], 930)
		if e.holds(t, user) != i || e.holds(t, partners[i].Name()) != i {
			t.Fatalf("%s is at switch %d, %s at %d", user, e.holds(t, user), partners[i].Name(),
				e.holds(t, partners[i].Name()))
		}
	}
	if code := e.health(t); code != 200 {
		t.Errorf("the edge of two switches answers %d", code)
	}

	seen := map[int]bool{}
	for range 2 {
		c := e.calls(t)
		d, at := answered(t, c, desks[:]...)
		seen[at] = true
		hears(t, c, tones[at])
		hears(t, d, callerTone)
		if !passedBy(d, e.phonesAt) || !passedBy(c, e.carrierAt) {
			t.Error("Kamailio is not on the way")
		}
		if id := d.Caller(); !strings.Contains(id.From, number) {
			t.Errorf("the desk sees %+v", id)
		}
		if len(seen) == 1 {
			hangUp(t, d)
			ended(t, c)
			continue
		}
		pushes(t, d, "*1")
		p := waitConfirmed(t, next(t, partners[at]))
		ended(t, d)
		hears(t, c, 930)
		hangUp(t, c)
		ended(t, p)
	}
	if len(seen) != 2 {
		t.Errorf("two calls were both at switch %v", seen)
	}
	own, err := desks[1].Call("sip:12345@"+domain, phone.CallOptions{})
	must(t, err)
	p := waitConfirmed(t, next(t, partners[1]))
	hears(t, p, tones[1])
	hangUp(t, own)
	ended(t, p)

	c := e.calls(t)
	d, going := answered(t, c, desks[:]...)
	stays := 1 - going
	must(t, e.nodes[going].keeper.Process.Signal(syscall.SIGTERM))
	eventually(t, "not ready", func() bool { res, _ := e.nodes[going].get(t, "/readyz"); return res.StatusCode == 503 })
	for range 3 {
		began := time.Now()
		other := e.calls(t)
		_, at := answered(t, other, desks[:]...)
		if at != stays {
			t.Error("a switch that drains has taken a call")
		}
		t.Logf("a call past the switch that drains took %v", time.Since(began).Round(time.Millisecond))
		hangUp(t, other)
		free(t, e.nodes[stays].lab, [2]string{"1101", "1102"}[stays])
	}
	hears(t, c, tones[going])
	hears(t, d, callerTone)

	e.nodes[going].die(t)
	for range 3 {
		began := time.Now()
		other := e.calls(t)
		_, at := answered(t, other, desks[:]...)
		if at != stays {
			t.Error("a switch that is dead has taken a call")
		}
		t.Logf("a call past the dead switch took %v", time.Since(began).Round(time.Millisecond))
		hangUp(t, other)
		free(t, e.nodes[stays].lab, [2]string{"1101", "1102"}[stays])
	}
	must(t, desks[going].Register(within(t, 20*time.Second)))

	e.nodes[stays].die(t)
	last := e.calls(t)
	ended(t, last)
	if end := last.Ending(); end.Code != 503 {
		t.Errorf("with no switch left the citizen's call ends %+v", end)
	}
	eventually(t, "the edge says that it has no switch", func() bool { return e.health(t) == 503 })
}

// free waits until a seat has no call.
func free(t *testing.T, l *lab, user string) {
	t.Helper()
	eventually(t, user+" is free", func() bool {
		var chairs []struct{ User, State string }
		_, body := l.get(t, "/v1/seats")
		must(t, json.Unmarshal(body, &chairs))
		return slices.ContainsFunc(chairs, func(c struct{ User, State string }) bool {
			return c.User == user && c.State == "free"
		})
	})
}

// die ends a switch with its keeper, worker and spare at once.
func (s *serving) die(t *testing.T) {
	t.Helper()
	p := s.await(t, func(p keeper.Status) bool { return p.Keeper != 0 && p.Worker != 0 })
	for _, pid := range []int{p.Keeper, p.Worker, p.Spare} {
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = s.keeper.Wait()
}

// Switches that share their registrations ring a phone that has registered through the edge, whichever of them that was
// with: when that one is dead, and when Redis is, too. Two that want one desk at once do not both ring it: a citizen
// waits, and has it next.
func TestKamailioSharedRegistrations(t *testing.T) {
	if testing.Short() {
		t.Skip("processes of its own")
	}
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "no")
	e := startEdged(t, 2, redis.Addr(), "cluster.share=redis")
	desk, partner := e.desk(t, "1101", deskTone), e.desk(t, "2101", partnerTone)
	at := slices.IndexFunc(e.nodes, func(n *serving) bool {
		return n.metric(t, "liandong_shared_registrations_sent_total") > 0
	})
	if at < 0 {
		t.Fatal("no switch has told Redis of a phone")
	}
	other := e.nodes[1-at]
	for _, n := range e.nodes {
		eventually(t, "both know both", func() bool { return n.metric(t, "liandong_shared_registrations") == 2 })
	}
	rings := func(when string) {
		t.Helper()
		began := time.Now()
		c := e.calls(t)
		d := next(t, desk)
		t.Logf("%s the phone rings after %v", when, time.Since(began).Round(time.Millisecond))
		waitConfirmed(t, c)
		waitConfirmed(t, d)
		hears(t, c, deskTone)
		hears(t, d, callerTone)
		pushes(t, d, "*1")
		p := waitConfirmed(t, next(t, partner))
		ended(t, d)
		hears(t, c, partnerTone)
		hangUp(t, c)
		ended(t, p)
		for _, user := range []string{"1101", "2101"} {
			free(t, other.lab, user)
		}
	}
	first, second := e.calls(t), e.calls(t) // one to each switch
	d := next(t, desk)
	waitConfirmed(t, d)
	both := func(name string) (n float64) { return e.nodes[0].metric(t, name) + e.nodes[1].metric(t, name) }
	eventually(t, "one talks, one waits", func() bool {
		return both("liandong_shared_seats_own") == 1 && both("liandong_shared_seats_others") == 1
	})
	select {
	case <-desk.Incoming():
		t.Error("two switches ring one desk at once")
	case <-time.After(time.Second / 2):
	}
	eventually(t, "the other shows whose the desk is", func() bool {
		for i, n := range e.nodes {
			_, body := n.get(t, "/v1/seats")
			if strings.Contains(string(body), fmt.Sprintf(`"state":"busy","switch":"n%d"`, 1-i)) {
				return true
			}
		}
		return false
	})
	if c := second; c.Ending().Code != 0 || first.Ending().Code != 0 {
		t.Errorf("who does not get it is not kept: %+v %+v", first.Ending(), c.Ending())
	}
	hangUp(t, d)
	began := time.Now()
	d = next(t, desk)
	t.Logf("free again it rings for who waits at the other switch after %v", time.Since(began).Round(time.Millisecond))
	waitConfirmed(t, d)
	waitConfirmed(t, first)
	waitConfirmed(t, second)
	hangUp(t, d)
	ended(t, first)
	ended(t, second)
	for _, n := range e.nodes {
		free(t, n.lab, "1101")
	}

	stands := func(n int, state string) func() bool {
		return func() bool {
			_, body := e.nodes[n].get(t, "/v1/seats")
			return strings.Contains(string(body), `"user":"1101","hotline":"110","state":"`+state+`"`)
		}
	}
	for i, state := range []string{"not_ready", "ready"} {
		res, body := e.nodes[i].post(t, "/v1/seats/1101/state?state="+state)
		if res.StatusCode != 200 {
			t.Fatalf("%d %s", res.StatusCode, body)
		}
		eventually(t, "what is said at one switch holds at the other", stands(1-i, map[string]string{
			"not_ready": "not_ready", "ready": "free"}[state]))
	}

	e.nodes[at].die(t)
	rings("when the switch is dead that it has registered with,")
	redis.Kill()
	eventually(t, "nothing is shared", func() bool {
		return other.metric(t, "liandong_shared_registrations_up") == 0
	})
	rings("when Redis is, too,")
}

// metric is a figure of a switch that has no labels; -1: there is none.
func (s *serving) metric(t testing.TB, name string) (v float64) {
	t.Helper()
	for line := range strings.Lines(s.page(t, "/metrics")) {
		if _, err := fmt.Sscanf(line, name+" %g", &v); err == nil {
			return v
		}
	}
	return -1
}
