package configs

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// environment is what ${NAME} finds in these tests.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"LEVEL_BAD": "geheim-env", "SET_EMPTY": "", "NUMBER": "110", "PORT": "5062"}[name]
	return v, ok
}

// options reads "# set: key=value" lines of a file as --set, and files relative to the broken configs.
func options(src []byte, lang string) Options {
	o := Options{Lang: lang, Env: environment, Read: func(path string, most int64) ([]byte, error) {
		return readPlain(filepath.Join("testdata/broken", path), most)
	}}
	for line := range strings.Lines(string(src)) {
		if arg, ok := strings.CutPrefix(line, "# set: "); ok {
			o.Set = append(o.Set, strings.TrimSuffix(arg, "\n"))
		}
	}
	return o
}

func TestBrokenConfigs(t *testing.T) {
	paths, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no broken configs", err)
	}
	for _, path := range paths {
		for _, lang := range []string{"zh", "en"} {
			t.Run(filepath.Base(path)+"/"+lang, func(t *testing.T) { golden(t, path, lang) })
		}
	}
}

func golden(t *testing.T, path, lang string) {
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(filepath.Base(path), src, options(src, lang))
	problems, ok := errors.AsType[Problems](err)
	if !ok || len(problems) == 0 {
		t.Fatalf("no problems: %v", err)
	}
	got := []byte(problems.Error() + "\n")
	if bytes.Contains(got, []byte("geheim")) {
		t.Errorf("a secret shows:\n%s", got)
	}
	file := strings.TrimSuffix(path, ".yaml") + "." + lang + ".txt"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s (rewrite with -update)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
