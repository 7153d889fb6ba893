package phone

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrMalformed is wrapped by every error of ParseMessage.
var ErrMalformed = errors.New("phone: malformed SIP message")

// Header is one header line, its value as it stood on the wire.
type Header struct{ Name, Value string }

// Message is a SIP request (Method set) or response (Code set) as plain text. It is not changed once sent or received.
type Message struct {
	Method, URI string
	Code        int
	Phrase      string
	Headers     []Header
	Body        []byte
}

// compact holds the one-letter header names (RFC 3261 §7.3.3 and the RFCs that added more).
var compact = map[string]string{
	"i": "Call-ID", "m": "Contact", "e": "Content-Encoding", "l": "Content-Length", "c": "Content-Type",
	"f": "From", "s": "Subject", "k": "Supported", "t": "To", "v": "Via", "x": "Session-Expires",
	"r": "Refer-To", "b": "Referred-By", "o": "Event", "u": "Allow-Events", "a": "Accept-Contact",
}

// ParseMessage reads one whole datagram. The body is what Content-Length says, or the rest where it is absent.
func ParseMessage(data []byte) (*Message, error) {
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return nil, fmt.Errorf("%w: no empty line after the headers", ErrMalformed)
	}
	m, err := parseHead(string(head))
	if err != nil {
		return nil, err
	}
	n, err := m.contentLength(len(body))
	if err != nil {
		return nil, err
	}
	if n > len(body) {
		return nil, fmt.Errorf("%w: Content-Length %d, body %d", ErrMalformed, n, len(body))
	}
	m.Body = bytes.Clone(body[:n])
	return m, nil
}

func parseHead(head string) (*Message, error) {
	// RFC 3261 §7.3.1: a line that starts with white space goes on from the one before.
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head)
	lines := strings.Split(head, "\r\n")
	m, err := parseStart(lines[0])
	if err != nil {
		return nil, err
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%w: header line %q", ErrMalformed, line)
		}
		if name = strings.TrimSpace(name); name == "" {
			return nil, fmt.Errorf("%w: header without a name", ErrMalformed)
		}
		if long, ok := compact[strings.ToLower(name)]; ok {
			name = long
		}
		m.Headers = append(m.Headers, Header{name, strings.TrimSpace(value)})
	}
	return m, m.complete()
}

func parseStart(line string) (*Message, error) {
	part := strings.SplitN(line, " ", 3)
	if len(part) == 3 && part[2] == "SIP/2.0" && part[0] != "" && part[1] != "" {
		return &Message{Method: part[0], URI: part[1]}, nil
	}
	if len(part) < 2 || part[0] != "SIP/2.0" {
		return nil, fmt.Errorf("%w: start line %q", ErrMalformed, line)
	}
	code, err := strconv.Atoi(part[1])
	if err != nil || code < 100 || code > 699 {
		return nil, fmt.Errorf("%w: status %q", ErrMalformed, part[1])
	}
	m := &Message{Code: code}
	if len(part) == 3 {
		m.Phrase = part[2]
	}
	return m, nil
}

// complete checks what RFC 3261 §8.1.1 demands of every message and we lean on.
func (m *Message) complete() error {
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		if m.Get(name) == "" {
			return fmt.Errorf("%w: no %s", ErrMalformed, name)
		}
	}
	if n, method := m.CSeq(); n == 0 && method == "" {
		return fmt.Errorf("%w: CSeq %q", ErrMalformed, m.Get("CSeq"))
	}
	return nil
}

func (m *Message) contentLength(whole int) (int, error) {
	v := m.Get("Content-Length")
	if v == "" {
		return whole, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: Content-Length %q", ErrMalformed, v)
	}
	return n, nil
}

// Get is the first value of a header, "" when absent.
func (m *Message) Get(name string) string {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// All is every value of a header, comma lists taken apart, in the order of the wire.
func (m *Message) All(name string) []string {
	var out []string
	for _, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			out = append(out, splitList(h.Value)...)
		}
	}
	return out
}

// CSeq is the number and the method; 0 and "" when it cannot be read.
func (m *Message) CSeq() (uint32, string) {
	n, method, _ := strings.Cut(m.Get("CSeq"), " ")
	v, err := strconv.ParseUint(n, 10, 32)
	if err != nil {
		return 0, ""
	}
	return uint32(v), strings.TrimSpace(method)
}

// Short is a message in a few words, for ladders: "INVITE", "200 INVITE".
func (m *Message) Short() string {
	if m.Method != "" {
		return m.Method
	}
	_, method := m.CSeq()
	return strconv.Itoa(m.Code) + " " + method
}

func (m *Message) add(name, value string) { m.Headers = append(m.Headers, Header{name, value}) }

func (m *Message) set(name, value string) {
	for i, h := range m.Headers {
		if strings.EqualFold(h.Name, name) {
			m.Headers[i].Value = value
			return
		}
	}
	m.add(name, value)
}

// clone is a message of its own without the topmost Via, to be sent again as a new transaction.
func (m *Message) clone() *Message {
	c := *m
	c.Headers = nil
	for i, h := range m.Headers {
		if i == 0 && h.Name == "Via" {
			continue
		}
		c.Headers = append(c.Headers, h)
	}
	return &c
}

// Bytes is the message as it goes on the wire, Content-Length made here.
func (m *Message) Bytes() []byte {
	var b bytes.Buffer
	if m.Method != "" {
		fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", m.Method, m.URI)
	} else {
		fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", m.Code, m.Phrase)
	}
	for _, h := range m.Headers {
		if !strings.EqualFold(h.Name, "Content-Length") {
			fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
		}
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(m.Body))
	b.Write(m.Body)
	return b.Bytes()
}
