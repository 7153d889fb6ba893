package ua

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

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
	lines := headLines(string(head))
	r := reader{}
	if err := r.startLine(lines[0]); err != nil {
		return message{}, err
	}
	for _, line := range unfold(lines[1:]) {
		r.line(line)
	}
	r.body(body)
	r.complete()
	return r.message, nil
}

func cutHead(data []byte) (head, body []byte) {
	if i := bytes.Index(data, []byte("\r\n\r\n")); i >= 0 {
		return data[:i], data[i+4:]
	}
	return data, nil
}

func headLines(head string) []string {
	lines := strings.Split(head, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\r")
	}
	return lines
}

// unfold joins continuation lines: RFC 3261 §7.3.1, they begin with a blank
// and the fold counts as one.
func unfold(lines []string) []string {
	out := lines[:0]
	for _, line := range lines {
		switch {
		case line == "":
		case strings.IndexByte(blanks, line[0]) >= 0 && len(out) > 0:
			out[len(out)-1] = strings.TrimRight(out[len(out)-1], blanks) + " " + trim(line)
		default:
			out = append(out, line)
		}
	}
	return out
}

// reader fills one message. Owned by one call of read.
type reader struct {
	message
	request  *gosip.Request
	seen     uint8 // bits of onlyOnce
	length   int   // Content-Length, when given
	measured bool
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
	res := gosip.NewResponse(code, reason)
	r.msg = res
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
	var recipient gosip.Uri
	err := readURI(uri, &recipient)
	r.request = gosip.NewRequest(gosip.RequestMethod(method), recipient)
	r.msg = r.request
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
	bit := onlyOnce[name]
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
		r.msg.AppendHeader(gosip.NewHeader(name, value))
	}
	if err != nil {
		r.bad(name)
	}
}

func (r *reader) via(value string) error {
	parts, _ := header.Split(value, ',') // what is left open is the last one's fault
	for _, part := range parts {
		via, err := readVia(trim(part))
		if err != nil {
			if r.top == nil && len(r.echo.via) == 0 {
				r.echo.via = append(r.echo.via, value)
			}
			return err
		}
		r.echo.via = append(r.echo.via, trim(part))
		if len(r.echo.via) == 1 {
			r.top = via
		}
		r.msg.AppendHeader(via)
	}
	return nil
}

func (r *reader) from(value string) error {
	a, err := readParty(value)
	if err != nil {
		return err
	}
	r.msg.AppendHeader(&gosip.FromHeader{DisplayName: a.display, Address: a.uri, Params: a.params})
	return nil
}

func (r *reader) to(value string) error {
	a, err := readParty(value)
	if err != nil {
		return err
	}
	r.msg.AppendHeader(&gosip.ToHeader{DisplayName: a.display, Address: a.uri, Params: a.params})
	return nil
}

func (r *reader) callID(value string) error {
	if value == "" || strings.ContainsAny(value, blanks) {
		return errors.New("ua: Call-ID")
	}
	h := gosip.CallIDHeader(value)
	r.msg.AppendHeader(&h)
	return nil
}

func (r *reader) cseq(value string) error {
	h, err := readCSeq(value)
	if err != nil {
		return err
	}
	r.msg.AppendHeader(h)
	return nil
}

func (r *reader) maxForwards(value string) error {
	n, err := strconv.ParseUint(value, 10, 8) // RFC 3261 §20.22: 0 to 255
	if err != nil {
		return err
	}
	h := gosip.MaxForwardsHeader(n)
	r.msg.AppendHeader(&h)
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
	parts, _ := header.Split(value, ',')
	for _, part := range parts {
		a, err := readAddress(part)
		if err != nil {
			if r.needs(name) {
				return err
			}
			continue
		}
		r.msg.AppendHeader(listed(name, a))
	}
	return nil
}

func listed(name string, a address) gosip.Header {
	switch name {
	case "Route":
		return &gosip.RouteHeader{Address: a.uri}
	case "Record-Route":
		return &gosip.RecordRouteHeader{Address: a.uri}
	}
	return &gosip.ContactHeader{DisplayName: a.display, Address: a.uri, Params: a.params}
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
func (r *reader) body(body []byte) {
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
		r.msg.SetBody(nil)
		return
	}
	r.msg.SetBody(bytes.Clone(body))
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

// onlyOnce: header fields that may stand only once, a bit for each.
var onlyOnce = map[string]uint8{
	"From": 1, "To": 2, "Call-ID": 4, "CSeq": 8, "Max-Forwards": 16, "Content-Length": 32,
}

// canonical spells the header names that are looked up as the library does,
// and writes out the compact forms (RFC 3261 §7.3.3, IANA).
func canonical(name string) string {
	if full, ok := spelling[strings.ToLower(name)]; ok {
		return full
	}
	return name
}

var spelling = map[string]string{
	"v": "Via", "via": "Via", "f": "From", "from": "From", "t": "To", "to": "To",
	"i": "Call-ID", "call-id": "Call-ID", "cseq": "CSeq", "max-forwards": "Max-Forwards",
	"l": "Content-Length", "content-length": "Content-Length", "c": "Content-Type", "content-type": "Content-Type",
	"m": "Contact", "contact": "Contact", "route": "Route", "record-route": "Record-Route",
	"k": "Supported", "s": "Subject", "e": "Content-Encoding", "o": "Event", "r": "Refer-To", "b": "Referred-By",
	"u": "Allow-Events", "x": "Session-Expires", "a": "Accept-Contact", "j": "Reject-Contact",
	"d": "Request-Disposition", "n": "Identity-Info", "y": "Identity",
}
