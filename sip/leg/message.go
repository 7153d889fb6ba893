package leg

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/dialog"
	"liandong/sip/header"
)

// Supported are the option tags that we know, as the header field lists them.
const Supported = "replaces, join, timer, 100rel, norefersub"

// Methods are those of a dialog that we know, as Allow lists them.
const Methods = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY"

var extensions = strings.Split(Supported, ", ")

// What we can do, in every message that says so. The headers are shared by all
// messages and never changed.
var (
	allowHeader     = gosip.NewHeader("Allow", Methods)
	supportedHeader = gosip.NewHeader("Supported", Supported)
	acceptSDP       = gosip.NewHeader("Accept", mediaSDP)
	acceptInfo      = gosip.NewHeader("Accept", "application/dtmf-relay, application/dtmf, "+
		"application/vnd.nortelnetworks.digits, audio/telephone-event, application/hook-flash")
	acceptIdentity = gosip.NewHeader("Accept-Encoding", "identity")
)

const mediaSDP = "application/sdp"

// self is our own addresses, parsed once. Immutable.
type self struct {
	contact *gosip.ContactHeader
	plain   *gosip.ContactHeader // contact without the name of a conference
	agent   gosip.Header         // who we are, in requests; nil: it is not said
	server  gosip.Header         // in responses
	viaHost string
	viaPort int
	via     string // transport
}

func newSelf(cfg *Config, local Local) self {
	s := self{contact: &gosip.ContactHeader{}, via: upper(local.Transport)}
	if cfg.UserAgent != "" {
		s.agent, s.server = line("User-Agent", cfg.UserAgent), line("Server", cfg.UserAgent)
	}
	if err := gosip.ParseUri(local.Contact, &s.contact.Address); err != nil {
		s.contact.Address = gosip.Uri{Scheme: "sip", Host: local.ViaHost}
	}
	s.plain = s.contact
	s.viaHost = local.ViaHost
	if host, port, err := net.SplitHostPort(local.ViaHost); err == nil {
		s.viaHost = host
		s.viaPort, _ = strconv.Atoi(port)
	}
	return s
}

// setFocus makes our Contact that of a conference, unless the name is "".
func (s *self) setFocus(focus string) {
	if focus == "" {
		return
	}
	s.contact = s.contact.Clone()
	s.contact.Address.User = focus
	s.contact.Params.Add("isfocus", "")
}

// newVia is the Via of a new request: RFC 3261 §8.1.1.7 with a branch of its
// own, RFC 3581 §3 with an empty rport.
func (l *Leg) newVia(transport string) *gosip.ViaHeader {
	if transport = upper(transport); transport == "" {
		transport = l.self.via
	}
	one := &struct { // in one piece, as there are many
		gosip.ViaHeader
		params [2]gosip.HeaderKV
	}{
		ViaHeader: gosip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport,
			Host: l.self.viaHost, Port: l.self.viaPort},
		params: [2]gosip.HeaderKV{{K: "branch", V: l.tokenAfter("z9hG4bK")}, {K: "rport"}},
	}
	one.Params = one.params[:]
	return &one.ViaHeader
}

// upper is a transport as a Via names it.
func upper(transport string) string {
	switch transport {
	case "udp":
		return "UDP"
	case "tcp":
		return "TCP"
	case "tls":
		return "TLS"
	}
	return strings.ToUpper(transport)
}

// token is a random token of 64 bits.
func (l *Leg) token() string { return l.tokenAfter("") }

func (l *Leg) tokenAfter(prefix string) string {
	var room [32]byte
	return string(strconv.AppendUint(append(room[:0], prefix...), l.cfg.Rand(), 36))
}

// add appends a header that no list of gosip's knows.
func add(m gosip.Message, name, value string) { m.AppendHeader(line(name, value)) }

func line(name, value string) gosip.Header {
	// A value made of another party's text must not begin a header of its own.
	if strings.ContainsAny(value, "\r\n") {
		value = strings.NewReplacer("\r", " ", "\n", " ").Replace(value)
	}
	return gosip.NewHeader(name, value)
}

func addFields(m gosip.Message, fields []header.Field) {
	for _, f := range fields {
		add(m, f.Name, f.Value)
	}
}

// addBody ends a message: nil is no body.
func addBody(m gosip.Message, contentType string, body []byte) {
	if body != nil {
		t := gosip.ContentTypeHeader(contentType)
		m.AppendHeader(&t)
	}
	header.SetBody(m, body)
}

// addCapabilities adds who we are and what we can do to a request of the INVITE kind.
func (l *Leg) addCapabilities(m gosip.Message) {
	m.AppendHeader(l.contact())
	m.AppendHeader(allowHeader)
	m.AppendHeader(supportedHeader)
	l.addAgent(m)
}

// contact is what the party is to reach us at. RFC 3261 §8.1.1.8, §12.1.1: where
// the Request-URI is a sips one, our Contact "MUST" be too.
func (l *Leg) contact() *gosip.ContactHeader {
	if !l.Dialog.Secure {
		return l.self.contact
	}
	c := l.self.plain.Clone()
	c.Address.Scheme, c.Address.UriParams = "sips", nil
	return c
}

// addAgent says who we are: in User-Agent, in a response in Server.
func (l *Leg) addAgent(m gosip.Message) {
	h := l.self.agent
	if _, is := m.(*gosip.Response); is {
		h = l.self.server
	}
	if h != nil {
		m.AppendHeader(h)
	}
}

// Reply begins a response to a request: what RFC 3261 §8.2.6 copies from it.
// The tag completes the To of a request without one; the body is still to be
// set. Nothing of the request is changed. Via must be there, anything else may
// be missing.
func Reply(p Packet, code int, phrase, tag string) *gosip.Response {
	req := p.Msg.(*gosip.Request)
	if phrase == "" {
		phrase = phraseOf(code)
	}
	res := gosip.NewResponse(code, phrase)
	copyVias(res, req, p.Flow.Remote)
	if code == 100 {
		copyAll(res, req, "timestamp")
	} else if (req.Method == gosip.INVITE || req.Method == gosip.SUBSCRIBE) && code < 300 {
		copyAll(res, req, "record-route") // RFC 3261 §12.1.1
	}
	if from := req.From(); from != nil {
		res.AppendHeader(from)
	}
	if to := req.To(); to != nil {
		res.AppendHeader(tagged(to, tag))
	}
	if id := req.CallID(); id != nil {
		res.AppendHeader(id)
	}
	if seq := req.CSeq(); seq != nil {
		res.AppendHeader(seq)
	}
	return res
}

func copyAll(res *gosip.Response, req *gosip.Request, name string) {
	for h := range header.All(req, name) {
		res.AppendHeader(h)
	}
}

// copyVias keeps the order; the top one tells the sender where it was seen
// (RFC 3261 §18.2.1, RFC 3581 §4).
func copyVias(res *gosip.Response, req *gosip.Request, source netip.AddrPort) {
	top := true
	for h := range header.All(req, "via") {
		via, ok := h.(*gosip.ViaHeader)
		if !ok {
			continue
		}
		if top && source.IsValid() {
			via = seen(via, source)
		}
		top = false
		res.AppendHeader(via)
	}
}

func isPort(text string, port uint16) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && uint16(n) == port
}

func seen(via *gosip.ViaHeader, source netip.AddrPort) *gosip.ViaHeader {
	ip := source.Addr().Unmap()
	port, rport := via.Params.Get("rport")
	if !rport && isAddr(via.Host, ip) {
		return via
	}
	received, _ := via.Params.Get("received")
	if isAddr(received, ip) && (!rport || isPort(port, source.Port())) {
		return via // who has read it has written it down already
	}
	addr := ip.String()
	via = via.Clone()
	via.Params.Add("received", addr)
	if rport {
		via.Params.Add("rport", strconv.Itoa(int(source.Port())))
	}
	return via
}

// isAddr says that a text is an address, as that is written.
func isAddr(text string, ip netip.Addr) bool {
	var room [64]byte
	return text == string(ip.AppendTo(room[:0]))
}

func tagged(to *gosip.ToHeader, tag string) *gosip.ToHeader {
	if tag == "" || dialog.Tag(to.Params) != "" {
		return to
	}
	params := make(gosip.HeaderParams, 0, len(to.Params)+1)
	params = append(params, to.Params...)
	return &gosip.ToHeader{DisplayName: to.DisplayName, Address: to.Address,
		Params: append(params, gosip.HeaderKV{K: "tag", V: tag})}
}

// ReplyFlow is the way of a response to a request that came by p. RFC 3261
// §18.2.2, RFC 3581 §4: back over the connection, or from where it was heard
// to the source's address, at the source's port if it asked for rport, else at
// the port of its Via. A maddr is not followed: it would let a stranger aim our
// responses at anybody.
func ReplyFlow(p Packet) Flow {
	flow := p.Flow
	req, ok := p.Msg.(*gosip.Request)
	if !ok || !strings.EqualFold(flow.Transport, "udp") || !flow.Remote.IsValid() || flow.Symmetric {
		return flow
	}
	via := req.Via()
	if via == nil || via.Params.Has("rport") {
		return flow
	}
	port := via.Port
	if port <= 0 || port > 65535 {
		port = 5060
	}
	flow.Remote = netip.AddrPortFrom(flow.Remote.Addr(), uint16(port))
	return flow
}

// tokens reports whether a comma list header (Supported, Require, Allow) of any
// of the names has an entry.
func tokens(m gosip.Message, entry string, names ...string) bool {
	found := false
	each(m, func(t string) { found = found || strings.EqualFold(t, entry) }, names...)
	return found
}

// each walks the entries of comma list headers.
func each(m gosip.Message, f func(entry string), names ...string) {
	for _, name := range names {
		for h := range header.All(m, name) {
			for entry := range strings.SplitSeq(h.Value(), ",") {
				if entry = strings.TrimSpace(entry); entry != "" {
					f(entry)
				}
			}
		}
	}
}

// value is the first header of a name, "" when there is none.
func value(m gosip.Message, name string) string {
	for h := range header.All(m, name) {
		return strings.TrimSpace(h.Value())
	}
	return ""
}

// number is a header that is a decimal number, perhaps with a comment or
// parameters after it; false when there is none.
func number(m gosip.Message, name string) (int, bool) {
	v := value(m, name)
	end := 0
	for end < len(v) && v[end] >= '0' && v[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(v[:end])
	return n, err == nil && n <= 1<<31-1
}
