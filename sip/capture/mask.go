package capture

import (
	"bytes"
	"strconv"
	"strings"
)

// masked stands for what is not to be seen.
const masked = "***"

// MaskedKey stands for a key of SRTP, in the form that readers of captures expect of one (RFC 4568 §6.1).
const MaskedKey = "MASKEDMASKEDMASKEDMASKEDMASKEDMASKEDMASK"

// Masked is a copy of a message without its secrets: answers to challenges (RFC 7616), keys of SRTP (RFC 4568 §9.1, RFC
// 4567), the k= of SDP, and passwords in URIs (RFC 3261 §19.1.1). Its Content-Length is that of the body as it is now.
func Masked(text []byte) []byte {
	head, body := text, []byte(nil)
	if i := bytes.Index(text, []byte("\r\n\r\n")); i >= 0 {
		head, body = text[:i+4], text[i+4:]
	}
	shown := maskLines(make([]byte, 0, len(text)+16), head, true)
	if len(body) == 0 {
		return shown
	}
	at := len(shown)
	shown = maskLines(shown, body, false)
	if len(shown)-at != len(body) {
		return Resized(shown, at)
	}
	return shown
}

// Resized has the Content-Length of a message name what lies behind its head, which is so many bytes.
func Resized(text []byte, head int) []byte {
	for at := 0; at < head; {
		end := at + bytes.IndexByte(text[at:head], '\n') + 1
		if end <= at {
			break
		}
		if isField(text[at:end], "content-length", "l") {
			colon := at + bytes.IndexByte(text[at:end], ':')
			out := append([]byte(nil), text[:colon+1]...)
			out = append(strconv.AppendInt(append(out, ' '), int64(len(text)-head), 10), "\r\n"...)
			return append(out, text[end:]...)
		}
		at = end
	}
	return text
}

// isField says that a header line begins with one of these names, which have no case.
func isField(line []byte, names ...string) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || colon > 40 || line[0] == ' ' || line[0] == '\t' {
		return false
	}
	name := bytes.TrimRight(line[:colon], " \t")
	for _, one := range names {
		if len(name) == len(one) && strings.EqualFold(string(name), one) {
			return true
		}
	}
	return false
}

// maskLines appends lines without their secrets. A line that continues another is what that one is.
func maskLines(out, text []byte, head bool) []byte {
	secret := false // the header field that a line may continue
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line = text[:i+1]
		}
		text = text[len(line):]
		if head && (line[0] != ' ' && line[0] != '\t') {
			secret = credentials(line)
		}
		switch {
		case head && secret:
			out = maskCredentials(out, line)
		case !head && keyLine(line):
			out = maskKey(out, line)
		default:
			out = maskURIs(out, line)
		}
	}
	return out
}

// credentials says that a header line holds what proves somebody to know a password.
func credentials(line []byte) bool {
	switch line[0] | 0x20 {
	case 'a', 'p':
	default:
		return false
	}
	return isField(line, "authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info")
}

// maskCredentials leaves of credentials who they are of and for what; of a scheme that is not Digest nothing.
func maskCredentials(out, line []byte) []byte {
	value := line
	if line[0] != ' ' && line[0] != '\t' {
		colon := bytes.IndexByte(line, ':') + 1
		out, value = append(out, line[:colon]...), line[colon:]
		scheme := bytes.ToLower(bytes.TrimLeft(value, " \t"))
		if !bytes.HasPrefix(scheme, []byte("digest")) && !bytes.Contains(scheme, []byte("rspauth")) &&
			len(bytes.TrimSpace(scheme)) > 0 {
			return append(append(out, " "+masked...), value[len(bytes.TrimRight(value, "\r\n")):]...)
		}
	}
	end := bytes.TrimRight(value, "\r\n")
	for i, part := range bytes.Split(end, []byte(",")) {
		if i > 0 {
			out = append(out, ',')
		}
		out = maskParam(out, part)
	}
	return append(out, value[len(end):]...)
}

// maskParam leaves of a parameter what no password can be tried against. Of what is not known nothing is shown.
func maskParam(out, part []byte) []byte {
	name, _, ok := bytes.Cut(part, []byte("="))
	fields := bytes.Fields(name)
	if len(bytes.TrimSpace(part)) == 0 {
		return append(out, part...)
	}
	if ok && len(fields) > 0 {
		switch string(bytes.ToLower(fields[len(fields)-1])) {
		case "username", "realm", "uri", "nonce", "algorithm", "qop", "nc", "opaque", "nextnonce":
			return maskURIs(out, part)
		case "response", "cnonce", "rspauth":
			return append(append(out, name...), `="`+masked+`"`...)
		}
	}
	blank := len(part) - len(bytes.TrimLeft(part, " \t"))
	return append(append(out, part[:blank]...), masked...)
}

// keyLine says that a line of a body carries a key.
func keyLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("k=")) || bytes.HasPrefix(line, []byte("a=crypto:")) ||
		bytes.HasPrefix(line, []byte("a=key-mgmt:"))
}

// maskKey leaves of a=crypto its number and suite.
func maskKey(out, line []byte) []byte {
	end := bytes.TrimRight(line, "\r\n")
	keep, mask := []byte("k="), masked
	if line[0] == 'a' {
		keep = line[:bytes.IndexByte(line, ':')+1]
		if i := bytes.Index(end, []byte("inline:")); i >= 0 && bytes.HasPrefix(line, []byte("a=crypto:")) {
			keep, mask = line[:i+len("inline:")], MaskedKey
		}
	}
	out = append(append(out, keep...), mask...)
	return append(out, line[len(end):]...)
}

// maskURIs hides the passwords of URIs, also of those that stand escaped in another.
func maskURIs(out, line []byte) []byte {
	if bytes.IndexByte(line, '@') < 0 && !bytes.Contains(line, []byte("%40")) {
		return append(out, line...)
	}
	for {
		i := scheme(line)
		if i < 0 {
			return append(out, line...)
		}
		out, line = append(out, line[:i]...), line[i:]
		end := bytes.IndexAny(line, "<>\" \t\r\n")
		if end < 0 {
			end = len(line)
		}
		at := bytes.LastIndexByte(line[:end], '@')
		if escaped := lastFold(line[:end], "%40"); at < 0 {
			at = escaped
		}
		if at < 0 {
			continue
		}
		colon := bytes.IndexByte(line[:at], ':')
		if escaped := lastFold(line[:at], "%3a"); escaped >= 0 && (colon < 0 || escaped < colon) {
			colon = escaped + 2
		}
		if colon >= 0 {
			out, line = append(append(out, line[:colon+1]...), masked...), line[at:]
		}
	}
}

// scheme is where the first URI of a line goes on behind its scheme, to its user; -1: there is none.
func scheme(line []byte) int {
	for i, c := range line {
		switch {
		case c == ':' && (sip(line[:i]) || bytes.HasPrefix(line[i:], []byte("://"))):
			return i + 1
		case c == '%' && sip(line[:i]) && len(line) > i+2 && bytes.EqualFold(line[i:i+3], []byte("%3a")):
			return i + 3
		}
	}
	return -1
}

// sip says that a text ends in the name of a scheme of SIP.
func sip(text []byte) bool {
	return endsFold(text, "sip") || endsFold(text, "sips")
}

func endsFold(text []byte, word string) bool {
	return len(text) >= len(word) && bytes.EqualFold(text[len(text)-len(word):], []byte(word))
}

func lastFold(text []byte, word string) int {
	for i := len(text) - len(word); i >= 0; i-- {
		if text[i] == word[0] && bytes.EqualFold(text[i:i+len(word)], []byte(word)) {
			return i
		}
	}
	return -1
}
