package configs

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
)

// bigConfig is the lab's with n phones.
func bigConfig(n int) string {
	var b strings.Builder
	b.WriteString("phones:\n")
	for i := range n {
		fmt.Fprintf(&b, "  %d: {hotline: %d, password: lab-%d}\n", 10000+i, []int{110, 12345}[i%2], 10000+i)
	}
	text := regexp.MustCompile(`(?m)^    seats: .*\n`).ReplaceAllString(LabFile(), "")
	return regexp.MustCompile(`(?m)^phones:\n(  .*\n)+`).ReplaceAllString(text, b.String())
}

// A text that is parsed in parts has the same keys and values in the same places as in one piece, whatever stands
// between its entries.
func TestSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	odd := []string{
		"", "# a comment\n", "\n", "  # {\n", "  10001: {hotline: 110}\n", "  x: {a: \"b\n", "  \"1\": {a: b}\n",
		"    a: b\n", "  x: {a: 'b'}\n", "  中: {a: 文}\n", "  y:\n    a: b\n", "  z: {a: [b]}\n", "phones:\n",
		"lines:\n", "  w: {a: b} # c\n", "  v: {a: \"#\"}\n", "---\n", "  u: &a {a: b}\n", "  t: {a, b}\n",
		"  s: {a: b\n  c: d}\n", "  r: {a: x\", b: \"y}\n", "  q: |\n    text\n", "- a\n", "  p: \"\n", "  o: {}\n",
		"\t\n", "  n: {a: ${B}}\n",
	}
	parted := 0
	for range 60 {
		lines := strings.SplitAfter(bigConfig(260), "\n")
		for range rng.IntN(4) {
			at := rng.IntN(len(lines))
			lines[at] += odd[rng.IntN(len(odd))]
		}
		text := strings.Join(lines, "")
		got, ok := parseSplit(text)
		if !ok {
			continue
		}
		parted++
		want, err := parseWhole([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if a, b := outline(got), outline(want); a != b {
			x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
			for i := range min(len(x), len(y)) {
				if x[i] != y[i] {
					t.Fatalf("%q in parts, %q as a whole; after %q", x[i], y[i], x[max(0, i-5):i])
				}
			}
			t.Fatalf("%d nodes in parts, %d as a whole", len(x), len(y))
		}
	}
	if parted < 15 {
		t.Errorf("%d of 60 are parsed in parts", parted)
	}
}

// outline is each node with its place.
func outline(f *ast.File) string {
	var b strings.Builder
	for _, doc := range f.Docs {
		ast.Walk(outliner{&b}, doc.Body)
	}
	return b.String()
}

type outliner struct{ *strings.Builder }

func (o outliner) Visit(n ast.Node) ast.Visitor {
	if tk := n.GetToken(); tk != nil && n.Type() != ast.MappingType && n.Type() != ast.CommentType {
		fmt.Fprintf(o, "%d:%d %v %q\n", tk.Position.Line, tk.Position.Column, n.Type(), tk.Value)
	}
	return o
}

// What is wrong with one of many phones is told with its place.
func TestFaultsOfManyPhones(t *testing.T) {
	text := bigConfig(1000)
	for _, bad := range []struct{ was, is string }{
		{"10500: {hotline: 110,", "10500: {hotline: 111,"}, {"10700: {hotline: 110,", "10700: {hotlin: 110,"},
		{"10900: {", "10300: {"}, {"password: lab-10999}", "password: }"}, {"lab-10123}", "lab-10123"},
	} {
		line := strings.Count(text[:strings.Index(text, bad.was)], "\n") + 1
		if bad.is == "lab-10123" { // where the parser misses it
			line++
		}
		text := strings.Replace(text, bad.was, bad.is, 1)
		_, err := Parse("big.yaml", []byte(text), Options{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("big.yaml:%d:", line)) {
			t.Errorf("%s in line %d: %v", bad.is, line, err)
		}
	}
}

// TestManyPhonesAreCheap: ten times the phones take ten times the memory, and not a hundred.
func TestManyPhonesAreCheap(t *testing.T) {
	bytes := func(n int) uint64 {
		src := []byte(bigConfig(n))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parseYAML(src); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := bytes(500), bytes(5000); many > 12*few {
		t.Errorf("%d KB for 500 phones, %d KB for 5000", few>>10, many>>10)
	}
}

// BenchmarkParse is the check of a config of 10 000 phones.
func BenchmarkParse(b *testing.B) {
	src := []byte(bigConfig(10_000))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("big.yaml", src, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
