package trace

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	margin = 11 // columns of a terminal before the first party
	gap    = 18 // from a party to the next
)

// Text prints a ladder for a terminal, with the whole messages behind it if they are wanted.
func Text(to io.Writer, l Ladder, lang string, messages bool) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s  %s  %s\n", l.Ref, l.Began.Local().Format("2006-01-02 15:04:05.000"), strings.Join(l.Lines, " "))
	if missing := l.Missing(strconv.Itoa(l.Lost), lang); missing != "" {
		fmt.Fprintln(w, missing)
	}
	cols := l.Columns()
	heads := strings.Repeat(" ", margin-4)
	for _, name := range cols {
		if name == "" {
			name = Switch(lang)
		}
		heads += padded(NameOf(name, lang), gap)
	}
	fmt.Fprint(w, "\n", strings.TrimRight(heads, " "), "\n")
	for _, s := range l.Steps {
		at := fmt.Sprintf("%9.3f  ", s.At.Sub(l.Began).Seconds())
		if s.Event != nil {
			fmt.Fprintln(w, at+bars(len(cols), -1, -1, "", false)+" "+s.Heading(lang))
			continue
		}
		mid, end := slices.Index(cols, ""), slices.Index(cols, s.Party)
		from, upto := min(mid, end), max(mid, end)
		right := (end > mid) == s.Out
		name := s.Label
		if s.SDP {
			name += " SDP"
		}
		line := bars(len(cols), from, upto, name, right)
		if s.Fault != "" || s.Again {
			line += " " + strings.TrimPrefix(s.Heading(lang), s.Label)
		}
		fmt.Fprintln(w, at+strings.TrimRight(line, " "))
	}
	if messages {
		texts(w, l)
	}
	return w.Flush()
}

// Columns are the parties from left to right, with the switch as "" behind the first.
func (l Ladder) Columns() []string {
	cols := []string{}
	for _, p := range l.Parties {
		cols = append(cols, p.Name)
	}
	return slices.Insert(cols, min(1, len(cols)), "")
}

// bars are the lines of all parties, with an arrow between two of them.
func bars(n, from, to int, label string, right bool) string {
	var b strings.Builder
	for i := range n {
		b.WriteByte('|')
		if i == n-1 {
			break
		}
		if i != from {
			b.WriteString(strings.Repeat(" ", gap-1))
			continue
		}
		b.WriteString(arrow(label, (to-from)*gap-1, right))
		return b.String() + bars(n-to, -1, -1, "", false)
	}
	return b.String()
}

// arrow is a line of so many columns with its label.
func arrow(label string, width int, right bool) string {
	label = fit(label, width-4)
	dashes := max(0, width-1-width2(label))
	left := dashes / 2
	text := strings.Repeat("-", left) + label + strings.Repeat("-", dashes-left)
	if right {
		return text + ">"
	}
	return "<" + text
}

// width2 is how many columns a text takes: those of East Asia take two.
func width2(s string) (n int) {
	for _, r := range s {
		n++
		if r >= 0x2E80 {
			n++
		}
	}
	return n
}

// fit cuts a text to so many columns.
func fit(s string, columns int) string {
	if width2(s) <= columns {
		return s
	}
	n := 1 // of the ellipsis
	for i, r := range s {
		if n += width2(string(r)); n > columns {
			return s[:i] + "…"
		}
	}
	return s
}

func padded(s string, width int) string {
	s = fit(s, width-2)
	return s + strings.Repeat(" ", max(1, width-width2(s)))
}

// texts prints the messages as they passed.
func texts(w io.Writer, l Ladder) {
	for _, s := range l.Steps {
		if m := s.Message; m != nil {
			fmt.Fprintf(w, "\n== %s  %s  %s → %s\n", s.At.Local().Format("15:04:05.000000"), m.Transport, m.From, m.To)
			if s.Fault != "" {
				fmt.Fprintln(w, "!!", s.Fault)
			}
			fmt.Fprintln(w, printable(strings.TrimRight(m.Text, "\r\n")))
		}
	}
}

// printable keeps what a stranger has written from doing anything to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return -1
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '.'
		}
		return r
	}, s)
}
