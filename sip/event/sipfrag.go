// Package event writes what subscribers are told: how a transfer that they
// asked for is doing, and what a lamp shows.
//
// It is pure: facts in, the bodies of NOTIFY out.
package event

import "strconv"

// Sipfrag is the Content-Type of a [Fragment] (RFC 3515 §2.4.5).
const Sipfrag = "message/sipfrag;version=2.0"

// Fragment is the progress of a referred call: the status line of the response
// that it has got (RFC 3420 §2, RFC 3515 §2.4.5).
func Fragment(code int, phrase string) []byte {
	b := append([]byte("SIP/2.0 "), strconv.Itoa(code)...)
	b = append(append(b, ' '), phrase...)
	return append(b, "\r\n"...)
}
