package app

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"liandong/cmd/internal/api"
	"liandong/routing/mirror"
)

// answer answers HTTP for a machine that stands by, where that can be asked on the machine itself: that it is alive,
// takes no calls, and how its copy stands. The function that it returns ends it.
func (a *App) answer() (stop func()) {
	mux := http.NewServeMux()
	say := func(path string, status int, text func(lang string) string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprintln(w, text(cmp.Or(api.AcceptedLang(r), a.lang)))
		})
	}
	say("/healthz", http.StatusOK, func(string) string { return "ok" })
	say("/readyz", http.StatusServiceUnavailable, a.pair.Words)
	say("/v1/cluster", http.StatusOK, a.pair.Words)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second, WriteTimeout: 5 * time.Second}
	var served sync.WaitGroup
	for _, l := range a.listens {
		if l.CertFile != "" || !l.Address.Addr().IsLoopback() {
			continue
		}
		if on, err := net.Listen("tcp", l.Address.String()); err == nil {
			served.Go(func() { _ = server.Serve(on) })
		}
	}
	return func() {
		_ = server.Close()
		served.Wait()
	}
}

// Words says how the pair stands.
func (p *pair) Words(lang string) string {
	say := func(zh, en string, args ...any) string {
		if lang == "zh" {
			return fmt.Sprintf(zh, args...)
		}
		return fmt.Sprintf(en, args...)
	}
	partner := p.cfg.Machines[1-p.me]
	out, in := p.sender.Stats(), p.receiver.Stats()
	switch {
	case p.Turn() != 0 && !out.Connected:
		return say("双机：本机承载通话（第 %d 任）；对方 %v 未连接，本机一旦停机，通话不能接续：%s",
			"cluster: this machine carries the calls (turn %d); %v is not connected, no call would outlive this machine: %s",
			p.Turn(), partner, out.Last)
	case p.Turn() != 0:
		return say("双机：本机承载通话（第 %d 任）；对方 %v 已备好，落后 %.0f 毫秒",
			"cluster: this machine carries the calls (turn %d); %v is ready, %.0f ms behind", p.Turn(), partner,
			out.Lag.Seconds()*1000)
	case !in.Copied:
		return say("双机：本机待命；尚未收到 %v 的副本", "cluster: this machine stands by, with no copy yet of what %v carries",
			partner)
	}
	return say("双机：本机待命；%v 的副本已就绪", "cluster: this machine stands by, with a copy of what %v carries", partner)
}

// Stream is how the way to the other machine stands.
func (p *pair) Stream() mirror.Stats { return p.sender.Stats() }

var (
	errNotHere = errors.New("cluster: this machine does not carry the calls")
	errBehind  = errors.New("cluster: the other machine could not go on with the calls")
)

// SwitchOver asks keepalived to move the addresses. When they have gone this machine hands over what it carries.
func (p *pair) SwitchOver() error {
	s := p.sender.Stats()
	switch {
	case p.Turn() == 0:
		return errNotHere
	case !s.Connected || s.Lag > time.Second:
		return errBehind
	}
	return p.giveAway(true)
}
