package phone

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// Logged is one SIP message that passed.
type Logged struct {
	At        time.Time
	Out       bool // sent by the phone
	Again     bool // a retransmission
	Peer      netip.AddrPort
	Transport string
	Message   *Message
}

// note files a message.
func (p *Phone) note(l Logged) {
	if p.cfg.Note != nil {
		p.cfg.Note(l)
		return
	}
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	p.journal.entries = append(p.journal.entries, l)
	p.journal.touch()
}

// Messages is every SIP message that passed, in order.
func (p *Phone) Messages() []Logged {
	p.journal.mu.Lock()
	defer p.journal.mu.Unlock()
	return slices.Clone(p.journal.entries)
}

// Messages is every SIP message of this call that passed, in order.
func (c *Call) Messages() []Logged {
	return slices.DeleteFunc(c.phone.Messages(), func(l Logged) bool { return l.Message.Get("Call-ID") != c.ID })
}

// Ladder prints what passed at several phones, by time: a column a phone, arrows from (→) and to (←) it.
// Times are seconds since from. Retransmissions are marked with *.
func Ladder(w io.Writer, from time.Time, phones ...*Phone) error {
	type row struct {
		column int
		Logged
	}
	var rows []row
	const width = 26
	line := "         "
	for i, p := range phones {
		line += fmt.Sprintf("%-*s", width, p.cfg.Name)
		for _, l := range p.Messages() {
			if !l.At.Before(from) {
				rows = append(rows, row{i, l})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.At.Compare(b.At) })
	if _, err := fmt.Fprintln(w, line); err != nil {
		return err
	}
	for _, r := range rows {
		arrow := "←"
		if r.Out {
			arrow = "→"
		}
		again := ""
		if r.Again {
			again = " *"
		}
		_, err := fmt.Fprintf(w, "%8.3f %*s%s %s%s\n", r.At.Sub(from).Seconds(), r.column*width, "", arrow,
			r.Message.Short(), again)
		if err != nil {
			return err
		}
	}
	return nil
}
