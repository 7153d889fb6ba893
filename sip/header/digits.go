package header

import (
	"errors"
	"strconv"
	"strings"
)

// What Digits says of a body without keys.
var (
	ErrNotDigits  = errors.New("header: not a content type for key presses") // 415
	ErrBadDigits  = errors.New("header: no key press in the body")           // 400
	digitsOfEvent = "0123456789*#ABCD!"                                      // by RFC 4733 §3.2 event code
)

// Digits reads the keys that an INFO reports, as one of 0–9, *, #, A–D and !
// for hook flash. A body may hold several.
func Digits(contentType string, body []byte) (keys string, err error) {
	kind, _, _ := strings.Cut(contentType, ";")
	text := strings.TrimSpace(string(body))
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf-relay", "application/dtmf":
		// Each is seen with the body of the other.
		if signal, ok := lineValue(text, "signal"); ok {
			text = signal
		}
		return readKeys(text)
	case "application/vnd.nortelnetworks.digits":
		d, ok := lineValue(text, "d")
		if !ok {
			return "", ErrBadDigits
		}
		return readKeys(d)
	case "audio/telephone-event":
		// The RFC 4733 payload as it is, or the key as text.
		if len(body) == 4 && int(body[0]) < len(digitsOfEvent) {
			return digitsOfEvent[body[0] : body[0]+1], nil
		}
		return readKeys(text)
	case "application/hook-flash":
		return "!", nil
	}
	return "", ErrNotDigits
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
	if text == "" || len(text) > maxKeys || strings.Trim(text, digitsOfEvent) != "" {
		return "", ErrBadDigits
	}
	return text, nil
}
