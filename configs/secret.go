package configs

import (
	"path/filepath"
	"reflect"
	"strings"

	"liandong/routing/desk"
)

// files reads what a config names besides itself, relative to the directory it lies in.
type files struct {
	dir  string
	read func(path string, most int64) ([]byte, error)
}

func (f files) get(path string, most int64) ([]byte, *message) {
	b, err := f.read(f.path(path), most)
	switch {
	case err != nil:
		return nil, ptr(textFileFault.of(path, cause(err), most>>10))
	case int64(len(b)) > most:
		return nil, ptr(textTooLarge.of(most))
	}
	return b, nil
}

// path is where a file lies that the config names; "" is no file.
func (f files) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.dir, name)
}

// secrets reads every *_file key of the config into the secret beside it.
func (d *decoder) secrets(c *Config, f files) {
	walk("", reflect.ValueOf(c).Elem(), func(key string, field reflect.StructField, v reflect.Value) {
		if field.Type != secretType {
			return
		}
		name, file := field.Tag.Get("yaml"), v.FieldByName(field.Name+"File")
		if !file.IsValid() || file.String() == "" {
			return
		}
		own, fileKey := v.FieldByIndex(field.Index), join(key, name+"_file")
		if !own.IsZero() {
			d.add(fileKey, textBothGiven.of(name, name+"_file"))
			return
		}
		if s, ok := d.secretFile(fileKey, file.String(), f); ok {
			own.Set(reflect.ValueOf(s))
		}
	})
}

func (d *decoder) secretFile(key, path string, f files) (desk.Secret, bool) {
	b, fault := f.get(path, maxSecret)
	if fault != nil {
		d.add(key, *fault)
		return desk.Secret{}, false
	}
	s, ok := readSecret(strings.TrimRight(string(b), "\r\n"), rule{})
	switch {
	case len(b) == 0:
		d.add(key, textFileEmpty.of(path))
	case !ok:
		d.add(key, textSecretValue.of(textSecret.of()))
	default:
		return s.(desk.Secret), true
	}
	return desk.Secret{}, false
}

// missing reports the keys that have no default and were not written.
func (d *decoder) missing(key string, v reflect.Value) {
	walk(key, v, func(key string, field reflect.StructField, v reflect.Value) {
		if field.Tag.Get("need") == "" || !v.FieldByIndex(field.Index).IsZero() {
			return
		}
		if path := join(key, field.Tag.Get("yaml")); !d.faulty(path) && !d.has(key) {
			d.add(path, textMissing.of(whatOf(field)))
		}
	})
}

// whatOf says in words what a field takes.
func whatOf(f reflect.StructField) message {
	if s, ok := scalars[f.Type]; ok {
		return s.what(ruleOf(f.Tag))
	}
	switch f.Type.Kind() {
	case reflect.Slice:
		return textItems.of(itemWhat(f.Type.Elem(), ruleOf(f.Tag)))
	case reflect.Map:
		return textTable.of()
	}
	return textGroup.of(keysOf(f.Type))
}

// walk visits every field of the config that has a key, with the struct it is in.
func walk(key string, v reflect.Value, visit func(key string, field reflect.StructField, in reflect.Value)) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for _, f := range keyed(v.Type()) {
		visit(key, f.StructField, v)
		switch _, single := scalars[f.Type]; {
		case single:
		case f.Type.Kind() == reflect.Struct:
			walk(join(key, f.key), v.FieldByIndex(f.Index), visit)
		case f.Type.Kind() == reflect.Map && f.Type.Elem().Kind() == reflect.Pointer:
			path := join(key, f.key)
			for k, inner := range v.FieldByIndex(f.Index).Seq2() {
				walk(join(path, k.String()), inner, visit)
			}
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Pointer:
			for i, inner := range v.FieldByIndex(f.Index).Seq2() {
				walk(index(join(key, f.key), int(i.Int())), inner, visit)
			}
		}
	}
}
