package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// audit writes down who has done what by HTTP, and who was turned away: one line each.
type audit struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[netip.Addr]time.Time // guarded by mu: refusals logged of late
}

// Of refusals each address has one line in refusedEvery, and all together no more than refusedMost: whoever knocks a
// thousand times fills no disk.
const (
	refusedEvery = time.Second
	refusedMost  = 64
)

// did notes what a visitor has done.
func (a *audit) did(r *http.Request, what string, attrs ...any) {
	a.log.Info("by HTTP: "+what, append([]any{"by", visitorOf(r).name, "from", r.RemoteAddr}, attrs...)...)
}

// refused notes who was turned away. What was asked for is named without its query: a token may be in it.
func (a *audit) refused(r *http.Request, why string) {
	if !a.due(source(r), time.Now()) {
		return
	}
	what := "refused by HTTP"
	if token(r) != "" {
		what = "refused by HTTP, with a wrong token"
	}
	a.log.Warn(what, "why", why, "from", r.RemoteAddr, "method", r.Method, "pattern", r.Pattern)
}

func (a *audit) due(from netip.Addr, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, at := range a.last {
		if now.Sub(at) >= refusedEvery {
			delete(a.last, addr)
		}
	}
	if _, just := a.last[from]; just || len(a.last) >= refusedMost {
		return false
	}
	if a.last == nil {
		a.last = map[netip.Addr]time.Time{}
	}
	a.last[from] = now
	return true
}
