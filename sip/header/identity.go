package header

import (
	"errors"
	"fmt"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// Identity is what a request says of its sender, unweighed: whether PAI and
// RPID are to be believed is the reader's decision (RFC 3325 §5).
type Identity struct {
	PAI     []NameAddr // P-Asserted-Identity: RFC 3325 §9.1
	RPID    []NameAddr // Remote-Party-ID: draft-ietf-sip-privacy-04
	From    NameAddr
	Privacy []string // the words of Privacy in lower case: RFC 3323 §4.2
}

// ReadIdentity reads all that a request says of its sender. The error tells
// what could not be read; the rest of the Identity holds.
func ReadIdentity(req *gosip.Request) (Identity, error) {
	var id Identity
	var errs []error
	for _, v := range values(req, "P-Asserted-Identity") {
		list, err := ParseNameAddrs(v)
		id.PAI, errs = append(id.PAI, list...), note(errs, "P-Asserted-Identity", err)
	}
	for _, v := range values(req, "Remote-Party-ID") {
		list, err := ParseNameAddrs(v)
		id.RPID, errs = append(id.RPID, list...), note(errs, "Remote-Party-ID", err)
	}
	for _, v := range values(req, "Privacy") {
		id.Privacy = append(id.Privacy, ParsePrivacy(v)...)
	}
	err := error(ErrAbsent)
	if from := req.From(); from != nil {
		id.From, err = ParseNameAddr(from.Value())
	}
	return id, errors.Join(note(errs, "From", err)...)
}

// ParsePrivacy reads the words of a Privacy value, in lower case. They stand
// between semicolons; commas are seen too.
func ParsePrivacy(s string) []string {
	return strings.FieldsFunc(strings.ToLower(unfold(s)), func(r rune) bool {
		return r == ';' || r == ',' || r == ' '
	})
}

func values(m gosip.Message, name string) []string {
	var list []string
	for h := range All(m, name) {
		list = append(list, h.Value())
	}
	return list
}

func note(errs []error, name string, err error) []error {
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", name, err))
	}
	return errs
}
