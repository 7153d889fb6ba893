package configs

import (
	"reflect"
	"strings"
	"sync"

	"github.com/goccy/go-yaml/ast"

	"liandong/routing/desk"
)

// decoder walks a syntax tree along the Go type of the config, and goes on after each problem. Owned by one Load.
type decoder struct {
	*findings
	env  func(string) (string, bool)
	flag string // set while a --set is read: it stands for the place
}

var secretType = reflect.TypeFor[desk.Secret]()

// value reads a node of any kind into v.
func (d *decoder) value(key string, n ast.Node, v reflect.Value, r rule) {
	d.places[key] = d.placeOf(n)
	if refused(n) {
		d.add(key, textAnchor.of())
		return
	}
	if s, ok := scalars[v.Type()]; ok {
		d.one(key, n, v, r, s)
		return
	}
	if _, word := wordOf(n); word {
		if short, ok := bareField(v); ok {
			d.value(key, n, short.Value, short.rule)
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		d.value(key, n, v.Elem(), r)
	case reflect.Struct:
		d.group(key, n, v)
	case reflect.Map:
		d.table(key, n, v, r)
	case reflect.Slice:
		d.items(key, n, v, r)
	}
}

// bare is the one field of a group that a word in the place of the group means.
type bare struct {
	reflect.Value
	rule rule
}

func bareField(v reflect.Value) (bare, bool) {
	b, ok := v.Interface().(interface{ bareKey() string })
	if !ok {
		return bare{}, false
	}
	v = reflect.Indirect(v)
	f, ok := fieldOf(v.Type(), b.bareKey())
	return bare{v.FieldByIndex(f.Index), ruleOf(f.Tag)}, ok
}

func refused(n ast.Node) bool {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return true
	}
	return false
}

// one reads a single value. Numbers are taken as they are written: 0311 stays four digits.
func (d *decoder) one(key string, n ast.Node, v reflect.Value, r rule, s scalar) {
	if isNull(n) {
		d.add(key, textNoValue.of(s.what(r)))
		return
	}
	word, ok := wordOf(n)
	if !ok {
		d.add(key, textWantOne.of(s.what(r)))
		return
	}
	if wideQuoted(n) {
		d.add(key, textWideQuotes.of())
		return
	}
	d.word(key, word, v, r, s)
}

func (d *decoder) word(key, word string, v reflect.Value, r rule, s scalar) {
	full, fault := expand(word, d.env)
	if fault != nil {
		d.add(key, *fault)
		return
	}
	got, ok := s.read(full, r)
	switch {
	case ok:
		v.Set(reflect.ValueOf(got))
	case v.Type() == secretType:
		d.add(key, textSecretValue.of(s.what(r)))
	default: // as written: what the environment holds may be secret
		if mark := wideIn(word); mark != "" {
			d.add(key, wideValue(word, mark, s.what(r)))
			return
		}
		d.add(key, textBadValue.of(shorten(word), s.what(r)))
	}
}

func wordOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func isNull(n ast.Node) bool {
	switch n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return true
	}
	return false
}

// group reads a mapping into a struct: only the keys that the struct has.
func (d *decoder) group(key string, n ast.Node, v reflect.Value) {
	entries, ok := entriesOf(n)
	if !ok {
		d.add(key, textWantGroup.of(keysOf(v.Type())))
		return
	}
	d.each(key, entries, func(name, path string, e *ast.MappingValueNode) {
		field, ok := fieldOf(v.Type(), name)
		if !ok {
			d.addAt(d.placeOf(e.Key), path, unknownKey(name, keysOf(v.Type())))
			return
		}
		d.value(path, e.Value, v.FieldByIndex(field.Index), ruleOf(field.Tag))
	})
}

// table reads a mapping with names of the admin's choice. What the file says takes the place of the default as a whole,
// so that a default entry can be taken away.
func (d *decoder) table(key string, n ast.Node, v reflect.Value, r rule) {
	entries, ok := entriesOf(n)
	if !ok {
		d.add(key, textWantTable.of(shapes[r.keys].what.of()))
		return
	}
	if !isNull(n) {
		v.Set(reflect.MakeMapWithSize(v.Type(), len(entries)))
	}
	d.each(key, entries, func(name, path string, e *ast.MappingValueNode) {
		if !shapes[r.keys].fits(name) {
			d.addAt(d.placeOf(e.Key), path, badName(name, r))
			return
		}
		entry := newEntry(v.Type().Elem())
		d.value(path, e.Value, entry, r)
		v.SetMapIndex(reflect.ValueOf(name), entry)
	})
	for name, row := range d.quick.of(key) {
		v.SetMapIndex(reflect.ValueOf(name), row.value)
	}
}

func badName(name string, r rule) message {
	if mark := wideIn(name); mark != "" {
		return wideName(name, mark)
	}
	return textBadName.of(shorten(name), shapes[r.keys].what.of())
}

// newEntry is a fresh value of a table or a list, with the defaults of its type.
func newEntry(t reflect.Type) reflect.Value {
	entry := reflect.New(t).Elem()
	if t.Kind() == reflect.Pointer {
		entry.Set(reflect.New(t.Elem()))
		if e, ok := entry.Interface().(interface{ setDefaults() }); ok {
			e.setDefaults()
		}
	}
	return entry
}

// each visits the entries of a mapping and reports those that came before.
func (d *decoder) each(key string, entries []*ast.MappingValueNode,
	visit func(name, path string, e *ast.MappingValueNode)) {
	seen := make(map[string]place, len(entries))
	for _, e := range entries {
		name, ok := nameOf(e.Key)
		path, at := join(key, name), d.placeOf(e.Key)
		first, twice := seen[name]
		switch {
		case !ok:
			d.addAt(at, path, textAnchor.of())
		case twice:
			d.addAt(at, path, textTwice.of(first.line))
		default:
			seen[name], d.heads[path] = at, at
			visit(name, path, e)
		}
	}
}

func nameOf(k ast.MapKeyNode) (string, bool) {
	var n ast.Node = k
	if long, ok := k.(*ast.MappingKeyNode); ok { // "? key"
		n = long.Value
	}
	if n == nil || n.GetToken() == nil {
		return "", false
	}
	if refused(n) {
		return n.GetToken().Value, false
	}
	if word, ok := wordOf(n); ok {
		return word, true
	}
	return n.GetToken().Value, isNull(n)
}

func entriesOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, isNull(n)
}

// items reads a list. It takes the place of the default list.
func (d *decoder) items(key string, n ast.Node, v reflect.Value, r rule) {
	what := itemWhat(v.Type().Elem(), r)
	word, single := wordOf(n)
	if single && r.single != "" {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.value(key, n, v.Index(0), r)
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if mark := wideIn(word); !ok && single && mark != "" && v.Type().Elem() != secretType {
		d.add(key, wideMark(mark))
		return
	}
	if !ok {
		if !isNull(n) {
			d.add(key, textWantList.of(what))
		}
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	for i, item := range seq.Values {
		v.Index(i).Set(newEntry(v.Type().Elem()))
		d.value(index(key, i), item, v.Index(i), r)
	}
}

// itemWhat says in words what an item of a list is: one word, or a group of keys.
func itemWhat(t reflect.Type, r rule) message {
	if t.Kind() == reflect.Pointer {
		return textGroup.of(keysOf(t.Elem()))
	}
	return scalars[t].what(r)
}

func (d *decoder) placeOf(n ast.Node) place {
	if d.flag != "" {
		return place{flag: d.flag}
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return place{file: d.in, line: 1, col: 1}
	}
	p := n.GetToken().Position
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return d.placeOf(m.Values[0].Key) // its own token is the first colon
	}
	return place{file: d.in, line: max(p.Line, 1), col: max(p.Column, 1)}
}

// fieldOf finds the field of a yaml key, also in an embedded struct.
func fieldOf(t reflect.Type, name string) (reflect.StructField, bool) {
	for _, f := range keyed(t) {
		if f.key == name {
			return f.StructField, true
		}
	}
	return reflect.StructField{}, false
}

// keyedField is a field of a struct that has a yaml key.
type keyedField struct {
	key string
	reflect.StructField
	rule rule
	file []int // index of the field for the file that a secret may stand in; nil: there is none
}

var keyedFields sync.Map // of reflect.Type: []keyedField; finding them takes longer than reading a phone

// keyed are the fields of a struct that have yaml keys, also those of embedded structs.
func keyed(t reflect.Type) []keyedField {
	if known, ok := keyedFields.Load(t); ok {
		return known.([]keyedField)
	}
	var all []keyedField
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" {
			one := keyedField{key: key, StructField: f, rule: ruleOf(f.Tag)}
			if file, ok := t.FieldByName(f.Name + "File"); ok && f.Type == secretType {
				one.file = file.Index
			}
			all = append(all, one)
		}
	}
	keyedFields.Store(t, all)
	return all
}

// keysOf lists the yaml keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) (names []string) {
	for _, f := range keyed(t) {
		names = append(names, f.key)
	}
	return names
}

func unknownKey(name string, allowed []string) message {
	if mark := wideIn(name); mark != "" {
		return wideName(name, mark)
	}
	if near, ok := nearest(name, allowed); ok {
		return textUnknownKey.of(textDidYouMean.of(near), allowed)
	}
	return textUnknownKey.of(textNothing.of(), allowed)
}

// nearest is the allowed word that was probably meant: one or two letters away.
func nearest(name string, allowed []string) (string, bool) {
	best, least := "", 3
	for _, a := range allowed {
		if n := distance(strings.ToLower(name), a); n < least && n < len(a) {
			best, least = a, n
		}
	}
	return best, best != ""
}

// distance counts the letters to add, drop or change (Levenshtein). Long words are not worth it.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
