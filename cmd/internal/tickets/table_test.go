package tickets

import (
	"bytes"
	"strings"
	"testing"
)

func width(text string) (n int) {
	for _, r := range text {
		n += cells(r)
	}
	return n
}

// At a terminal each entry is a row under its head, whatever characters it has.
func TestTable(t *testing.T) {
	m, o := server(t)
	o.Table, o.Lang = true, "zh"
	put(t, m, "12345", "event", "opened", "stub_id", "01M85E0AZ1CD2HSYZ85ZB5PVQ2", "at",
		"2026-11-24T00:06:33.185+08:00", "caller_e164", "+8613812345678", "from_agent", "1101", "category",
		"噪声扰民与夜间施工投诉", "title", "not\x1b[31m shown", "urgency", "normal")
	put(t, m, "110", "event", "failed", "stub_id", "01M85E0AZ1CD2HSYZ85ZB5PVQ3", "reason", "no_\x1banswer", "at",
		"soon")
	var out bytes.Buffer
	if err := Print(t.Context(), &out, o); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%q", lines)
	}
	for _, want := range []string{"11-24 00:06:33", "12345", "+8613812345678", "1101", "噪声扰民与夜… "} {
		if !strings.Contains(lines[2], want) {
			t.Errorf("no %q in %q", want, lines[2])
		}
	}
	if !strings.Contains(lines[1], "soon") || !strings.Contains(lines[1], "no_answer ") ||
		strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", lines)
	}
	at := func(line, word string) int { before, _, _ := strings.Cut(line, word); return width(before) }
	if a, b, c := at(lines[0], "存根"), at(lines[1], "01M8"), at(lines[2], "01M8"); a != b || b != c {
		t.Errorf("the stubs stand at %d, %d and %d\n%s", a, b, c, out.String())
	}
	o.Lang = "en"
	out.Reset()
	if err := Print(t.Context(), &out, o); err != nil || !strings.HasPrefix(out.String(), "at   ") {
		t.Error(err, out.String())
	}
}

func TestFit(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "    "}, {"abc", "abc "}, {"abcd", "abcd"}, {"abcde", "abc…"}, {"中文", "中文"}, {"中文字", "中… "},
		{"a中文", "a中…"},
	} {
		if got := fit(tt.text, 4); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
