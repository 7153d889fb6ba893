package configs

import (
	"reflect"
	"strings"
)

// set carries out one --set key.path=value: the schema says what type the value has. A list is written a,b or [a,b].
func (d *decoder) set(c *Config, arg string) {
	key, word, ok := strings.Cut(arg, "=")
	d.flag = strings.TrimSpace("--set " + shorten(key))
	defer func() { d.flag = "" }()
	if !ok || key == "" {
		d.addAt(place{flag: d.flag}, "", textSetSyntax.of())
		return
	}
	d.step("", strings.Split(key, "."), word, reflect.ValueOf(c).Elem(), rule{})
}

// step goes down one name of the path, and at its end writes the value.
func (d *decoder) step(key string, rest []string, word string, v reflect.Value, r rule) {
	at := place{flag: d.flag}
	if len(rest) == 0 && d.setFlow(key, word, v, r) {
		return
	}
	if short, ok := bareField(v); ok && len(rest) == 0 {
		v, r = short.Value, short.rule
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if len(rest) == 0 {
		d.drop(key)
		d.places[key], d.heads[key] = at, at
		d.leaf(key, word, v, r)
		return
	}
	name, path := rest[0], join(key, rest[0])
	switch _, single := scalars[v.Type()]; {
	case single || v.Kind() == reflect.Slice:
		d.addAt(at, key, textSetDeeper.of())
	case v.Kind() == reflect.Map:
		d.stepEntry(path, name, rest[1:], word, v, r)
	default:
		field, ok := fieldOf(v.Type(), name)
		if !ok {
			d.addAt(at, path, unknownKey(name, keysOf(v.Type())))
			return
		}
		d.step(path, rest[1:], word, v.FieldByIndex(field.Index), ruleOf(field.Tag))
	}
}

// setFlow sets a table, an entry of one, a group or a list of groups from YAML on one line: {name: noise, owner: 110}.
// What it gives takes the place of a table and of an entry as a whole; of a group the keys that it names. false: it is
// a word.
func (d *decoder) setFlow(key, word string, v reflect.Value, r rule) bool {
	word = strings.TrimSpace(word)
	_, single := scalars[v.Type()]
	table := v.Kind() == reflect.Map
	groups := v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Pointer
	switch {
	case single || v.Kind() == reflect.Slice && !groups:
		return false
	case table && word == "":
		word = "{}"
	case !strings.HasPrefix(word, "{") && !(groups && strings.HasPrefix(word, "[")):
		return false
	}
	d.drop(key)
	d.places[key], d.heads[key] = place{flag: d.flag}, place{flag: d.flag}
	file, err := parseYAML([]byte(word))
	if err != nil || len(file.Docs) != 1 || isNull(file.Docs[0].Body) {
		d.add(key, textSetBraces.of())
		return true
	}
	if v.Kind() == reflect.Pointer {
		v.Set(newEntry(v.Type()))
	}
	d.value(key, file.Docs[0].Body, v, r)
	return true
}

// stepEntry goes into an entry of a table, a new one when there is none by that name.
func (d *decoder) stepEntry(path, name string, rest []string, word string, v reflect.Value, r rule) {
	if !shapes[r.keys].fits(name) {
		d.addAt(place{flag: d.flag}, path, textBadName.of(shorten(name), shapes[r.keys].what.of()))
		return
	}
	entry := newEntry(v.Type().Elem())
	if old := v.MapIndex(reflect.ValueOf(name)); old.IsValid() {
		entry.Set(old)
	} else {
		d.heads[path] = place{flag: d.flag}
	}
	d.step(path, rest, word, entry, r)
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(reflect.ValueOf(name), entry)
}

func (d *decoder) leaf(key, word string, v reflect.Value, r rule) {
	s, single := scalars[v.Type()]
	switch {
	case single:
		d.word(key, word, v, r, s)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Pointer:
		d.add(key, textSetItems.of())
	case v.Kind() == reflect.Slice:
		d.words(key, word, v, r)
	case v.Kind() == reflect.Map:
		d.add(key, textSetTable.of(key))
	default:
		d.add(key, textSetGroup.of(keysOf(v.Type())))
	}
}

// words reads a list from one argument. An empty one empties the list.
func (d *decoder) words(key, word string, v reflect.Value, r rule) {
	word = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(word), "["), "]")
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	if strings.TrimSpace(word) == "" {
		return
	}
	for i, item := range strings.Split(word, ",") {
		d.places[index(key, i)] = place{flag: d.flag}
		one := reflect.New(v.Type().Elem()).Elem()
		d.word(index(key, i), strings.TrimSpace(item), one, r, scalars[one.Type()])
		v.Set(reflect.Append(v, one))
	}
}
