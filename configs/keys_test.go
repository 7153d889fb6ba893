package configs

import (
	"os"
	"reflect"
	"regexp"
	"testing"
)

// schema calls each with every key that a config may have, and with the key that it stands in.
func schema(t reflect.Type, path string, each func(path, key string)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		if _, single := scalars[t]; single {
			return
		}
		if t.Kind() == reflect.Map {
			path = join(path, "*")
		}
		t = t.Elem()
	}
	if _, single := scalars[t]; single || t.Kind() != reflect.Struct {
		return
	}
	for _, f := range keyed(t) {
		each(path, f.key)
		schema(f.Type, join(path, f.key), each)
	}
}

// Every key stands in the example, which is what the pages refer to.
func TestEveryKeyIsInTheExample(t *testing.T) {
	text, err := os.ReadFile("liandong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	schema(reflect.TypeFor[Config](), "", func(path, key string) {
		n++
		if !regexp.MustCompile(`(^|[^\w])` + regexp.QuoteMeta(key) + `([^\w]|$)`).Match(text) {
			t.Errorf("%s is not in liandong.yaml", join(path, key))
		}
	})
	if n < 200 {
		t.Errorf("%d keys", n)
	}
}
