// Package trace tells a call's story from the SIP messages that really passed and from what was told of it meanwhile:
// as a ladder of parties and arrows, for a terminal, a page and other programs, and as a capture file.
//
// It is pure but for [Book] and [Disk], which keep what comes. What somebody may see of it is decided by [Eyes] before
// anything is made of it: numbers are masked, and of a network that is not his there are no addresses.
package trace

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/sip/capture"
)

// Ladder is a call's story.
type Ladder struct {
	Ref     string    `json:"call_ref"`
	Began   time.Time `json:"began"`
	Lines   []string  `json:"lines"`
	Parties []Party   `json:"parties"`
	Steps   []Step    `json:"steps"`
	Quality []Sound   `json:"quality,omitempty"`
	Lost    int       `json:"lost,omitempty"` // entries that are not kept any more
	Ended   bool      `json:"ended"`

	phase string // the last
}

// Party is a column: who is on the other side of a dialog.
type Party struct {
	Name    string `json:"name"`              // "caller", a desk's agent, or an address where it is not known who it is
	Network string `json:"network,omitempty"` // "": one that is not to be seen
	Trunk   string `json:"trunk,omitempty"`
	Hidden  bool   `json:"hidden,omitempty"` // of a network whose addresses are replaced
}

// Step is a message between the switch and a party, or something that was told of the call.
type Step struct {
	At      time.Time         `json:"at"`
	Party   string            `json:"party,omitempty"` // of a message
	Out     bool              `json:"out,omitempty"`   // from the switch to the party
	Label   string            `json:"label,omitempty"` // "INVITE", "180 Ringing"
	Method  string            `json:"method,omitempty"`
	SDP     bool              `json:"sdp,omitempty"`
	Again   bool              `json:"again,omitempty"` // a copy of one before
	Fault   string            `json:"fault,omitempty"` // why it could not be sent
	Message *Shown            `json:"message,omitempty"`
	Event   map[string]string `json:"event,omitempty"`
}

// Shown is a message as it may be seen.
type Shown struct {
	Transport string         `json:"transport"`
	From      netip.AddrPort `json:"from"`
	To        netip.AddrPort `json:"to"`
	Text      string         `json:"text"`
}

// Caller names the party who calls.
const Caller = "caller"

// Of makes the ladder of a call's entries, which stand in order of time.
func Of(ref string, all []capture.Entry, lost int) Ladder {
	l := Ladder{Ref: ref, Lost: lost, Parties: []Party{}, Steps: []Step{}, Lines: LinesOf(all)}
	whose := parties(all)
	seen := map[string]bool{}
	for _, e := range all {
		if e.Note != nil {
			l.note(*e.Note)
			continue
		}
		m := *e.Message
		p, ok := whose[m.CallID]
		if !ok {
			p = Party{Name: m.Remote.String(), Network: m.Network}
		}
		l.column(p)
		if m.Fault != "" && l.failed(p.Name, m) {
			continue
		}
		s := step(p.Name, m)
		key := m.CallID + "\x00" + strconv.FormatBool(m.Out) + "\x00" + string(m.Text)
		s.Again, seen[key] = seen[key], true
		l.Steps = append(l.Steps, s)
	}
	if len(l.Steps) > 0 {
		l.Began = l.Steps[0].At
	}
	slices.SortStableFunc(l.Parties, func(a, b Party) int { return cmp.Compare(rank(a), rank(b)) })
	return l
}

// rank has the caller stand first.
func rank(p Party) int {
	if p.Name == Caller {
		return 0
	}
	return 1
}

func (l *Ladder) column(p Party) {
	i := slices.IndexFunc(l.Parties, func(o Party) bool { return o.Name == p.Name })
	if i < 0 {
		l.Parties = append(l.Parties, p)
	}
}

// failed marks the message that could not be sent, which has been noted as it was to go.
func (l *Ladder) failed(party string, m capture.Message) bool {
	for i := len(l.Steps) - 1; i >= 0; i-- {
		s := &l.Steps[i]
		if s.Out && s.Party == party && s.Message != nil && s.Message.Text == string(m.Text) && s.Fault == "" {
			s.Fault = m.Fault
			return true
		}
	}
	return false
}

// note takes what was told of the call.
func (l *Ladder) note(n capture.Note) {
	fields := fieldsOf(n)
	switch fields["event"] {
	case dialog:
		return
	case measured:
		l.sounds(fields)
		return
	case "ended":
		l.Ended = true
	case "state":
		if fields["phase"] == l.phase { // it is another in what is no step of a ladder
			return
		}
		l.phase = fields["phase"]
	}
	l.Steps = append(l.Steps, Step{At: n.At, Event: fields})
}

const (
	dialog = "dialog" // the note that says whose a Call-ID is
	hears  = "hears"  // the note that says what a party hears from now on
)

func fieldsOf(n capture.Note) map[string]string {
	var fields map[string]string
	if json.Unmarshal(n.Data, &fields) != nil {
		return map[string]string{}
	}
	return fields
}

// parties says whose each Call-ID is.
func parties(all []capture.Entry) map[string]Party {
	whose := map[string]Party{}
	for _, e := range all {
		if e.Note == nil {
			continue
		}
		if f := fieldsOf(*e.Note); f["event"] == dialog {
			whose[f["call_id"]] = Party{
				Name: cmp.Or(f["party"], f["trunk"], "?"), Network: f["network"], Trunk: f["trunk"],
				Hidden: f["network"] == hidden,
			}
		}
	}
	for id, p := range whose {
		if p.Hidden {
			p.Network, p.Trunk = "", ""
			whose[id] = p
		}
	}
	return whose
}

// LinesOf are the lines that had to do with a call. A supervisor's line has not for his sake.
func LinesOf(all []capture.Entry) []string {
	lines := []string{}
	for _, e := range all {
		if e.Note == nil {
			continue
		}
		f := fieldsOf(*e.Note)
		if discreet(f) {
			continue
		}
		for line := range strings.SplitSeq(f["lines"], ",") {
			if line != "" && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func step(party string, m capture.Message) Step {
	s := Step{At: m.At, Party: party, Out: m.Out, Fault: m.Fault}
	s.Label, s.Method = label(m.Text)
	_, body := cut(m.Text)
	s.SDP = bytes.HasPrefix(body, []byte("v=0"))
	s.Message = &Shown{Transport: m.Transport, From: m.Remote, To: m.Local, Text: string(m.Text)}
	if m.Out {
		s.Message.From, s.Message.To = m.Local, m.Remote
	}
	return s
}

// cut parts a message into its head, with the empty line, and its body.
func cut(text []byte) (head, body []byte) {
	if i := bytes.Index(text, []byte("\r\n\r\n")); i >= 0 {
		return text[:i+4], text[i+4:]
	}
	return text, nil
}

// label is what a message is called on its arrow, and the method that it belongs to.
func label(text []byte) (label, method string) {
	text = bytes.TrimLeft(text, "\r\n")
	line, _, _ := bytes.Cut(text, []byte("\r\n"))
	first := printable(string(line))
	if rest, ok := strings.CutPrefix(first, "SIP/2.0 "); ok {
		label = short(rest, 40)
	} else {
		method, _, _ = strings.Cut(first, " ")
		return short(method, 20), short(method, 20)
	}
	head, _ := cut(text)
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		words := strings.Fields(string(value))
		if bytes.EqualFold(bytes.TrimSpace(name), []byte("CSeq")) && len(words) > 1 {
			method = short(words[1], 20)
		}
	}
	return label, method
}

func short(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// Messages are those of a call's entries.
func Messages(all []capture.Entry) (list []capture.Message) {
	for _, e := range all {
		if e.Message != nil {
			list = append(list, *e.Message)
		}
	}
	return list
}
