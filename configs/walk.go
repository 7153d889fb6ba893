package configs

import "reflect"

// walker visits fields of a config that somebody wants. Where there are none it does not go: it takes longer to say
// where a phone stands than to look at it.
type walker struct {
	root  string // key path of what it goes into
	wants func(*keyedField) bool
	visit func(at *walker, field *keyedField, in reflect.Value)
	plans map[reflect.Type]*plan
	path  []step
}

// plan is what there is to do in a struct.
type plan struct{ wanted, deeper []*keyedField }

// step is one part of a key path.
type step struct {
	name string
	of   *reflect.MapIter // its key is the name; nil: it is name
	item int              // of a list, from 1; 0: of none
}

// walk visits every field of what is at a key, and of what is in it, that has a key and is wanted, with the struct it
// is in.
func walk(key string, v reflect.Value, wants func(*keyedField) bool,
	visit func(at *walker, f *keyedField, in reflect.Value)) {
	w := &walker{root: key, wants: wants, visit: visit, plans: map[reflect.Type]*plan{}}
	w.inside(v)
}

// key is the path of the struct that is visited.
func (w *walker) key() string {
	path := w.root
	for _, s := range w.path {
		switch {
		case s.item > 0:
			path = index(path, s.item-1)
		case s.of != nil:
			path = join(path, s.of.Key().String())
		default:
			path = join(path, s.name)
		}
	}
	return path
}

func (w *walker) group(v reflect.Value) {
	p := w.plan(v.Type())
	for _, f := range p.wanted {
		w.visit(w, f, v)
	}
	for _, f := range p.deeper {
		w.at(step{name: f.key}, v.FieldByIndex(f.Index))
	}
}

// at goes into what is one step further.
func (w *walker) at(s step, v reflect.Value) {
	w.path = append(w.path, s)
	w.inside(v)
	w.path = w.path[:len(w.path)-1]
}

func (w *walker) inside(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		w.group(v)
	case reflect.Pointer:
		w.group(v.Elem())
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			w.at(step{of: all}, all.Value())
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.at(step{item: i + 1}, v.Index(i))
		}
	}
}

func (w *walker) plan(t reflect.Type) *plan {
	if p, ok := w.plans[t]; ok {
		return p
	}
	p := &plan{}
	w.plans[t] = p
	fields := keyed(t)
	for i := range fields {
		f := &fields[i]
		if w.wants(f) {
			p.wanted = append(p.wanted, f)
		}
		if in := groupIn(f.Type); in != nil {
			if below := w.plan(in); len(below.wanted)+len(below.deeper) > 0 {
				p.deeper = append(p.deeper, f)
			}
		}
	}
	return p
}

// groupIn is the struct that a field is, or that its table or list is of; nil: there is none.
func groupIn(t reflect.Type) reflect.Type {
	_, single := scalars[t]
	switch {
	case single:
	case t.Kind() == reflect.Struct:
		return t
	case (t.Kind() == reflect.Map || t.Kind() == reflect.Slice) && t.Elem().Kind() == reflect.Pointer:
		return t.Elem().Elem()
	}
	return nil
}
