package header

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNotDigits says that a content type is none for key presses: 415.
var ErrNotDigits = errors.New("header: not a content type for key presses")

// digitsOfEvent are the keys by their event code: RFC 4733 §3.2.
const digitsOfEvent = "0123456789*#ABCD!"

// Digits reads the keys that an INFO reports, as 0–9, *, #, A–D, and ! for hook
// flash. A body may hold several. A known content type with a body that makes
// no sense is ErrSyntax.
func Digits(contentType string, body []byte) (keys string, err error) {
	kind, _, _ := strings.Cut(contentType, ";")
	text := strings.TrimSpace(string(body))
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf-relay", "application/dtmf":
		return readLines(text) // each is seen with the body of the other
	case "application/vnd.nortelnetworks.digits":
		d, ok := lineValue(text, "d")
		if !ok {
			return "", fmt.Errorf("%w: no d= in the INFO body", ErrSyntax)
		}
		return readKeys(d)
	case "audio/telephone-event":
		// The RFC 4733 payload as it is, or the key as text.
		if len(body) == 4 && int(body[0]) < len(digitsOfEvent) {
			return digitsOfEvent[body[0] : body[0]+1], nil
		}
		return readLines(text)
	case "application/hook-flash":
		return "!", nil
	}
	return "", ErrNotDigits
}

// readLines takes the key from Signal= or d=, or else from the whole body.
func readLines(text string) (string, error) {
	for _, key := range [...]string{"signal", "d"} {
		if v, ok := lineValue(text, key); ok {
			return readKeys(v)
		}
	}
	return readKeys(text)
}

// lineValue finds "key = value" in a body of lines.
func lineValue(text, key string) (string, bool) {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\r' || r == '\n' }) {
		k, v, ok := strings.Cut(line, "=")
		if ok && strings.EqualFold(strings.TrimSpace(k), key) {
			return strings.Trim(strings.TrimSpace(v), `"`), true
		}
	}
	return "", false
}

// maxKeys is more than any key code has.
const maxKeys = 32

// readKeys takes 10 to 16 for the event codes of *, #, A–D and flash; any
// other text must be keys alone.
func readKeys(text string) (string, error) {
	if code, err := strconv.Atoi(text); err == nil && len(text) == 2 && code >= 10 && code < len(digitsOfEvent) {
		return digitsOfEvent[code : code+1], nil
	}
	text = strings.ToUpper(text)
	if text == "FLASH" {
		return "!", nil
	}
	if text == "" || len(text) > maxKeys || strings.Trim(text, digitsOfEvent) != "" {
		return "", fmt.Errorf("%w: no key in the INFO body", ErrSyntax)
	}
	return text, nil
}
