package ua

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

var (
	errMore     = errors.New("ua: message not complete yet")
	errTooLong  = errors.New("ua: message too long")
	errUnframed = errors.New("ua: message without usable Content-Length")
)

// framer cuts a stream into messages by Content-Length (RFC 3261 §18.3). Owned
// by the connection's reader.
type framer struct{ buf []byte }

func (f *framer) feed(b []byte) { f.buf = append(f.buf, b...) }

// next gives one whole message, or ping for a double CRLF (RFC 5626 §3.5.1), or errMore. With errUnframed, and
// errTooLong where the head is whole, the message is the head alone, worth an answer, and the stream is lost. The
// message is valid until the next feed.
func (f *framer) next() (msg []byte, ping bool, err error) {
	if f.skipBreaks() {
		return nil, true, nil
	}
	end := bytes.Index(f.buf, []byte("\r\n\r\n"))
	if end < 0 {
		if len(f.buf) > maxMessage {
			return nil, false, errTooLong
		}
		return nil, false, errMore
	}
	if end == 0 {
		return nil, false, errMore // half a keep-alive, see skipBreaks
	}
	length, ok := contentLength(f.buf[:end])
	if !ok {
		return f.take(end + 4), false, errUnframed
	}
	if end+4+length > maxMessage {
		return f.take(end + 4), false, errTooLong
	}
	if len(f.buf) < end+4+length {
		return nil, false, errMore
	}
	return f.take(end + 4 + length), false, nil
}

// half says that the beginning of a message is there, and not its end.
func (f *framer) half() bool { return len(bytes.TrimLeft(f.buf, "\r\n")) > 0 }

func (f *framer) take(n int) []byte {
	msg := f.buf[:n]
	f.buf = f.buf[n:]
	return msg
}

// skipBreaks drops line breaks before a message (RFC 3261 §7.5) and reports a
// double one. A single one at the end may be the first half.
func (f *framer) skipBreaks() (ping bool) {
	for bytes.HasPrefix(f.buf, []byte("\r\n")) {
		if bytes.HasPrefix(f.buf, []byte("\r\n\r\n")) {
			f.buf = f.buf[4:]
			return true
		}
		if len(f.buf) < 4 && bytes.HasPrefix([]byte("\r\n\r\n"), f.buf) {
			return false
		}
		f.buf = f.buf[2:]
	}
	return false
}

// contentLength finds the one Content-Length of a head.
func contentLength(head []byte) (length int, ok bool) {
	for line := range headerLines(string(head)) {
		name, value, _ := strings.Cut(line, ":")
		if canonical(strings.TrimRight(name, blanks)) != "Content-Length" {
			continue
		}
		n, err := strconv.ParseUint(trim(value), 10, 31)
		if err != nil && !errors.Is(err, strconv.ErrRange) || ok && int(n) != length {
			return 0, false
		}
		length, ok = int(n), true
	}
	return length, ok
}
