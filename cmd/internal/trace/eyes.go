package trace

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"liandong/cmd/internal/object"
	"liandong/routing/news"
	"liandong/routing/number"
	"liandong/sip/capture"
)

// Eyes is what somebody may see.
type Eyes struct {
	Lines    []string // nil: all
	Networks []string // whose addresses he may see; nil: of all
	Attends  bool     // he may know of the supervisors of his lines
}

// hidden stands for a network that is not his.
const hidden = "hidden"

// See is what he sees of a call's entries, in order of time; false: nothing, the call is none of his lines'.
func (e Eyes) See(ref string, all []capture.Entry) ([]capture.Entry, bool) {
	seen, _, ok := e.SeeAll(ref, all, nil)
	return seen, ok
}

// SeeAll is the same with headers of the call's RTP: those of the legs that he may know of.
func (e Eyes) SeeAll(ref string, all []capture.Entry, rtp []capture.RTP) (seen []capture.Entry, headers []capture.RTP,
	ok bool) {
	lines := LinesOf(all)
	if len(all) == 0 || e.Lines != nil && !shares(lines, e.Lines) {
		return nil, nil, false
	}
	v := view{Eyes: e, numbers: numbersIn(all), mask: &disguise{salt: ref, addrs: map[netip.Addr]netip.Addr{}},
		apart: e.apart(all), heard: map[string]string{}}
	for _, one := range all {
		switch {
		case one.Message != nil && v.apart[one.Message.CallID]:
		case one.Message != nil:
			m := v.message(*one.Message)
			seen = append(seen, capture.Entry{Message: &m})
		case one.Note != nil:
			if n, ok := v.note(*one.Note); ok {
				seen = append(seen, capture.Entry{Note: &n})
			}
		}
	}
	legs := e.legs(all)
	for _, p := range rtp {
		if !legs[strconv.Itoa(int(p.Leg))] {
			continue
		}
		if !v.sees(p.Network) {
			p.Network, p.Local, p.Remote = hidden, v.mask.port(p.Local), v.mask.port(p.Remote)
		}
		headers = append(headers, p)
	}
	return seen, headers, true
}

// legs are those that he may know of from the first to the last.
func (e Eyes) legs(all []capture.Entry) map[string]bool {
	legs := map[string]bool{}
	for _, one := range all {
		if one.Note == nil {
			continue
		}
		if f := fieldsOf(*one.Note); f["event"] == dialog {
			was, known := legs[f["leg"]]
			legs[f["leg"]] = e.about(f) && (was || !known)
		}
	}
	return legs
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// discreet says that a note tells of a supervisor.
func discreet(f map[string]string) bool {
	return strings.HasPrefix(f["event"], "supervisor") || f["party"] == "supervisor" || f["supervisor"] != ""
}

// attends says that he may know of a supervisor of these lines; none: it is not known of which.
func (e Eyes) attends(lines ...string) bool {
	return e.Attends && (e.Lines == nil || shares(lines, e.Lines))
}

// about says that he may know what a note tells.
func (e Eyes) about(f map[string]string) bool {
	lines := strings.Split(f["lines"], ",")
	switch {
	case discreet(f):
		return e.attends(lines...)
	case f["event"] == dialog:
		return true
	}
	return e.Lines == nil || f["lines"] == "" || shares(lines, e.Lines)
}

// apart are the Call-IDs of supervisors whom he may not know of, as is first told of each.
func (e Eyes) apart(all []capture.Entry) map[string]bool {
	apart := map[string]bool{}
	for _, one := range all {
		if one.Note == nil {
			continue
		}
		f := fieldsOf(*one.Note)
		if _, known := apart[f["call_id"]]; f["event"] == dialog && !known {
			apart[f["call_id"]] = !e.about(f)
		}
	}
	return apart
}

// view is how he sees one call.
type view struct {
	Eyes
	numbers numbers
	mask    *disguise
	apart   map[string]bool   // the Call-IDs that he does not see from here on
	heard   map[string]string // what each party hears, as he was told last
}

// sees says whether the addresses of a network are his to see.
func (v view) sees(network string) bool {
	return v.Networks == nil || slices.Contains(v.Networks, network)
}

// note leaves out what is of other lines alone, and supervisors whom he may not know of.
func (v view) note(n capture.Note) (capture.Note, bool) {
	f := fieldsOf(n)
	sees := v.about(f)
	switch f["event"] {
	case dialog:
		v.apart[f["call_id"]] = !sees
		if sees && !v.sees(f["network"]) {
			f["network"], f["trunk"] = hidden, ""
			f["call_id"] = v.mask.token(f["call_id"])
			n.Data = object.Of(news.From(f))
		}
	case hears:
		if sees {
			n.Data, sees = v.hears(f)
		}
	}
	return n, sees
}

// hears is what a party hears without the supervisors whom he may not know of; false: it is as he was told last, and
// that a supervisor comes or goes shows in nothing.
func (v view) hears(f map[string]string) ([]byte, bool) {
	var from []string
	if f["from"] != "" {
		from = append(from, f["from"])
	}
	for one := range strings.SplitSeq(f["supervisors"], ",") {
		name, line, _ := strings.Cut(one, " ")
		if name != "" && v.attends(line) {
			from = append(from, name)
		}
	}
	f["from"] = strings.Join(from, ",")
	delete(f, "supervisors")
	is := f["from"] + " " + f["play"]
	was, told := v.heard[f["party"]]
	v.heard[f["party"]] = is
	return object.Of(news.From(f)), !told || was != is
}

func (v view) message(m capture.Message) capture.Message {
	if v.sees(m.Network) {
		m.Text = v.masked(shownBody(m.Text))
		return m
	}
	m.Network, m.CallID = hidden, v.mask.token(m.CallID)
	m.Local, m.Remote = v.mask.port(m.Local), v.mask.port(m.Remote)
	m.Text = v.masked(v.mask.message(m.Text))
	if m.Fault != "" {
		m.Fault = "not sent"
	}
	return m
}

// digitRuns may be numbers, with the marks that they are written with.
var digitRuns = regexp.MustCompile(`\+?[0-9](?:[0-9]|[-.()][0-9]){6,}`)

// users are the numbers of URIs and of names that stand before them.
var users = regexp.MustCompile(`(?i)(?:sips?:|tel:|%3a|")(\+?(?:%2b)?[0-9](?:[0-9]|[-.()][0-9]){6,30})`)

// mostNumbers are masked one by one. In a call whose messages name more, whatever may be a number is masked.
const mostNumbers = 64

// numbers are those that are masked wherever they stand.
type numbers struct {
	cores, coded [][]byte // digits, and the same in hexadecimal
	all          bool     // there are more
}

// numbersIn collects the numbers that are masked: of all messages, so that one is masked wherever it stands.
func numbersIn(all []capture.Entry) (n numbers) {
	known := map[string]bool{}
	for _, e := range all {
		if e.Message == nil {
			continue
		}
		for _, at := range users.FindAllSubmatchIndex(e.Message.Text, -1) {
			digits, rest := e.Message.Text[at[2]:at[3]], e.Message.Text[at[3]:]
			core := coreOf(digits)
			host := address(digits) && !bytes.HasPrefix(rest, []byte("@")) && !bytes.HasPrefix(rest, []byte("%40"))
			if len(core) < 6 || host || known[string(core)] {
				continue
			}
			if len(n.cores) == mostNumbers {
				n.all = true
				return n
			}
			known[string(core)] = true
			n.cores, n.coded = append(n.cores, core), append(n.coded, []byte(hex.EncodeToString(core)))
		}
	}
	return n
}

// in says that a run of digits holds one of them. The address of a host holds none, though its digits may.
func (n numbers) in(run, digits []byte) bool {
	if address(run) {
		return slices.ContainsFunc(n.cores, func(core []byte) bool { return bytes.Equal(digits, core) })
	}
	return n.all || slices.ContainsFunc(n.cores, func(core []byte) bool { return bytes.Contains(digits, core) })
}

// address says that a run of digits and dots is an IPv4 address.
func address(run []byte) bool {
	a, err := netip.ParseAddr(string(run))
	return err == nil && a.Is4()
}

// coreOf are the digits of a number without the prefixes that it may be written with: 13812345678 of +8613812345678,
// 013812345678 and 138-1234-5678.
func coreOf(b []byte) []byte {
	b = bytes.TrimPrefix(bytes.ToLower(b), []byte("+"))
	b = digitsOf(bytes.TrimPrefix(b, []byte("%2b")))
	b = bytes.TrimLeft(b, "0")
	if len(b) > 10 {
		b = bytes.TrimPrefix(b, []byte("86"))
	}
	return bytes.TrimLeft(b, "0")
}

func digitsOf(b []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, b)
}

// masked hides the middle of the call's numbers, also where they stand in hexadecimal digits (RFC 7433).
func (v view) masked(text []byte) []byte {
	out := digitRuns.ReplaceAllFunc(text, func(run []byte) []byte {
		digits := digitsOf(run)
		if !v.numbers.in(run, digits) {
			return run
		}
		if run[0] == '+' {
			digits = append([]byte("+"), digits...)
		}
		return []byte(number.Mask(string(digits)))
	})
	for _, code := range v.numbers.coded { // of digits alone
		if bytes.Contains(out, code) {
			out = bytes.ReplaceAll(out, code, []byte("****"))
		}
	}
	return sized(text, out)
}

// sized has the Content-Length be right when the body has changed.
func sized(was, is []byte) []byte {
	_, old := cut(was)
	head, body := cut(is)
	if len(old) == len(body) {
		return is
	}
	return capture.Resized(is, len(head))
}

// plainBodies are those that are shown: of others, such as ISUP, nobody knows what they say of whom.
var plainBodies = []string{
	"application/sdp", "application/dtmf-relay", "application/dtmf", "message/sipfrag", "text/plain",
	"application/dialog-info+xml", "application/media_control+xml",
}

// shownBody is a message without a body that is not shown.
func shownBody(text []byte) []byte {
	head, body := cut(text)
	if len(body) == 0 || slices.Contains(plainBodies, contentType(head)) {
		return text
	}
	out := append(slices.Clip(head), fmt.Appendf(nil, "(%d bytes)\r\n", len(body))...)
	return sized(text, out)
}

// contentType is that of a body, in lower case and without parameters.
func contentType(head []byte) string {
	value := field(head, "content-type", "c")
	value, _, _ = strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(value))
}

// field is the first value of a header field; "": it is not there.
func field(head []byte, names ...string) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok &&
			slices.Contains(names, strings.ToLower(string(bytes.TrimSpace(name)))) {
			return strings.TrimSpace(string(value))
		}
	}
	return ""
}

// disguise replaces what tells of a network, each thing by the same other one for all of a call.
type disguise struct {
	salt  string
	addrs map[netip.Addr]netip.Addr
}

// token stands for a Call-ID, a tag or a branch: hosts may be in them.
func (d *disguise) token(s string) string {
	if s == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(d.salt))
	mac.Write([]byte(s))
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

// addr is one of those that are for documentation (RFC 5737, RFC 3849).
func (d *disguise) addr(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return a
	}
	to, ok := d.addrs[a]
	if !ok {
		n := len(d.addrs) + 1
		to = netip.AddrFrom4([4]byte{198, 51, 100, byte(n)})
		if a.Is6() || n > 254 {
			to = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 14: byte(n >> 8), 15: byte(n)})
		}
		d.addrs[a] = to
	}
	return to
}

func (d *disguise) port(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(d.addr(a.Addr()), a.Port())
}

// host stands for a host of a URI: an address or a name.
func (d *disguise) host(s string) string {
	s = strings.Trim(s, "[]")
	if a, err := netip.ParseAddr(s); err == nil {
		if a = d.addr(a); a.Is6() {
			return "[" + a.String() + "]"
		}
		return a.String()
	}
	return "h" + d.token(strings.ToLower(s)) + ".invalid"
}
