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
	walk("", reflect.ValueOf(c).Elem(), isSecret, func(at *walker, field *keyedField, v reflect.Value) {
		file := fileOf(field, v)
		if file == "" {
			return
		}
		own, fileKey := v.FieldByIndex(field.Index), join(at.key(), field.key+"_file")
		if !own.IsZero() {
			d.add(fileKey, textBothGiven.of(field.key, field.key+"_file"))
			return
		}
		if s, ok := d.secretFile(fileKey, file, f); ok {
			own.Set(reflect.ValueOf(s))
		}
	})
}

func isSecret(f *keyedField) bool { return f.Type == secretType }

// fileOf is the file that a secret of a group is to be read from; "": there is none.
func fileOf(secret *keyedField, group reflect.Value) string {
	if secret.file == nil {
		return ""
	}
	return group.FieldByIndex(secret.file).String()
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
	needed := func(f *keyedField) bool { return f.Tag.Get("need") != "" }
	walk(key, v, needed, func(at *walker, field *keyedField, v reflect.Value) {
		if !v.FieldByIndex(field.Index).IsZero() {
			return
		}
		key := at.key()
		if path := join(key, field.key); !d.faulty(path) && !d.has(key) {
			d.add(path, textMissing.of(whatOf(field.StructField)))
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
