package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"liandong/configs"
)

// binary is the built command; TestMain makes it once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "liandong")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "liandong")
	build := exec.Command("go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		os.Stderr.Write(out)
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// call runs the binary in the root of the module, with nothing in its environment but what is given.
func call(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errs.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

func TestCheck(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("lang: en\nnode: A B\nhotlnes: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		env            []string
		args           []string
		code           int
		stdout, stderr string // each line of these, in this order, begins so
	}{
		{"lab", nil, []string{"configs/lab.yaml"}, 0,
			"configs/lab.yaml: no mistakes: networks lab; trunks pstn; hotlines 110, 12345; 4 phones; 9 keys",
			"warning: prompts.files: "},
		{"production", secrets(), []string{"configs/liandong.yaml"}, 0, "configs/liandong.yaml: 没有错误",
			"警告：prompts.files："},
		{"placeholder", secrets("LIANDONG_HTTP_TOKEN=change-me"), []string{"configs/liandong.yaml"}, 1, "",
			"configs/liandong.yaml:"},
		{"broken", nil, []string{broken}, 1, "",
			broken + ":1:1: hotlines: at least one\n" + broken + ":1:1: networks: at least one\n" +
				broken + `:2:7: node: "A B" will not do; allowed: ` + "\n" + broken +
				`:3:1: hotlnes: no such key, did you mean "hotlines"?`},
		{"missing, in Chinese", []string{"LANG=zh_CN.UTF-8"}, []string{"none.yaml"}, 1, "", "none.yaml:1:1: 无法读取文件"},
		{"missing, in English", []string{"LANG=en_GB.UTF-8"}, []string{"none.yaml"}, 1, "",
			"none.yaml:1:1: the file cannot be read"},
		{"missing, in an unknown language", nil, []string{"none.yaml"}, 1, "",
			"none.yaml:1:1: 无法读取文件：文件不存在 / the file cannot be read: there is no such file"},
		{"a flag before the file's own language", nil, []string{"--lang=zh", "configs/lab.yaml"}, 0,
			"configs/lab.yaml: 没有错误", "警告：prompts.files："},
		{"missing, by flag", []string{"LANG=en_GB.UTF-8"}, []string{"--lang=zh", "none.yaml"}, 1, "",
			"none.yaml:1:1: 无法读取文件"},
		{"set", nil, []string{"configs/lab.yaml", "--set", "lang=zh", "--set=hotlines.110.numbers=110,911"}, 0,
			"configs/lab.yaml: 没有错误", "警告：prompts.files："},
		{"set wrong", nil, []string{"configs/lab.yaml", "--set", "timers.settle=soon", "--set",
			"http.allow=0.0.0.0/0,::1"}, 1, "",
			"--set http.allow: http.allow[0]: 0.0.0.0/0 lets everybody in\n" +
				`--set timers.settle: timers.settle: "soon" will not do; allowed: a time from`},
		{"environment", secrets("LIANDONG_REDIS_URL=http://geheim"), []string{"configs/liandong.yaml"}, 1, "",
			"configs/liandong.yaml:"},
		{"no file", nil, nil, 2, "", "liandong: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stdout, stderr, code := call(t, tt.env, append([]string{"check"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit %d, want %d\n%s%s", code, tt.code, stdout, stderr)
			}
			begins(t, "stdout", stdout, tt.stdout)
			if tt.name != "no file" { // usage comes with it
				begins(t, "stderr", stderr, tt.stderr)
			}
		})
	}
}

// secrets is an environment with those that the production example asks for, and what else is given.
func secrets(more ...string) (env []string) {
	for _, name := range []string{"OPERATOR_PASSWORD", "PHONE_1101", "PHONE_1102", "PHONE_2101", "PHONE_2102",
		"PHONE_2190", "HTTP_TOKEN"} {
		env = append(env, "LIANDONG_"+name+"=of "+name)
	}
	return append(env, more...)
}

func begins(t *testing.T, where, got, want string) {
	t.Helper()
	lines, heads := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(want, "\n")
	if len(lines) != len(heads) {
		t.Fatalf("%s: %d lines, want %d:\n%s", where, len(lines), len(heads), got)
	}
	for i, head := range heads {
		if !strings.HasPrefix(lines[i], head) {
			t.Errorf("%s: %q, want it to begin %q", where, lines[i], head)
		}
	}
}

// Serve does not start with the secrets of an example.
func TestServeRefusesPlaceholders(t *testing.T) {
	_, stderr, code := call(t, nil, "serve", "-c", "configs/lab.yaml", "--set", "phones.1101.password=change-me")
	if code != 1 || !strings.HasPrefix(stderr, "--set phones.1101.password: phones.1101.password: is the placeholder") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// Serve and tickets say the same of a broken config as check.
func TestOthersRefuseABrokenConfig(t *testing.T) {
	for _, args := range [][]string{{"serve", "-c", "none.yaml"}, {"tickets", "--config", "none.yaml"},
		{"tickets", "add", "x", "-c", "none.yaml"}, {"categories", "find", "x", "-c", "none.yaml"}} {
		stdout, stderr, code := call(t, []string{"LANG=en"}, args...)
		if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "none.yaml:1:1: ") {
			t.Errorf("%v: exit %d: %s%s", args, code, stdout, stderr)
		}
	}
}

// The lists are looked up where they lie beside the config.
func TestCategoriesFind(t *testing.T) {
	stdout, stderr, code := call(t, secrets(), "categories", "find", "-c", "configs/liandong.yaml", "噪音", "工地")
	if code != 0 || !strings.HasPrefix(stdout, "19\t建筑施工噪声\t12345\t-\t施工噪声由") || strings.Count(stdout, "\n") != 2 {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	stdout, _, code = call(t, secrets(), "categories", "find", "-c", "configs/liandong.yaml", "--json", "走丢")
	if code != 0 || !strings.HasPrefix(stdout,
		`[{"code":"05","name":"人员走失","owner":"110","modes":["direct","three_way"],"urgency":"urgent"`) {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

func TestVersion(t *testing.T) {
	stdout, _, code := call(t, nil, "version")
	if code != 0 || !strings.HasPrefix(stdout, "liandong ") || !strings.Contains(stdout, " go1.") ||
		strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit %d: %q", code, stdout)
	}
}

func TestDescribe(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
	}}
	if got := describe(info); got != "liandong v1.2.3 0123456789ab modified 2026-01-02T03:04:05Z go1.26" {
		t.Error(got)
	}
	if got := describe(&debug.BuildInfo{}); got != "liandong no-revision" {
		t.Error(got)
	}
}

func TestHelp(t *testing.T) {
	stdout, _, code := call(t, nil, "--help")
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	for _, command := range []string{"serve", "check", "tickets", "categories", "demo", "version"} {
		if !strings.Contains(stdout, "\n  "+command) {
			t.Errorf("help does not name %s:\n%s", command, stdout)
		}
	}
}

func TestSpoken(t *testing.T) {
	for _, tt := range []struct{ flag, all, lang, want string }{
		{"", "", "", ""}, {"en", "zh_CN.UTF-8", "", "en"}, {"", "zh_CN.UTF-8", "en_US", "zh"},
		{"", "", "en_US.UTF-8", "en"}, {"", "C", "zh_CN", ""},
	} {
		t.Setenv("LC_ALL", tt.all)
		t.Setenv("LC_MESSAGES", "")
		t.Setenv("LANG", tt.lang)
		if got := spoken(tt.flag); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

func TestLogger(t *testing.T) {
	var b bytes.Buffer
	log := logger(configs.Log{Level: "warn", Format: "json"}, &b)
	log.Info("no")
	log.Warn("yes")
	if !log.Enabled(context.Background(), slog.LevelWarn) || strings.Contains(b.String(), `"no"`) ||
		!strings.Contains(b.String(), `"msg":"yes"`) {
		t.Error(b.String())
	}
}

// What is not there is said in words, in both languages, and ends a command with 1; a command line that is not
// understood with 2.
func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	lab := []string{"-c", "configs/lab.yaml", "--set", "redis.url=redis://127.0.0.1:1/0", "--set",
		"http.listen=127.0.0.1:2"}
	for _, c := range []struct {
		args   []string
		code   int
		zh, en string
	}{
		{append([]string{"status"}, lab...), 1, "127.0.0.1:2：那里没有程序在监听", "nothing listens at 127.0.0.1:2"},
		{append([]string{"tickets"}, lab...), 1, "127.0.0.1:1：那里没有程序在监听", "nothing listens at 127.0.0.1:1"},
		{append([]string{"dead", "retry", "x"}, lab...), 1, "127.0.0.1:1：那里没有程序在监听",
			"nothing listens at 127.0.0.1:1"},
		{append([]string{"spool", "send"}, lab...), 1, "配置中没有带 spool 的热线", "has spool"},
		{append([]string{"switchover"}, lab...), 1, "没有 cluster", "no cluster"},
		{append([]string{"upgrade", "--set", "run_dir=none"}, lab...), 1, "交换机没有运行", "no switch answers"},
		{append([]string{"trace", "x", "--rtp"}, lab...), 2, "请同时给出 --pcap", "give --pcap"},
		{append([]string{"tickets", "--network", "x"}, lab...), 2, `网络 "x" 中没有热线`, `in network "x"`},
		{append([]string{"report", "--day", "x"}, lab...), 2, "应如 2024-04-03", "must be like"},
		{append([]string{"report", "--hour", "25"}, lab...), 2, "应为 0 到 23", "must be 0 to 23"},
		{append([]string{"report", "--hotline", "9"}, lab...), 2, "可用：110, 12345", "allowed: 110, 12345"},
		{append([]string{"serve", "--single", "--set", "run_dir=configs/lab.yaml"}, lab...), 1, "run_dir: mkdir configs/lab.yaml: 不是目录",
			"not a directory"},
		{append([]string{"serve", "--single", "--set", "networks.lab.rtp.address=10.255.255.1", "--set",
			"run_dir=" + t.TempDir()}, lab...), 1, "打不开 RTP 端口 10.255.255.1, 应为本机的地址", "no RTP port on 10.255.255.1"},
		{[]string{"report", "-c"}, 2, "--config 后面缺少值 (liandong report --help)", "--config needs a value"},
		{[]string{"passwd"}, 1, "没有输入密码", "no password was given"},
		{[]string{"check"}, 2, "哪个文件", "which file"},
		{[]string{"bogus"}, 2, "没有 bogus", "bogus"},
	} {
		for lang, want := range map[string]string{"zh": c.zh, "en": c.en} {
			_, said, code := call(t, []string{"LIANDONG_LANG=" + lang}, c.args...)
			if code != c.code || !strings.Contains(said, want) {
				t.Errorf("%v: %d, want %d: %s", c.args, code, c.code, said)
			}
		}
	}
	// with no language asked for it is the config's
	args := []string{"serve", "--single", "-c", "configs/lab.yaml", "--set", "run_dir=configs/lab.yaml", "--set", "lang=zh"}
	if _, said, _ := call(t, nil, args...); !strings.Contains(said, "不是目录") {
		t.Error(said)
	}
	if _, said, code := call(t, nil, "--lang", "fr", "version"); code != 2 || !strings.Contains(said, "zh, en") {
		t.Errorf("%d %s", code, said)
	}
	if out, said, code := call(t, nil, "version", "--lang", "zh"); code != 0 {
		t.Errorf("%d %s%s", code, out, said)
	}
}

// Each process of a switch starts, and so does each command: no package prepares what it may never need.
func TestStartIsLight(t *testing.T) {
	t.Parallel()
	const most = 4 << 20
	_, trace, _ := call(t, []string{"GODEBUG=inittrace=1"}, "version")
	inits := regexp.MustCompile(`(?m)^init (\S+) .* (\d+) bytes`).FindAllStringSubmatch(trace, -1)
	if len(inits) == 0 {
		t.Fatal("no trace:\n" + trace)
	}
	for _, init := range inits {
		if n, err := strconv.Atoi(init[2]); err != nil || n > most {
			t.Errorf("the start of package %s allocates %s bytes: more than %d", init[1], init[2], most)
		}
	}
}
