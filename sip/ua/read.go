package ua

import (
	"bytes"
	"errors"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// errNotSIP: the bytes do not begin with a SIP start line, so there is nobody
// who would understand an answer.
var errNotSIP = errors.New("ua: not a SIP message")

// message is what came in: the library's message, what is wrong with it, and
// the header texts that an answer has to repeat even when they make no sense.
type message struct {
	msg   gosip.Message
	fault fault
	echo  echo
	top   *gosip.ViaHeader // of a request; nil when it could not be read
	kept  string           // see leg.Packet.Kept

	counted bool // as heard's
}

// fault is the answer that a malformed request earns; the zero value is none.
type fault struct {
	code   int
	phrase string
}

// echo holds header texts as they came. They contain no line breaks.
type echo struct {
	via                    []string
	from, to, callID, cseq string
}

// read understands one whole message; data ends with it or with bytes to be
// ignored (RFC 3261 §18.3). The message keeps no reference to data.
func read(data []byte) (message, error) {
	// RFC 3261 §7.5: also in a datagram, where it is seen in the field
	head, body := cutHead(bytes.TrimLeft(data, "\r\n"))
	return readText(string(head), body)
}

// read understands what has come.
func (h *arrival) read() (message, error) {
	if h.head == "" {
		return read(h.data)
	}
	_, body := cutHead(h.data)
	return readText(h.head, body)
}

// readText is read for a head that has been copied: all texts of the message are pieces of it.
func readText(head string, body []byte) (message, error) {
	start, fields, _ := strings.Cut(head, "\n")
	r := readers.Get().(*reader)
	defer r.done()
	if err := r.startLine(strings.TrimSuffix(start, "\r")); err != nil {
		return message{}, err
	}
	for line := range headerLines(fields) {
		r.line(line)
	}
	r.finish(r.body(body))
	r.complete()
	return r.message, nil
}

func cutHead(data []byte) (head, body []byte) {
	if i := bytes.Index(data, []byte("\r\n\r\n")); i >= 0 {
		return data[:i], data[i+4:]
	}
	return data, nil
}

// headerLines are the lines of a head. Continuation lines are joined to what they continue: RFC 3261 §7.3.1, they begin
// with a blank and the fold counts as one.
func headerLines(head string) iter.Seq[string] {
	return func(yield func(string) bool) {
		last := ""
		for more := true; more; {
			var line string
			line, head, more = strings.Cut(head, "\n")
			switch line = strings.TrimSuffix(line, "\r"); {
			case line == "":
			case strings.IndexByte(blanks, line[0]) >= 0 && last != "":
				last = strings.TrimRight(last, blanks) + " " + trim(line)
			case last != "" && !yield(last):
				return
			default:
				last = line
			}
		}
		if last != "" {
			yield(last)
		}
	}
}

// reader fills messages. Owned by one call of read at a time.
type reader struct {
	one
	fields []gosip.Header   // of the message, in order; its array is used again
	others [64]gosip.Header // see other; some of the messages before
	seed   maphash.Seed     // nobody else knows which of them meet
}

// one is what a reader knows of its message.
type one struct {
	message
	*usual
	request  *gosip.Request
	response *gosip.Response // one of both
	seen     uint8           // bits of onlyOnce
	length   int             // Content-Length, when given
	measured bool
	contacts bool // there was one
}

var readers = sync.Pool{New: func() any { return newReader() }}

func newReader() *reader {
	return &reader{fields: make([]gosip.Header, 0, 24), seed: maphash.MakeSeed()}
}

// done gives the reader back for another message.
func (r *reader) done() {
	clear(r.fields)
	r.one, r.fields = one{}, r.fields[:0]
	readers.Put(r)
}

// other is a header field that the library does not know. A peer says the same of itself in all its messages, as in
// User-Agent and Allow; they share it, as nobody changes a message. It is no piece of the head of one.
func (r *reader) other(name, value string) gosip.Header {
	at := &r.others[maphash.String(r.seed, value)%uint64(len(r.others))]
	if h := *at; h == nil || h.Name() != name || h.Value() != value {
		*at = gosip.NewHeader(strings.Clone(name), strings.Clone(value))
	}
	return *at
}

// usual are the header fields that nearly every message has, in one piece of memory. The message has another: who keeps
// one of its fields keeps no body.
type usual struct {
	via         gosip.ViaHeader
	from        address
	to          address
	contact     address
	callID      gosip.CallIDHeader
	cseq        gosip.CSeqHeader
	hops        gosip.MaxForwardsHeader
	size        gosip.ContentLengthHeader
	viaTexts    [1]string
	viaParams   [4]gosip.HeaderKV
	partyParams [3][1]gosip.HeaderKV // a tag; of Contact what it may have
}

func (r *reader) bad(what string) { r.fail(gosip.StatusBadRequest, "Bad Request ("+what+")") }

// fail keeps the first fault: the start line is read first, so that a wrong
// version is told as such.
func (r *reader) fail(code int, phrase string) {
	if r.fault.code == 0 {
		r.fault = fault{code, phrase}
	}
}

func (r *reader) startLine(line string) error {
	if version, rest, ok := strings.Cut(line, " "); ok && isVersion(version) {
		return r.statusLine(version, rest)
	}
	return r.requestLine(line)
}

func isVersion(s string) bool {
	return len(s) > 4 && strings.EqualFold(s[:4], "SIP/") && s[4] >= '0' && s[4] <= '9'
}

func (r *reader) statusLine(version, rest string) error {
	digits, reason, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 3 || code < 100 || code > 699 || !strings.EqualFold(version, "SIP/2.0") {
		return errNotSIP
	}
	r.response, r.usual = &gosip.Response{StatusCode: code, Reason: reason}, &usual{}
	r.response.SipVersion = "SIP/2.0"
	r.msg = r.response
	return nil
}

// requestLine: RFC 3261 §7.1, three parts and single spaces.
func (r *reader) requestLine(line string) error {
	line = strings.TrimRight(line, blanks)
	end := strings.LastIndexByte(line, ' ')
	if end < 0 || !isVersion(line[end+1:]) {
		return errNotSIP
	}
	version := line[end+1:]
	method, uri, _ := strings.Cut(line[:end], " ")
	r.request, r.usual = &gosip.Request{Method: gosip.RequestMethod(method)}, &usual{}
	r.request.SipVersion = "SIP/2.0"
	r.msg = r.request
	recipient := &r.request.Recipient
	err := readURI(uri, recipient)
	r.judgeRequestLine(version, method, uri)
	if r.fault.code == 0 && (err != nil || recipient.Wildcard || len(recipient.Headers) > 0) {
		r.bad("Request-URI") // RFC 3261 §19.1.1: no headers in a Request-URI
	}
	return nil
}

func (r *reader) judgeRequestLine(version, method, uri string) {
	switch {
	case !strings.EqualFold(version, "SIP/2.0"):
		r.fail(gosip.StatusVersionNotSupported, "Version Not Supported")
	case !header.IsToken(method):
		r.bad("method")
	case schemeOK(uri) && !servedScheme(uri):
		r.fail(416, "Unsupported URI Scheme") // RFC 3261 §8.2.2.1
	}
}

func servedScheme(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
		return true
	}
	return isSOS(uri)
}

// isSOS: RFC 5031 §4.2, an emergency service by its name.
func isSOS(uri string) bool {
	const sos = "urn:service:sos"
	return len(uri) >= len(sos) && strings.EqualFold(uri[:len(sos)], sos) &&
		(len(uri) == len(sos) || uri[len(sos)] == '.')
}

func (r *reader) line(line string) {
	name, value, ok := strings.Cut(line, ":")
	name, value = strings.TrimRight(name, blanks), trim(value)
	if !ok || !header.IsToken(name) || strings.ContainsRune(value, '\r') {
		r.bad("header line")
		return
	}
	name = canonical(name)
	bit := onlyOnce(name)
	if r.seen&bit != 0 {
		r.repeat(name, value)
		return
	}
	r.seen |= bit
	r.header(name, value)
}

func (r *reader) repeat(name, value string) {
	if n, err := strconv.Atoi(value); name == "Content-Length" && err == nil && n == r.length {
		return // the same length twice is no contradiction
	}
	r.bad("more than one " + name)
}

func (r *reader) header(name, value string) {
	var err error
	switch name {
	case "Via":
		err = r.via(value)
	case "From":
		r.echo.from = value
		err = r.from(value)
	case "To":
		r.echo.to = value
		err = r.to(value)
	case "Call-ID":
		r.echo.callID = value
		err = r.callID(value)
	case "CSeq":
		r.echo.cseq = value
		err = r.cseq(value)
	case "Max-Forwards":
		err = r.maxForwards(value)
	case "Content-Length":
		err = r.contentLength(value)
	case "Contact", "Route", "Record-Route":
		err = r.list(name, value)
	default:
		r.add(r.other(name, value))
	}
	if err != nil {
		r.bad(name)
	}
}

// add takes a header field, in its place.
func (r *reader) add(h gosip.Header) { r.fields = append(r.fields, h) }

func (r *reader) via(value string) error {
	for rest, more := value, true; more; {
		var part string
		part, rest, more, _ = header.Cut(rest, ',') // what is left open is the last one's fault
		part = trim(part)
		via := &r.usual.via
		if via.Host != "" {
			via = &gosip.ViaHeader{}
		} else {
			via.Params = r.viaParams[:0]
		}
		if err := readVia(part, via); err != nil {
			if len(r.echo.via) == 0 {
				r.echo.via = append(r.viaTexts[:0], value)
			}
			return err
		}
		if len(r.echo.via) == 0 {
			r.top, r.echo.via = via, r.viaTexts[:0]
		}
		r.echo.via = append(r.echo.via, part)
		r.add(via)
	}
	return nil
}

func (r *reader) from(value string) error {
	from := &r.usual.from
	from.Params = r.partyParams[0][:0]
	err := readParty(value, from)
	if err == nil {
		r.add((*gosip.FromHeader)(from))
	}
	return err
}

func (r *reader) to(value string) error {
	to := &r.usual.to
	to.Params = r.partyParams[1][:0]
	err := readParty(value, to)
	if err == nil {
		r.add((*gosip.ToHeader)(to))
	}
	return err
}

func (r *reader) callID(value string) error {
	if value == "" || strings.ContainsAny(value, blanks) {
		return errors.New("ua: Call-ID")
	}
	r.usual.callID = gosip.CallIDHeader(value)
	r.add(&r.usual.callID)
	return nil
}

func (r *reader) cseq(value string) error {
	err := readCSeq(value, &r.usual.cseq)
	if err == nil {
		r.add(&r.usual.cseq)
	}
	return err
}

func (r *reader) maxForwards(value string) error {
	n, err := strconv.ParseUint(value, 10, 8) // RFC 3261 §20.22: 0 to 255
	if err != nil {
		return err
	}
	r.hops = gosip.MaxForwardsHeader(n)
	r.add(&r.hops)
	return nil
}

func (r *reader) contentLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return err
	}
	r.length, r.measured = int(n), true
	return nil
}

// list reads the header fields that hold addresses separated by commas. RFC
// 3261 §8.2: a malformed one that this request does not need is no fault; it is
// then left out, as the library would read it again by its own rules.
func (r *reader) list(name, value string) error {
	if value == "" {
		return nil
	}
	for rest, more := value, true; more; {
		var part string
		part, rest, more, _ = header.Cut(rest, ',')
		a := r.place(name)
		if err := readAddress(part, a); err == nil {
			r.add(listed(name, a))
		} else if r.needs(name) {
			return err
		}
	}
	return nil
}

// place is where an address of a list is read to.
func (r *reader) place(name string) *address {
	if name != "Contact" || r.contacts {
		return &address{}
	}
	r.contacts = true
	r.contact.Params = r.partyParams[2][:0]
	return &r.contact
}

func listed(name string, a *address) gosip.Header {
	switch name {
	case "Route":
		return &gosip.RouteHeader{Address: a.Address}
	case "Record-Route":
		return &gosip.RecordRouteHeader{Address: a.Address}
	}
	return a
}

func (r *reader) needs(name string) bool {
	if r.request == nil {
		return name != "Route"
	}
	switch r.request.Method {
	case gosip.INVITE, gosip.SUBSCRIBE, gosip.REFER, gosip.NOTIFY:
		return name != "Route"
	case gosip.REGISTER, gosip.UPDATE:
		return name == "Contact"
	}
	return false
}

// body: RFC 3261 §18.3, bytes beyond the Content-Length are dropped, too few
// are an error; without the field the body goes to the end of the datagram.
func (r *reader) body(body []byte) []byte {
	switch {
	case !r.measured:
	case r.length > maxMessage:
		r.fail(gosip.StatusMessageTooLarge, "Message Too Large") // RFC 3261 §21.5.7
	case r.length > len(body):
		r.bad("body shorter than Content-Length")
	default:
		body = body[:r.length]
	}
	if len(body) == 0 {
		return nil
	}
	return bytes.Clone(body)
}

// finish gives the message its header fields and its body, whose length it would look for in all of them.
func (r *reader) finish(body []byte) {
	r.size = gosip.ContentLengthHeader(len(body))
	r.add(&r.size)
	var m *gosip.MessageData
	if r.request != nil {
		m = &r.request.MessageData
	} else {
		m = &r.response.MessageData
	}
	if r.single() {
		m.PrependHeader(r.fields...)
	} else {
		for _, h := range r.fields {
			m.AppendHeader(h)
		}
	}
	m.SetBody(body)
}

// single says that there is one Via, Route and Record-Route at most: of several the library takes the last for the
// first when it is given all at once.
func (r *reader) single() bool {
	var vias, routes, recorded int
	for _, h := range r.fields {
		switch h.(type) {
		case *gosip.ViaHeader:
			vias++
		case *gosip.RouteHeader:
			routes++
		case *gosip.RecordRouteHeader:
			recorded++
		}
	}
	return max(vias, routes, recorded) < 2
}

// complete checks what every message needs: RFC 3261 §8.1.1.
func (r *reader) complete() {
	m := r.msg
	switch {
	case len(r.echo.via) == 0:
		r.bad("no Via")
	case r.echo.from == "":
		r.bad("no From")
	case r.echo.to == "":
		r.bad("no To")
	case r.echo.callID == "":
		r.bad("no Call-ID")
	case r.echo.cseq == "":
		r.bad("no CSeq")
	case r.fault.code == 0 && r.request != nil && m.CSeq().MethodName != r.request.Method:
		r.bad("CSeq is of another method") // RFC 3261 §8.1.1.5
	}
}

// onlyOnce: a bit for each of the header fields that may stand only once, 0 for the others.
func onlyOnce(name string) uint8 {
	switch name {
	case "From":
		return 1
	case "To":
		return 2
	case "Call-ID":
		return 4
	case "CSeq":
		return 8
	case "Max-Forwards":
		return 16
	case "Content-Length":
		return 32
	}
	return 0
}

// canonical spells the header names that are looked up as the library does,
// and writes out the compact forms (RFC 3261 §7.3.3, IANA).
func canonical(name string) string {
	if full, ok := spelling[name]; ok { // as nearly all write it
		return full
	}
	var lower [20]byte // none of the names is longer
	if len(name) > len(lower) {
		return name
	}
	for i := range len(name) {
		if lower[i] = name[i]; 'A' <= name[i] && name[i] <= 'Z' {
			lower[i] |= 0x20
		}
	}
	if full, ok := spelling[string(lower[:len(name)])]; ok {
		return full
	}
	return name
}

// spelling has each name in lower case, in compact form, and as it is spelled.
var spelling = func() map[string]string {
	names := map[string]string{
		"v": "Via", "via": "Via", "f": "From", "from": "From", "t": "To", "to": "To",
		"i": "Call-ID", "call-id": "Call-ID", "cseq": "CSeq", "max-forwards": "Max-Forwards",
		"l": "Content-Length", "content-length": "Content-Length", "c": "Content-Type", "content-type": "Content-Type",
		"m": "Contact", "contact": "Contact", "route": "Route", "record-route": "Record-Route",
		"k": "Supported", "s": "Subject", "e": "Content-Encoding", "o": "Event", "r": "Refer-To", "b": "Referred-By",
		"u": "Allow-Events", "x": "Session-Expires", "a": "Accept-Contact", "j": "Reject-Contact",
		"d": "Request-Disposition", "n": "Identity-Info", "y": "Identity",
	}
	for _, full := range slices.Collect(maps.Values(names)) {
		names[full] = full
	}
	return names
}()
