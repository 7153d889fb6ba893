package ua

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"

	gosip "github.com/emiago/sipgo/sip"
)

// held are messages that wait until the host name in an SDP is known (RFC 4566 §5.7 allows one), and those of the same
// Call-ID behind them: a CANCEL does not overtake its INVITE.
type held struct {
	mu   sync.Mutex
	byID map[string][]func() // guarded by mu; what is to be handled, in the order of the wire
}

const (
	maxHeld     = 64 // Call-IDs that wait
	maxHeldEach = 16 // messages of one
	maxNamed    = 4  // names in one description
)

// behind takes a message that has to wait for one before it; false: there is none.
func (h *held) behind(callID string, handle func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, waits := h.byID[callID]
	if waits && len(list) < maxHeldEach {
		h.byID[callID] = append(list, handle)
	}
	return waits
}

// some says that something waits.
func (h *held) some() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID) > 0
}

// begin makes what comes with a Call-ID wait; false: too many do.
func (h *held) begin(callID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.byID) >= maxHeld {
		return false
	}
	if h.byID == nil {
		h.byID = map[string][]func(){}
	}
	h.byID[callID] = nil
	return true
}

// next is what waited longest; nil: nothing waits any more.
func (h *held) next(callID string) func() {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.byID[callID]
	if len(list) == 0 {
		delete(h.byID, callID)
		return nil
	}
	h.byID[callID] = list[1:]
	return list[0]
}

// waits says that a message is one for inTurn: something waits, or there may be a name in its SDP.
func (u *UA) waits(m gosip.Message) bool {
	_, _, named := mediaHost(m.Body())
	return named || u.held.some()
}

// inTurn handles a message, after the name of its SDP is known and what came before it with its Call-ID is done. A name
// is only looked up for those who are known: ask.
func (u *UA) inTurn(network, callID string, m gosip.Message, ask bool, handle func()) {
	if u.held.behind(callID, handle) {
		return
	}
	if _, _, named := mediaHost(m.Body()); !named || !ask || !u.held.begin(callID) {
		handle()
		return
	}
	u.name(network, m, maxNamed, func() {
		for ; handle != nil; handle = u.held.next(callID) {
			u.guarded(handle)
		}
	})
}

// guarded is handle with a net under it, on a goroutine that is no reader's.
func (u *UA) guarded(handle func()) {
	defer u.survive()
	handle()
}

// name writes addresses for the names in an SDP. One that cannot be resolved stays: the answer is then 488.
func (u *UA) name(network string, m gosip.Message, most int, then func()) {
	host, line, named := mediaHost(m.Body())
	if !named || most == 0 {
		then()
		return
	}
	// With a port, as SRV records are of no help here; it does not matter which.
	u.resolver.resolve(network, "udp", host+":5060", func(at netip.AddrPort, err error) {
		if err != nil {
			then()
			return
		}
		family := "IP4 "
		if at.Addr().Is6() {
			family = "IP6 "
		}
		m.SetBody(bytes.Replace(m.Body(), line, []byte("c=IN "+family+at.Addr().String()), 1))
		u.name(network, m, most-1, then)
	})
}

// mediaHost is the first host name in the c= lines of a description, with its line.
func mediaHost(body []byte) (host string, line []byte, ok bool) {
	for rest := body; len(rest) > 0; {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if !bytes.HasPrefix(line, []byte("c=IN IP")) {
			continue
		}
		if numericHost(line) {
			continue
		}
		f := strings.Fields(string(line))
		const letters = "abcdefghijklmnopqrstuvwxyz0123456789.-"
		if len(f) != 3 || len(f[2]) > 253 || strings.Trim(strings.ToLower(f[2]), letters) != "" {
			continue
		}
		if _, numeric := hostIP(f[2]); !numeric {
			return f[2], line, true
		}
	}
	return "", nil, false
}

// numericHost says of a c= line that its address is an IPv4 one, as nearly all are.
func numericHost(line []byte) bool {
	at, ok := bytes.CutPrefix(line, []byte("c=IN IP4 "))
	if !ok || len(at) == 0 || at[0] < '0' || at[0] > '9' {
		return false
	}
	ip, err := netip.ParseAddr(string(at))
	return err == nil && ip.Is4()
}
