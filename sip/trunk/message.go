package trunk

import (
	"net"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
	"liandong/sip/txn"
)

// self is our side of requests to one trunk. Immutable.
type self struct {
	flow   leg.Flow // without the far end
	local  leg.Local
	agent  string
	timing txn.Timing
	rand   func() uint64
}

// word is a random token of 64 bits.
func (s self) word() string { return strconv.FormatUint(s.rand(), 36) }

func (s self) upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(s.rand() % uint64(d))
}

// request begins a request outside of any dialog, from us to ourselves or to
// the trunk: of is whom it is about (RFC 3261 §8.1.1).
func (s self) request(method gosip.RequestMethod, uri, of, callID string, seq uint32) *gosip.Request {
	var to gosip.Uri
	if gosip.ParseUri(uri, &to) != nil {
		to = gosip.Uri{Scheme: "sip", Host: "invalid"} // names are checked with the config
	}
	var who gosip.Uri
	if gosip.ParseUri(of, &who) != nil {
		who = to
	}
	from := who
	if method == gosip.OPTIONS {
		from = gosip.Uri{Scheme: "sip", Host: s.viaHost()}
	}
	req := gosip.NewRequest(method, to)
	req.AppendHeader(s.via())
	hops := gosip.MaxForwardsHeader(70)
	req.AppendHeader(&hops)
	req.AppendHeader(&gosip.FromHeader{Address: from, Params: gosip.HeaderParams{{K: "tag", V: s.word()}}})
	req.AppendHeader(&gosip.ToHeader{Address: who})
	id := gosip.CallIDHeader(callID)
	req.AppendHeader(&id)
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: method})
	if s.agent != "" {
		req.AppendHeader(gosip.NewHeader("User-Agent", s.agent))
	}
	req.SetTransport(strings.ToUpper(s.flow.Transport))
	header.SetBody(req, nil)
	return req
}

func (s self) viaHost() string {
	host, _, err := net.SplitHostPort(s.local.ViaHost)
	if err != nil {
		return s.local.ViaHost
	}
	return host
}

func (s self) via() *gosip.ViaHeader {
	_, port, _ := net.SplitHostPort(s.local.ViaHost)
	n, _ := strconv.Atoi(port)
	return &gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(s.flow.Transport), Host: s.viaHost(),
		Port:   n,
		Params: gosip.HeaderParams{{K: "branch", V: "z9hG4bK" + s.word()}, {K: "rport"}},
	}
}

// asRequest is what a transaction wants sent; nil: nothing.
func asRequest(s txn.Step) *gosip.Request {
	req, _ := s.Send.(*gosip.Request)
	return req
}

// answers says whether a response is to the request with this branch (RFC 3261
// §17.1.3); the Call-ID has led here already.
func answers(res *gosip.Response, branch string) bool {
	via := res.Via()
	if via == nil {
		return false
	}
	got, _ := via.Params.Get("branch")
	return got == branch
}

func retryAfter(res *gosip.Response) time.Duration {
	n, _ := seconds(res, "Retry-After")
	return n
}

// seconds reads a header that begins with a number of seconds.
func seconds(res *gosip.Response, name string) (time.Duration, bool) {
	h := header.First(res, name)
	if h == nil {
		return 0, false
	}
	text := strings.TrimSpace(h.Value())
	if end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		text = text[:end]
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// due is when a request at intervals has something to do: the next one, or of the one under way a copy or its limit.
func due(next, limit time.Time, under *txn.Client) time.Time {
	if limit.IsZero() {
		return next
	}
	if again, ok := under.Deadline(); ok && again.Before(limit) {
		return again
	}
	return limit
}
