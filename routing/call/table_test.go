package call

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const tableBegins, tableEnds = "<!-- table: keys -->\n", "<!-- end -->\n"

// TestTableInPrint keeps the table of keys, as whoever answers for a hotline reads it, the one that is carried out.
func TestTableInPrint(t *testing.T) {
	var b strings.Builder
	b.WriteString("| while | who | presses | the call is then | the stub says | and so |\n|---|---|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s | %s |\n", r.while, r.by, r.verb, r.then, r.mode, r.says)
	}
	inPrint(t, tableBegins, tableEnds, b.String())
}

// TestSupervisionInPrint does the same for what a supervisor may do.
func TestSupervisionInPrint(t *testing.T) {
	var b strings.Builder
	b.WriteString("| while | he asks for | and so |\n|---|---|---|\n")
	for _, r := range supervision {
		if refused := strings.HasPrefix(r.says, "Refused"); refused != (r.no != nil) {
			t.Errorf("%s: %s says %q, and is refused by %v", r.while, r.act, r.says, r.no)
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", r.while, r.act, r.says)
	}
	inPrint(t, "<!-- table: supervision -->\n", "<!-- end of it -->\n", b.String())
}

// inPrint holds a table against the page.
func inPrint(t *testing.T, begins, ends, want string) {
	t.Helper()
	file := "testdata/README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begins)
	is, after, closed := strings.Cut(rest, ends)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(before+begins+want+ends+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if is != want {
		t.Errorf("%s tells of another table (go test -rewrite)", file)
	}
}

// A key has one meaning at a time.
func TestTableIsUnambiguous(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table {
		for _, by := range []role{byTaker, bySecond} {
			key := fmt.Sprint(r.while, by, r.verb)
			if r.by != byEither && r.by != by {
				continue
			}
			if seen[key] {
				t.Errorf("%s: %s has two rows", r.while, r.verb)
			}
			seen[key] = true
		}
	}
}
