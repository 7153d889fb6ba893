package ua

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
	"liandong/sip/leg"
)

// answer is what the socket layer says by itself, without a leg.
type answer struct {
	code   int
	phrase string
	fields []header.Field
}

// methods that this switch knows; those not allowed get 405, all others 501.
const allow = leg.Methods + ", REGISTER"

func say(code int, phrase string, fields ...header.Field) answer {
	return answer{code: code, phrase: phrase, fields: fields}
}

func notAllowed() answer {
	return say(gosip.StatusMethodNotAllowed, "Method Not Allowed", header.Field{Name: "Allow", Value: allow})
}

func noDialog() answer {
	return say(gosip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
}

func unavailable() answer {
	return say(gosip.StatusServiceUnavailable, "Service Unavailable", header.Field{Name: "Retry-After", Value: "2"})
}

// respond answers a request statelessly (RFC 3261 §8.2.7): nothing is kept, and
// a retransmission gets the same answer with the same tag.
func (u *UA) respond(in *inbound, a answer) {
	if in.method == gosip.ACK || len(in.echo.via) == 0 {
		return // RFC 3261 §17: no answer to an ACK; without a Via nobody would find it
	}
	u.counts.refused(a.code)
	u.sendBack(in, u.render(&in.echo, a))
}

// render writes the answer from the texts of the request, as RFC 3261 §8.2.6.2
// wants them repeated, readable or not.
func (u *UA) render(e *echo, a answer) []byte {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + strconv.Itoa(a.code) + " " + a.phrase + "\r\n")
	for _, via := range e.via {
		writeField(&b, "Via", via)
	}
	writeField(&b, "From", e.from)
	writeField(&b, "To", u.tagged(e))
	writeField(&b, "Call-ID", e.callID)
	writeField(&b, "CSeq", e.cseq)
	for _, f := range a.fields {
		writeField(&b, f.Name, f.Value)
	}
	writeField(&b, "Server", u.cfg.UserAgent)
	b.WriteString("Content-Length: 0\r\n\r\n")
	return []byte(b.String())
}

func writeField(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	b.WriteString(name)
	b.WriteString(": ")
	b.WriteString(value)
	b.WriteString("\r\n")
}

// tagged gives To with a tag that is the same for every copy of the request.
func (u *UA) tagged(e *echo) string {
	if e.to == "" || strings.Contains(strings.ToLower(e.to), ";tag=") {
		return e.to
	}
	mac := hmac.New(sha256.New, u.secret)
	for _, s := range []string{"tag", e.callID, e.from, e.cseq} {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	return e.to + ";tag=" + hex.EncodeToString(mac.Sum(nil)[:8])
}
