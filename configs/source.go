package configs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Problem is one thing wrong with a config, in words for the admin who wrote it.
type Problem struct {
	File      string // "" when the config was built in code
	Line, Col int    // from 1, in characters
	Flag      string // "--set key.path" when the value came from the command line; File, Line and Col are zero then
	Key       string // key path, "hotlines.110.seats[2]"; "" the file as a whole
	Text      string // what is wrong and what is allowed

	said *message // Text, in whichever language; nil: in none
}

// In is the same in another language: "zh" or "en".
func (ps Problems) In(lang string) Problems {
	list := slices.Clone(ps)
	for i, p := range list {
		if p.said != nil {
			list[i].Text = oneLine(p.said.in(lang))
		}
	}
	return list
}

// String is FILE:LINE:COL: key: text.
func (p Problem) String() string {
	var parts []string
	switch {
	case p.Flag != "":
		parts = append(parts, p.Flag)
	case p.File != "":
		parts = append(parts, fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col))
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	return strings.Join(append(parts, p.Text), ": ")
}

// Problems is the error of Load: everything that is wrong, in the order of the file, flags last. Never empty.
type Problems []Problem

// Error is one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// maxFindings is more than anybody reads; a file that is no config at all could give a hundred thousand.
const maxFindings = 1000

// place is where a value was written.
type place struct {
	file      string // "" the config itself
	line, col int
	flag      string
}

// findings collects what is wrong while a config is read and checked. Owned by one Load.
type findings struct {
	file   string
	in     string           // the further file that is being read; "" the config itself
	places map[string]place // key path → its value
	heads  map[string]place // key path → its name
	quick  quickTables      // and what is in neither
	list   []finding
	warned []finding // what does no harm yet

	grave []finding // those of them that say that calls will go wrong
}

type finding struct {
	place
	key string
	msg message
}

func newFindings(file string) *findings {
	return &findings{file: file, places: map[string]place{}, heads: map[string]place{}}
}

// add reports at the value of a key, or at the name of the nearest key above it that was written.
func (f *findings) add(key string, msg message) {
	at, ok := f.placed(key)
	if !ok {
		at = f.head(key)
	}
	f.addAt(at, key, msg)
}

// addName reports at the name of a key instead of its value.
func (f *findings) addName(key string, msg message) { f.addAt(f.head(key), key, msg) }

// warn reports what does no harm yet, at the value of a key.
func (f *findings) warn(key string, msg message) {
	at, ok := f.placed(key)
	if !ok {
		at = f.head(key)
	}
	f.warned = append(f.warned, finding{at, key, textWarning.of(msg)})
}

// warnName reports what does no harm yet at the name of a key.
func (f *findings) warnName(key string, msg message) {
	f.warned = append(f.warned, finding{f.head(key), key, textWarning.of(msg)})
}

// addAt keeps the first problem of a place: it is the cause, a later one would be its consequence.
func (f *findings) addAt(at place, key string, msg message) {
	if len(f.list) > maxFindings {
		return
	}
	if at.file == "" && at.flag == "" {
		at.file = f.in
	}
	for _, old := range f.list {
		if old.key == key && old.place == at {
			return
		}
	}
	if len(f.list) == maxFindings {
		at, key, msg = place{line: 1, col: 1}, "", textMore.of(maxFindings)
	}
	f.list = append(f.list, finding{at, key, msg})
}

// placed is where the value of a key was written.
func (f *findings) placed(key string) (at place, ok bool) {
	if at, ok = f.places[key]; !ok {
		at, _, ok = f.quick.place(key)
	}
	return at, ok
}

// headed is where the name of a key was written.
func (f *findings) headed(key string) (at place, ok bool) {
	if at, ok = f.heads[key]; !ok {
		_, at, ok = f.quick.place(key)
	}
	return at, ok
}

// drop forgets a value that is given anew: where it stood and what was wrong with it.
func (f *findings) drop(key string) {
	f.spell(key)
	f.quick = slices.DeleteFunc(f.quick, func(t *quickTable) bool { return under(t.key, key) })
	again := func(k string, _ place) bool { return under(k, key) }
	maps.DeleteFunc(f.places, again)
	maps.DeleteFunc(f.heads, again)
	f.list = slices.DeleteFunc(f.list, func(old finding) bool { return under(old.key, key) })
}

// has says that a key itself has a problem: what it should hold was not read.
func (f *findings) has(key string) bool {
	return slices.ContainsFunc(f.list, func(old finding) bool { return old.key == key })
}

// faulty says that a key, or something below it, has a problem already.
func (f *findings) faulty(key string) bool {
	return slices.ContainsFunc(f.list, func(old finding) bool { return under(old.key, key) })
}

func under(key, above string) bool {
	rest, ok := strings.CutPrefix(key, above)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

func (f *findings) head(key string) place {
	for {
		if at, ok := f.headed(key); ok {
			return at
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return place{line: 1, col: 1}
		}
		key = key[:cut]
	}
}

// problems puts the findings into words. It is nil when there are none.
func (f *findings) problems(lang string) error {
	if len(f.list) == 0 {
		return nil
	}
	return f.inWords(f.list, lang)
}

func (f *findings) inWords(list []finding, lang string) Problems {
	slices.SortStableFunc(list, byPlace)
	ps := make(Problems, len(list))
	for i, one := range list {
		ps[i] = Problem{File: cmp.Or(one.file, f.file), Line: one.line, Col: one.col, Flag: one.flag, Key: one.key,
			Text: oneLine(one.msg.in(lang)), said: &list[i].msg}
		if one.flag != "" {
			ps[i].File, ps[i].Line, ps[i].Col = "", 0, 0
		}
	}
	return ps
}

// oneLine: a problem is one line, also when a package below reports several of its own.
func oneLine(s string) string { return strings.NewReplacer("\n", "; ", "\r", " ").Replace(s) }

func byPlace(a, b finding) int {
	return cmp.Or(cmp.Compare(a.flag, b.flag), cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line),
		cmp.Compare(a.col, b.col), cmp.Compare(a.key, b.key))
}

// join adds one step to a key path. A name that would be read wrongly in a path is quoted.
func join(path, name string) string {
	odd := func(r rune) bool { return r == '.' || r == '[' || unicode.IsSpace(r) || !unicode.IsPrint(r) }
	if name == "" || strings.ContainsFunc(name, odd) {
		name = strconv.Quote(shorten(name))
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// index adds the place in a list to a key path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// shorten keeps a message on one line however long the value is that it quotes.
func shorten(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
