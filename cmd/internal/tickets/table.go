package tickets

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

// column is one of the table that people read; its width is in cells of a terminal.
type column struct {
	zh, en string
	width  int
	value  func(outbox.Message) string
}

func field(name string) func(outbox.Message) string {
	return func(m outbox.Message) string { return m.Fields[name] }
}

var columns = []column{
	{"时间", "at", 14, moment},
	{"热线", "line", 6, func(m outbox.Message) string { return strings.TrimPrefix(m.Stream, ticket.StreamOf("")) }},
	{"事件", "event", 10, field("event")},
	{"紧急度", "urgency", 8, field("urgency")},
	{"来电", "caller", 15, field("caller_e164")},
	{"转出", "from", 6, field("from_agent")},
	{"接起", "to", 6, field("to_agent")},
	{"结果", "result", 12, func(m outbox.Message) string {
		return cmp.Or(m.Fields["reason"], m.Fields["result"], m.Fields["decided_owner"])
	}},
	{"分类", "category", 14, func(m outbox.Message) string {
		return cmp.Or(m.Fields["category"], m.Fields["category_code"])
	}},
	{"存根", "stub", 26, field("stub_id")},
}

// moment is a time as short as it can be, of the entry's own zone.
func moment(m outbox.Message) string {
	at, err := time.Parse(time.RFC3339, m.Fields["at"])
	if err != nil {
		return m.Fields["at"]
	}
	return at.Format("01-02 15:04:05")
}

// head is the line above the table.
func head(out io.Writer, lang string) error {
	return row(out, func(c column) string {
		if lang == "zh" {
			return c.zh
		}
		return c.en
	})
}

func row(out io.Writer, cell func(column) string) error {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(fit(cell(c), c.width) + "  ")
	}
	_, err := fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
	return err
}

// fit makes a text so many cells wide: what does not fit ends with an ellipsis, what is missing is blank.
func fit(text string, width int) string {
	var b strings.Builder
	used := 0
	for _, r := range text {
		if w := cells(r); used+w <= width {
			b.WriteRune(r)
			used += w
			continue
		}
		return shorten(b.String(), width)
	}
	return b.String() + strings.Repeat(" ", width-used)
}

// shorten puts an ellipsis at the end of a text that fills its cells.
func shorten(text string, width int) string {
	runes := []rune(text)
	used := 1
	for _, r := range runes {
		used += cells(r)
	}
	for used > width {
		used -= cells(runes[len(runes)-1])
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…" + strings.Repeat(" ", width-used)
}

// cells is how many cells of a terminal a character takes: Chinese and full-width ones two.
func cells(r rune) int {
	switch {
	case r < ' ' || r == 0x7f:
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// tableRow prints an entry as one row.
func tableRow(out io.Writer, m outbox.Message) error {
	return row(out, func(c column) string {
		return strings.Map(func(r rune) rune {
			if cells(r) == 0 {
				return -1
			}
			return r
		}, c.value(m))
	})
}
