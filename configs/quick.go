package configs

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"liandong/routing/desk"
)

// Parser and decoder take some forty microseconds for each entry of a table. So an entry that is written plainly, and
// all of whose values are allowed, is read here straight into its place and taken out of the text. All others stay, and
// with them everything that is to be reported: this says yes or nothing.

// quickTable is what was read so of one table of the file.
type quickTable struct {
	key  string
	own  int                 // the line of the entry that has stayed
	rows map[string]quickRow // by name
}

// quickRow is an entry. Where its values stand is found out when it is asked for.
type quickRow struct {
	value reflect.Value // a pointer to a struct
	text  string        // as it stands, with the lines of a block
	line  int           // from 1
}

// quickRead takes the plain entries out of a text, which keeps its lines: where they were there is nothing. The first
// entry of each table stays, so that it is one. t is the type of the config.
func quickRead(src string, t reflect.Type) (rest string, tables quickTables) {
	lines := strings.SplitAfter(src, "\n")
	if len(lines) < 2*atOnce {
		return src, nil
	}
	var table *quickTable // nil: what a line belongs to is not certain
	var entry reflect.Type
	var r rule
	var pairs []pair
	for i := 0; i < len(lines); {
		var n int
		var name string
		n, name, pairs = quickEntry(lines[i:], pairs[:0])
		switch line := lines[i]; {
		case isHead(line):
			table = nil
			key, _, _ := strings.Cut(line, ":")
			if f, ok := fieldOf(t, key); ok && isQuick(f.Type) {
				table, entry, r = &quickTable{key: key, rows: map[string]quickRow{}}, f.Type.Elem(), ruleOf(f.Tag)
				tables = append(tables, table)
			}
		case table == nil || blank(line):
		case n == 0:
			table = nil
		case table.own == 0:
			table.own = i + 1
		default:
			row, ok := quickValue(pairs, entry)
			if !ok || !shapes[r.keys].fits(name) {
				break
			}
			if _, twice := table.rows[name]; twice {
				return src, nil
			}
			row.line, row.text = i+1, strings.Join(lines[i:i+n], "")
			table.rows[strings.Clone(name)] = row
			for j := range n {
				lines[i+j] = "\n"
			}
		}
		i += max(n, 1)
	}
	return strings.Join(lines, ""), tables
}

// isQuick: a table of groups.
func isQuick(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Pointer && t.Elem().Elem().Kind() == reflect.Struct
}

// pair is a key and its value as they stand in an entry: both begin so many bytes into it.
type pair struct {
	name, word     string
	nameAt, wordAt int
}

// quickEntry is the entry at the beginning of some lines, and of how many; 0: what is there is not as plain as that. It
// is "  key: {a: b, c: d}", or "  key:" and "    a: b" below.
func quickEntry(lines []string, room []pair) (n int, name string, pairs []pair) {
	rest, ok := strings.CutPrefix(lines[0], "  ")
	name, rest, found := strings.Cut(rest, ":")
	if !ok || !found || !plainKey(name) {
		return 0, "", room
	}
	if rest == "\n" {
		n, pairs = quickBlock(lines, room)
	} else {
		n, pairs = quickFlow(rest, len("  :")+len(name), room)
	}
	if goesOn(lines[n:]) {
		return 0, "", room
	}
	return n, name, pairs
}

// goesOn says that what comes next is deeper: it belongs to what comes before.
func goesOn(lines []string) bool {
	next := slices.IndexFunc(lines, func(line string) bool { return !blank(line) })
	return next >= 0 && (lines[next][0] == '\t' || len(lines[next]) > 2 && strings.TrimLeft(lines[next][:3], " \t") == "")
}

// quickFlow is what stands behind a name, which is so many bytes into the line.
func quickFlow(rest string, at int, pairs []pair) (int, []pair) {
	inner, ok := strings.CutPrefix(rest, " {")
	inner, end := strings.CutSuffix(inner, "}\n")
	for at += len(" {"); ok && end; {
		one, left, good := cutPair(inner)
		one.nameAt, one.wordAt = at, at+one.wordAt
		pairs = append(pairs, one)
		if good && left == "" {
			return 1, pairs
		}
		at += len(inner) - len(left) + len(", ")
		inner, ok = strings.CutPrefix(left, ", ")
		ok = ok && good
	}
	return 0, pairs
}

// quickBlock is an entry below its name, one value in a line.
func quickBlock(lines []string, pairs []pair) (n int, all []pair) {
	at := len(lines[0])
	for n = 1; n < len(lines); n++ {
		line, ok := strings.CutPrefix(lines[n], "    ")
		if !ok {
			break
		}
		one, rest, ok := cutPair(line)
		if !ok || rest != "\n" {
			return 0, pairs
		}
		one.nameAt, one.wordAt = at+4, at+4+one.wordAt
		pairs = append(pairs, one)
		at += len(lines[n])
	}
	if len(pairs) == 0 {
		return 0, pairs
	}
	return n, pairs
}

// cutPair cuts "name: word" off the beginning of a text; wordAt is where the value begins in it.
func cutPair(s string) (p pair, rest string, ok bool) {
	name, after, ok := strings.Cut(s, ": ")
	if !ok || !plainKey(name) {
		return p, "", false
	}
	p = pair{name: name, wordAt: len(name) + 2}
	if quoted, ok := strings.CutPrefix(after, `"`); ok {
		p.word, rest, ok = strings.Cut(quoted, `"`)
		return p, rest, ok && plainText(p.word) && !strings.ContainsAny(p.word, `\$`)
	}
	end := 0
	for i, c := range after {
		end = i
		if !isPlain(c) && (c != ' ' || i == 0) {
			break
		}
		end += utf8.RuneLen(c)
	}
	word := after[:end]
	switch {
	case word == "" || strings.ContainsRune("-.@", rune(word[0])) || word[len(word)-1] == ' ':
		return p, "", false
	case strings.EqualFold(word, "null"):
		return p, "", false
	}
	p.word = word
	return p, after[end:], true
}

// isPlain are characters that are themselves to YAML wherever they stand in a word, but at its beginning -, . and @.
func isPlain(c rune) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
		return true
	case c < utf8.RuneSelf:
		return strings.ContainsRune("_-./+@", c)
	}
	return unicode.IsLetter(c)
}

// quickValue makes an entry of its pairs; false: one of them is not allowed.
func quickValue(pairs []pair, t reflect.Type) (row quickRow, ok bool) {
	row.value = newEntry(t)
	fields := keyed(t.Elem())
	for i, p := range pairs {
		f := slices.IndexFunc(fields, func(f keyedField) bool { return f.key == p.name })
		twice := slices.ContainsFunc(pairs[:i], func(other pair) bool { return other.name == p.name })
		if f < 0 || twice || !put(row.value.Elem().FieldByIndex(fields[f].Index), p.word, fields[f].rule) {
			return row, false
		}
	}
	return row, true
}

// put sets a field to a word, if it is a single one and the word is allowed. It is copied: what outlives the config is
// not to keep the whole text of it, with all passwords.
func put(v reflect.Value, word string, r rule) bool {
	switch to := v.Addr().Interface().(type) { // which most are: they go in without being boxed
	case *string:
		*to = strings.Clone(word)
		return fitsString(word, r)
	case *desk.Secret:
		*to = desk.NewSecret(strings.Clone(word))
		return fitsSecret(word)
	}
	s, single := scalars[v.Type()]
	if !single {
		return false
	}
	got, ok := s.read(word, r)
	if ok {
		v.Set(reflect.ValueOf(got))
	}
	return ok
}

// merge says that all that was read so belongs to the tables of a file's rest.
func merge(tables quickTables, rest *ast.File) bool {
	seen := map[string]bool{}
	for _, t := range tables {
		if len(t.rows) == 0 {
			continue
		}
		table := tableOf(rest, t.key)
		if table == nil || seen[t.key] || len(table.Values) == 0 ||
			table.Values[0].Key.GetToken().Position.Line != t.own {
			return false
		}
		seen[t.key] = true
		for _, e := range table.Values {
			name, _ := nameOf(e.Key)
			if _, twice := t.rows[name]; twice {
				return false
			}
		}
	}
	return true
}

// quickTables are those of a file.
type quickTables []*quickTable

// of are the rows of the table of a key.
func (all quickTables) of(key string) map[string]quickRow {
	for _, t := range all {
		if t.key == key {
			return t.rows
		}
	}
	return nil
}

// row is the entry that a key is of or in, and what the key says beyond its name.
func (all quickTables) row(key string) (row quickRow, below string, ok bool) {
	table, rest, _ := strings.Cut(key, ".")
	name, below, _ := strings.Cut(rest, ".")
	row, ok = all.of(table)[name]
	return row, below, ok
}

// place is where the value of a key stands, and where its name does.
func (all quickTables) place(key string) (value, name place, ok bool) {
	row, below, ok := all.row(key)
	if !ok {
		return value, name, false
	}
	_, own, pairs := quickEntry(strings.SplitAfter(row.text, "\n"), nil)
	if below == "" {
		at := len("  : ") + len(own) // beyond the end where a block begins
		if row.text[at] != '{' {
			at = pairs[0].nameAt
		}
		return row.place(at), row.place(len("  ")), true
	}
	for _, p := range pairs {
		if p.name == below {
			return row.place(p.wordAt), row.place(p.nameAt), true
		}
	}
	return value, name, false
}

// place is that of a byte of the entry.
func (r quickRow) place(at int) place {
	before := r.text[:at]
	return place{line: r.line + strings.Count(before, "\n"),
		col: 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}

// spell has the places of an entry stand where all others do: one of them is about to be another.
func (f *findings) spell(key string) {
	table, rest, _ := strings.Cut(key, ".")
	name, _, _ := strings.Cut(rest, ".")
	at := join(table, name)
	row, _, ok := f.quick.row(at)
	if !ok {
		return
	}
	keys := []string{at}
	_, _, pairs := quickEntry(strings.SplitAfter(row.text, "\n"), nil)
	for _, p := range pairs {
		keys = append(keys, join(at, p.name))
	}
	for _, k := range keys {
		f.places[k], f.heads[k], _ = f.quick.place(k)
	}
	delete(f.quick.of(table), name)
}
