package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Whatever the help says it says in both languages; the table has nothing else.
func TestHelpInChinese(t *testing.T) {
	used := map[string]bool{}
	say := func(help string) {
		if help == "" {
			return
		}
		used[help] = true
		own := chinese[help]
		if own == "" {
			t.Errorf("chinese.go has nothing for %q", help)
		}
		if strings.Contains(help, "${default}") != strings.Contains(own, "${default}") {
			t.Errorf("${default} in %q and %q", help, own)
		}
	}
	err := kong.Visit(kong.Must(&commands{}, kong.Description(about)).Model,
		func(v kong.Visitable, next kong.Next) error {
			switch v := v.(type) {
			case *kong.Application:
				say(v.Help)
			case *kong.Node:
				say(v.Help)
			case *kong.Flag:
				say(v.OrigHelp)
			case *kong.Positional:
				say(v.OrigHelp)
			}
			return next(nil)
		})
	if err != nil {
		t.Fatal(err)
	}
	for english := range chinese {
		if !used[english] {
			t.Errorf("nothing says %q any more", english)
		}
	}
}

// --lang wins over the environment, before the command as behind it.
func TestLangOfHelp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		env, args string
		zh        bool
	}{
		{"LANG=C", "--help", false}, {"LANG=zh_CN.UTF-8", "--help", true}, {"LIANDONG_LANG=zh", "serve --help", true},
		{"LANG=zh_CN.UTF-8", "--lang en serve --help", false}, {"LANG=en_US.UTF-8", "--lang=zh serve --help", true},
		{"LANG=zh_CN.UTF-8", "serve --help --lang=en", false}, {"LANG=en_US.UTF-8", "--lang zh man", true},
		{"LANG=C", "help --lang zh", true}, {"LANG=zh_CN.UTF-8", "completion zsh --lang en", false},
	} {
		out, _, code := call(t, []string{tt.env}, strings.Fields(tt.args)...)
		if zh := strings.Contains(out, "运行交换机"); zh != tt.zh || code != 0 {
			t.Errorf("%s liandong %s: exit %d\n%s", tt.env, tt.args, code, out)
		}
	}
	args := strings.Fields("--lang zh check configs/none.yaml")
	if _, errs, _ := call(t, []string{"LANG=en_US.UTF-8"}, args...); !strings.Contains(errs, "无法读取文件") {
		t.Errorf("--lang before the command: %s", errs)
	}
	for line, want := range map[string]string{
		"--lang zh check x": "check x", "help --lang=zh": "help", "check x --lang zh -c y": "check x -c y",
		"check -- --lang zh": "check -- --lang zh", "check --lang": "check --lang",
	} {
		if got, _ := takeLang(strings.Fields(line)); strings.Join(got, " ") != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}
