package trace

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"liandong/sip/capture"
)

// Of a message of a network that is not to be seen only what is listed here is shown, made anew of parts whose form is
// known: what phones and exchanges write elsewhere may tell of their network in any spelling.

var (
	requestLine = regexp.MustCompile(`^([A-Z]{2,12}) (\S+) SIP/2\.0$`)
	statusLine  = regexp.MustCompile(`^SIP/2\.0 ([1-6][0-9][0-9])(?: .*)?$`)
	uriForm     = regexp.MustCompile(`(?i)(sips?|tel):(?:([^@<>;?\s"]*)@)?(\[[0-9a-f:.]+\]|[^:;?<>@\s",]+)(?::([0-9]{1,5}))?`)
	tagForm     = regexp.MustCompile(`(?i);\s*tag=([^;,\s>]+)`)
	viaForm     = regexp.MustCompile(`(?i)^SIP\s*/\s*2\.0\s*/\s*(UDP|TCP|TLS)\s+(\[[0-9a-f:.]+\]|[^:;\s]+)(?::([0-9]{1,5}))?`)
	branchForm  = regexp.MustCompile(`(?i);\s*branch=([^;,\s]+)`)
	userForm    = regexp.MustCompile(`^\+?[0-9*#]{1,20}$`)
	wordsForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ,;=/_-]*$`)
	mediaForm   = regexp.MustCompile(`^m=[a-z]+ [0-9]+ [A-Z/]+(?: [0-9]+)*$`)
	codecForm   = regexp.MustCompile(`^a=(?:rtpmap|fmtp|ptime|maxptime|sendrecv|sendonly|recvonly|inactive|` +
		`rtcp-mux|rtcp)(?::[A-Za-z0-9 /;,=-]*)?$`)
	cryptoForm = regexp.MustCompile(`^a=crypto:[0-9]{1,9} [A-Z0-9_]{1,40} inline:` + capture.MaskedKey + `$`)
)

// phrases are the words of a status: those that came may say where.
var phrases = map[string]string{
	"100": "Trying", "180": "Ringing", "181": "Call Is Being Forwarded", "182": "Queued", "183": "Session Progress",
	"200": "OK", "202": "Accepted", "302": "Moved Temporarily", "400": "Bad Request", "401": "Unauthorized",
	"403": "Forbidden", "404": "Not Found", "405": "Method Not Allowed", "407": "Proxy Authentication Required",
	"408": "Request Timeout", "415": "Unsupported Media Type", "420": "Bad Extension",
	"422": "Session Interval Too Small",
	"480": "Temporarily Unavailable", "481": "Call/Transaction Does Not Exist", "482": "Loop Detected",
	"483": "Too Many Hops", "484": "Address Incomplete", "486": "Busy Here", "487": "Request Terminated",
	"488": "Not Acceptable Here", "491": "Request Pending", "500": "Server Internal Error", "501": "Not Implemented",
	"503": "Service Unavailable", "504": "Server Time-out", "600": "Busy Everywhere", "603": "Decline",
}

// plainFields are shown as they are where they hold words and numbers only.
var plainFields = map[string]string{
	"cseq": "CSeq", "max-forwards": "Max-Forwards", "rack": "RAck", "rseq": "RSeq", "require": "Require",
	"supported": "Supported", "k": "Supported", "allow": "Allow", "session-expires": "Session-Expires",
	"x": "Session-Expires", "min-se": "Min-SE", "expires": "Expires", "content-type": "Content-Type",
	"c": "Content-Type", "subscription-state": "Subscription-State",
}

// message is one of a network that is not to be seen.
func (d *disguise) message(text []byte) []byte {
	head, body := cut(bytes.TrimLeft(text, "\r\n"))
	lines := strings.Split(strings.TrimRight(string(head), "\r\n"), "\r\n")
	out := []string{d.startLine(lines[0])}
	for _, line := range lines[1:] {
		if shown := d.headerLine(line); shown != "" {
			out = append(out, shown)
		}
	}
	var sdp []byte
	if contentType(head) == "application/sdp" {
		sdp = d.sdp(body)
	}
	out = append(out, "Content-Length: "+strconv.Itoa(len(sdp)))
	return append([]byte(strings.Join(out, "\r\n")+"\r\n\r\n"), sdp...)
}

func (d *disguise) startLine(line string) string {
	if m := requestLine.FindStringSubmatch(line); m != nil {
		return m[1] + " " + d.uri(m[2]) + " SIP/2.0"
	}
	if m := statusLine.FindStringSubmatch(line); m != nil {
		return "SIP/2.0 " + m[1] + " " + phrases[m[1]]
	}
	return "UNKNOWN sip:unknown.invalid SIP/2.0"
}

func (d *disguise) headerLine(line string) string {
	name, value, ok := strings.Cut(line, ":")
	if !ok || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
		return ""
	}
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	switch name {
	case "via", "v":
		return d.via(value)
	case "from", "f":
		return "From: " + d.address(value)
	case "to", "t":
		return "To: " + d.address(value)
	case "contact", "m":
		return "Contact: " + d.address(value)
	case "refer-to", "r":
		return "Refer-To: " + d.address(value)
	case "call-id", "i":
		return "Call-ID: " + d.token(value)
	}
	if plain := plainFields[name]; plain != "" && len(value) < 200 && wordsForm.MatchString(value) {
		return plain + ": " + value
	}
	return ""
}

func (d *disguise) via(value string) string {
	m := viaForm.FindStringSubmatch(value)
	if m == nil {
		return ""
	}
	out := "Via: SIP/2.0/" + strings.ToUpper(m[1]) + " " + d.host(m[2])
	if m[3] != "" {
		out += ":" + m[3]
	}
	if b := branchForm.FindStringSubmatch(value); b != nil {
		out += ";branch=z9hG4bK" + d.token(b[1])
	}
	return out
}

// address is a URI with its tag.
func (d *disguise) address(value string) string {
	out := "<" + d.uri(value) + ">"
	if m := tagForm.FindStringSubmatch(value); m != nil {
		out += ";tag=" + d.token(m[1])
	}
	return out
}

// uri is the first URI of a text, without parameters.
func (d *disguise) uri(text string) string {
	m := uriForm.FindStringSubmatch(text)
	if m == nil {
		return "sip:unknown.invalid"
	}
	scheme, user, host, port := strings.ToLower(m[1]), m[2], m[3], m[4]
	if scheme == "tel" {
		return "tel:" + d.user(host)
	}
	out := scheme + ":"
	if user != "" {
		out += d.user(user) + "@"
	}
	out += d.host(host)
	if port != "" {
		out += ":" + port
	}
	return out
}

// user is a number or an extension as it is; anything else may name a host.
func (d *disguise) user(s string) string {
	if userForm.MatchString(s) {
		return s
	}
	return "u" + d.token(s)
}

// sdp is an offer or answer: codecs and directions, and addresses in disguise.
func (d *disguise) sdp(body []byte) []byte {
	var out strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(string(body), "\r\n", "\n"), "\n") {
		switch {
		case line == "v=0" || line == "t=0 0":
		case strings.HasPrefix(line, "o="):
			line = "o=- 0 0 IN IP4 0.0.0.0"
		case strings.HasPrefix(line, "s="):
			line = "s=-"
		case strings.HasPrefix(line, "c=IN IP"):
			line = d.connection(line)
		case mediaForm.MatchString(line), codecForm.MatchString(line), cryptoForm.MatchString(line):
		default:
			continue
		}
		out.WriteString(line + "\r\n")
	}
	return []byte(out.String())
}

func (d *disguise) connection(line string) string {
	words := strings.Fields(line)
	if len(words) < 3 {
		return "c=IN IP4 0.0.0.0"
	}
	host, _, _ := strings.Cut(words[2], "/")
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "c=IN IP4 0.0.0.0"
	}
	if a = d.addr(a); a.Is6() {
		return "c=IN IP6 " + a.String()
	}
	return "c=IN IP4 " + a.String()
}
