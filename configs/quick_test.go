package configs

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/ast"
)

// decoded is what the decoder makes of a tree.
func decoded(parse func(*decoder) (ast.Node, bool)) (*decoder, *Config) {
	d := &decoder{findings: newFindings("big.yaml"), env: func(string) (string, bool) { return "ex-1", true }}
	c := Default()
	if root, ok := parse(d); ok {
		d.value("", root, reflect.ValueOf(c).Elem(), rule{})
	}
	return d, c
}

func quickly(src string) (*decoder, *Config) {
	return decoded(func(d *decoder) (ast.Node, bool) { return d.parse([]byte(src)) })
}

func slowly(src string) (*decoder, *Config) {
	return decoded(func(d *decoder) (ast.Node, bool) {
		file, err := parseYAML([]byte(src))
		if err != nil {
			d.syntax([]byte(src), err)
			return nil, false
		}
		if len(file.Docs) != 1 {
			return nil, false
		}
		return file.Docs[0].Body, true
	})
}

// sameReading compares what is read quickly with what parser and decoder make of all of it: values, what is wrong with
// them, in both languages, and where each stands.
func sameReading(t *testing.T, src string) (quick int) {
	t.Helper()
	a, got := quickly(src)
	b, want := slowly(src)
	for _, rows := range a.quick {
		quick += len(rows.rows)
	}
	if quick == 0 {
		return 0
	}
	if x, y := got.Values(""), want.Values(""); !maps.Equal(x, y) {
		for _, c := range Changes(x, y) {
			t.Errorf("%s", c)
		}
	}
	for _, lang := range []string{"zh", "en"} {
		if x, y := fmt.Sprint(a.problems(lang)), fmt.Sprint(b.problems(lang)); x != y {
			t.Errorf("quickly:\n%s\nslowly:\n%s", x, y)
		}
	}
	for key, at := range b.places {
		if is, _ := a.placed(key); is != at {
			t.Errorf("value of %s at %v, quickly at %v", key, at, is)
		}
	}
	for key, at := range b.heads {
		if is, _ := a.headed(key); is != at {
			t.Errorf("name of %s at %v, quickly at %v", key, at, is)
		}
	}
	if t.Failed() {
		t.Fatalf("in\n%s", src)
	}
	return quick
}

// What is read without the parser is what the parser would have given, whatever else stands in the file.
func TestQuick(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	words := []string{"110", "12345", "lab-7", "null", "Null", "~", "true", "007", "1.5", "0x10", "1e3", ".5", "-a",
		"a-", "台 1", "报警台 2", `"a, b: {c}"`, `"#"`, `"a\"b"`, `""`, "a b", "a  b", "a #b", "a# b", "any",
		"SHA-256", "MD4", "[]", "[PCMA]", "{a: b}", "${X}", `"${X}"`, "'q'", "@a", "a@b", "+86", "/a/b", "1_0",
		"0o7", ".inf", ".nan", "2020-01-02", "：", "a：b", "“a”", "yes", "<<", "*1", "&a", "!x", "a:b", "é", "ａ",
		"x\u3000y", "0311", "1:2", "=", "e\u0301", "a,b", "_"}
	names := []string{"hotline", "name", "network", "password", "password_file", "digest", "tls", "srtp", "codecs",
		"hotlin", "Hotline", "name", "hotline", "password"}
	entry := func(n int) string {
		user := fmt.Sprint(20000 + n)
		switch rng.IntN(400) {
		case 0:
			user = []string{"x y", `"1"`, "a.b", "10001", "null", "a-b", strings.Repeat("1", 33)}[rng.IntN(7)]
		case 1:
			return []string{"# c\n", "\n", "  # c\n", "  \n", "x: y\n", "---\n", "phones:\n", "trunks:\n", "      more\n",
				"    tls: off\n", "   x: {a: b}\n", "\t\n"}[rng.IntN(12)]
		}
		pairs := []string{"hotline: 110", "password: lab-" + user}
		for range rng.IntN(3) {
			if rng.IntN(200) == 0 {
				pairs = append(pairs, names[rng.IntN(len(names))]+": "+words[rng.IntN(len(words))])
			}
		}
		if rng.IntN(3) == 0 {
			return "  " + user + ":\n    " + strings.Join(pairs, "\n    ") + "\n"
		}
		return "  " + user + ": {" + strings.Join(pairs, ", ") + "}\n"
	}
	for _, word := range words { // each once, where nothing else is wrong
		for _, form := range []string{"  9: {hotline: 110, password: %s}\n", "  9:\n    hotline: 110\n    password: %s\n"} {
			sameReading(t, strings.Replace(bigConfig(2*atOnce), "phones:\n",
				"phones:\n  7: {hotline: 110, password: calm-heron}\n"+fmt.Sprintf(form, word), 1))
		}
	}
	read := 0
	for range 60 {
		var b strings.Builder
		for n := range 300 {
			b.WriteString(entry(n))
		}
		at := "phones:\n"
		read += sameReading(t, strings.Replace(bigConfig(3), at, at+"  1: {hotline: 110}\n"+b.String(), 1))
	}
	if read < 4_000 {
		t.Errorf("%d entries are read quickly", read)
	}
}

// Each word by itself, in both forms of an entry.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{
		"name: a b", `name: "a, b"`, "tls: off, srtp: off", "name: @a", "name: 台1\n    tls: off",
	} {
		f.Add(s)
	}
	rest := bigConfig(2 * atOnce)
	f.Fuzz(func(t *testing.T, s string) {
		if bytes.ContainsAny([]byte(s), "\x00") || len(s) > 200 {
			return
		}
		for _, form := range []string{"  9: {%s}\n", "  9:\n    %s\n"} {
			src := strings.Replace(rest, "phones:\n", "phones:\n  8: {hotline: 110}\n"+fmt.Sprintf(form, s), 1)
			if fault, _ := unfit([]byte(src)); fault == nil {
				sameReading(t, src)
			}
		}
	})
}

// TestQuickKeepsNoText: a name that is kept does not keep the passwords of all others.
func TestQuickKeepsNoText(t *testing.T) {
	text := bigConfig(1000)
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	read := func() (words []string) {
		c, err := Parse("big.yaml", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for user := range c.Phones {
			words = append(words, user)
		}
		return append(words[:1:1], c.Phones["10500"].Hotline, c.Phones["10500"].Password.Reveal())
	}
	kept := read() // and what is made once is made
	before := heap()
	for range 20 {
		kept = append(kept, read()...)
	}
	if grown := heap() - before; grown > 5*len(text) {
		t.Errorf("%d words keep %d bytes, of %d configs of %d bytes", len(kept), grown, 20, len(text))
	}
	runtime.KeepAlive(kept)
}

// TestQuickSet: what the command line sets takes the place of what was read quickly, as of everything else.
func TestQuickSet(t *testing.T) {
	src := []byte(bigConfig(1000))
	c, err := Parse("big.yaml", src, Options{Set: []string{"phones.10500.password=calm-heron", "phones.10501={hotline: 110, " +
		"password: calm-heron-2}", "phones.10502.hotline=110"}})
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"10500": "calm-heron", "10501": "calm-heron-2", "10502": "lab-10502"} {
		if is := c.Phones[user].Password.Reveal(); is != want || c.Phones[user].Hotline != "110" {
			t.Errorf("%s: %q, %s", user, is, c.Phones[user].Hotline)
		}
	}
	_, err = Parse("big.yaml", src, Options{Lang: "en", Set: []string{"phones.10500.hotline=99", "phones.10501={}"}})
	if err == nil || !strings.Contains(err.Error(), "--set phones.10500.hotline: phones.10500.hotline: ") ||
		!strings.Contains(err.Error(), "--set phones.10501: phones.10501.hotline: ") || strings.Contains(err.Error(), "big.yaml") {
		t.Errorf("%v", err)
	}
	if c, err = Parse("big.yaml", src, Options{Set: []string{"phones={7: {hotline: 110, password: calm-heron}, " +
		"8: {hotline: 12345, password: calm-heron}}"}}); err != nil || len(c.Phones) != 2 {
		t.Errorf("%v", err)
	}
}
