package demo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Whatever a check of the demo says is said in Chinese with --lang zh: of the English only names are left.
func TestChecksAreTranslated(t *testing.T) {
	english := regexp.MustCompile(`[a-z]{2,}`)
	names := strings.NewReplacer("liandong:tickets", "", "From", "", "%s", "", "%v", "", "result", "", "to_agent", "",
		"decided_owner", "", "decision_basis", "", "mode", "", "answered", "", "three_way", "", "agreed", "", "abandoned", "",
		"busy", "", "Asserted-Identity", "")
	zh, n := Options{Lang: "zh"}, 0
	for _, file := range []string{"cases.go", "scene.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			at, spoken := map[string]int{"must": 0, "check": 1, "time": 0, "hearsClip": 2, "unbroken": 1}[strOf(f, ok)]
			if !spoken || at >= len(call.Args) {
				return true
			}
			ast.Inspect(call.Args[at], func(part ast.Node) bool {
				lit, ok := part.(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					return true
				}
				text, _ := strconv.Unquote(lit.Value)
				n++
				if got := zh.words(text); english.MatchString(names.Replace(got)) {
					t.Errorf("%s: %q is %q", file, text, got)
				}
				return true
			})
			return true
		})
	}
	if n < 25 {
		t.Errorf("only %d texts are looked at", n)
	}
	if got := zh.words("caller hears 110 desk and 12345 desk (likeness: caller 0.01)"); english.MatchString(got) {
		t.Error(got)
	}
	if got := (Options{Lang: "en"}).words("the citizen hangs up"); got != "the citizen hangs up" {
		t.Error(got)
	}
}

func strOf(f *ast.SelectorExpr, ok bool) string {
	if !ok {
		return ""
	}
	return f.Sel.Name
}

// In a pipe nothing is coloured, and there is no table.
func TestPlainInAPipe(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		var out strings.Builder
		s := &stage{Options: Options{Out: &out, Lang: "en", Terminal: terminal},
			outcomes: []outcome{{one: cases[0], kept: 3, broken: 1, times: []string{"key → partner rings: 21 ms"}}}}
		s.table()
		got := out.String()
		if terminal != strings.Contains(got, "\x1b[31m✗\x1b[0m (a)") || terminal != strings.Contains(got, "4 promises, 3 kept") {
			t.Errorf("terminal %v: %q", terminal, got)
		}
	}
}
