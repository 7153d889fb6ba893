package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

type serve struct {
	Config string `short:"c" placeholder:"FILE" default:"a.yaml" help:"The config (default: ${default})."`
	Lang   string `placeholder:"zh|en" enum:"zh,en," default:"" help:"Language."`
	Port   int    `help:"Port."`
	Single bool   `help:"Single."`
}

func (serve) Run() error { return nil }

type add struct {
	File string `arg:"" optional:"" help:"It's a file."`
	Note string `help:"A note: short."`
}

func (add) Run() error { return nil }

type program struct {
	Serve   serve `cmd:"" help:"Run it."`
	Tickets struct {
		Add add `cmd:"" help:"Add."`
	} `cmd:"" help:"Entries."`
	Completion Completion `cmd:"" help:"Completion."`
	Man        Man        `cmd:"" help:"Manual."`
}

var ours = map[string]string{
	"A program.": "一个程序。", "Run it.": "运行。", "The config (default: ${default}).": "配置（默认 ${default}）。",
}

func run(t *testing.T, words map[string]string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	p := Program{Name: "prog", About: "A program.", Commands: &program{}, Words: words}
	code, err := p.Run(context.Background(), args, &out, &errs)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), code
}

func TestHelpInChinese(t *testing.T) {
	stdout, _, code := run(t, ours, "serve", "--help")
	for _, want := range []string{"用法：prog serve [选项]\n", "运行。", "选项：\n", "--config=FILE", "配置（默认 a.yaml）。"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if stdout, _, _ = run(t, ours, "--help"); !strings.Contains(stdout, `各命令的说明见 "prog <命令> --help"。`) ||
		!strings.Contains(stdout, "命令：") || !strings.Contains(stdout, "一个程序。") {
		t.Error(stdout)
	}
	if stdout, _, _ = run(t, nil, "--help"); strings.ContainsFunc(stdout, func(r rune) bool { return r > 0x2000 }) {
		t.Error(stdout)
	}
}

func TestMisuseInWords(t *testing.T) {
	for _, tt := range []struct{ args, en, zh string }{
		{"srve", `unexpected argument srve, did you mean "serve"?`, `没有 srve，是否为 "serve"？`},
		{"tickets", `expected "add"`, `还需要 "add"`},
		{"serve --nothing-like-it", "unknown flag --nothing-like-it", "没有选项 --nothing-like-it"},
		{"serve -c", "--config needs a value (prog serve --help)", "--config 后面缺少值"},
		{"serve --config --lang en", "--config needs a value", "--config 后面缺少值"},
		{"serve --port x", `--port must be a whole number, not "x"`, `--port 应为整数，不能是 "x"`},
		{"serve --single=maybe", `--single must be true or false, not "maybe"`, `--single 应为 true 或 false，不能是 "maybe"`},
		{"serve --lang=fr", `--lang must be one of "zh","en","" but got "fr"`, `--lang 不能是 "fr"；可用："zh","en",""`},
	} {
		args := strings.Fields(tt.args)
		if _, stderr, code := run(t, nil, args...); code != Misused || !strings.HasPrefix(stderr, "prog: "+tt.en) {
			t.Errorf("%s: exit %d %s", tt.args, code, stderr)
		}
		if _, stderr, code := run(t, ours, args...); code != Misused || !strings.HasPrefix(stderr, "prog: "+tt.zh) {
			t.Errorf("%s: exit %d %s", tt.args, code, stderr)
		}
	}
}

// The scripts are what their shells take, and bash offers what is possible at each place.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lab.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bash", "zsh", "fish"} {
		t.Run(name, func(t *testing.T) {
			shell, err := exec.LookPath(name)
			if err != nil && os.Getenv("LIANDONG_PEERS") == "required" {
				t.Fatal(err)
			} else if err != nil {
				t.Skip(name + " is not installed")
			}
			script, _, _ := run(t, nil, "completion", name)
			file := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(shell, "-n", file).CombinedOutput(); err != nil {
				t.Fatalf("%v %s\n%s", err, out, script)
			}
			for _, tt := range offers {
				if got := offered(t, shell, file, dir, tt.line); name != "zsh" && got != tt.want {
					t.Errorf("%s: %q, want %q", tt.line, got, tt.want)
				}
			}
		})
	}
}

// offers are what stands after the last word's beginning.
var offers = []struct{ line, want string }{
	{"prog s", "serve"},
	{"prog tickets a", "add"},
	{"prog tickets add --n", "--note"},
	{"prog serve --lang z", "zh"},
	{"prog serve -c l", "lab.yaml"},
	{"prog completion f", "fish"},
	{"prog tickets add l", "lab.yaml"},
}

// offered is what bash or fish offers at the end of a line.
func offered(t *testing.T, shell, script, dir, line string) string {
	t.Helper()
	var cmd *exec.Cmd
	switch filepath.Base(shell) {
	case "bash":
		words := strings.Fields(line)
		cmd = exec.Command(shell, "--norc", "-c",
			`. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _prog; echo "${COMPREPLY[@]}"`)
		cmd.Args = append(append(cmd.Args, script), words...)
	case "fish":
		cmd = exec.Command(shell, "--no-config", "-c", `source $argv[1]; complete -C $argv[2] | string split -f1 \t; true`,
			script, line)
	default:
		return ""
	}
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestManual(t *testing.T) {
	for _, words := range []map[string]string{nil, ours} {
		page, _, _ := run(t, words, "man")
		for _, want := range []string{".TH PROG 1\n", ".SS prog tickets add\n",
			`\fB\-c\fR, \fB\-\-config\fR=\fIFILE\fR`} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q in\n%s", want, page)
			}
		}
	}
	if page, _, _ := run(t, ours, "man"); !strings.Contains(page, ".SH 用法") ||
		!strings.Contains(page, "配置（默认 a.yaml）。") {
		t.Error(page)
	}
}
