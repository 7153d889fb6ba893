// Package header reads and writes the SIP header fields that say who calls, who was called before, and why:
// names and URIs, P-Asserted-Identity and its kin, Diversion, History-Info, Reason, User-to-User, Call-Info; where a
// transfer goes and which call it takes the place of, Refer-To and Replaces; the session timer's fields; and the key
// presses that phones send in INFO.
//
// It is pure and forgiving: what a device in the field gets slightly wrong is read as it was meant, and what is
// written is always the strict form. Whatever was read once reads the same after writing it. Values hold plain text:
// quotes, backslashes and percent codes are taken off when reading and put on when writing, and a control character
// becomes a blank, so that no text of a stranger can begin a header field of its own.
package header

import "errors"

// Field is one header field to add to a message.
type Field struct{ Name, Value string }

// What is wrong with a value that could not be read. Errors wrap one of these.
var (
	ErrSyntax = errors.New("header: malformed value")
	ErrURI    = errors.New("header: malformed URI")
	ErrAbsent = errors.New("header: field is absent")
)
