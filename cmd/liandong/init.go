package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"liandong/cmd/internal/cli"
	"liandong/configs"
)

type initial struct {
	File string `arg:"" optional:"" default:"liandong.yaml" help:"The file to write (default: ${default}). It must not exist."`
	speaking
}

// question is one thing that a first config needs to know.
type question struct {
	zh, en, fallback string
	fits             func(answer string, before []string) bool
}

var questions = []question{
	{"本机在语音网络中的 IP 地址", "IP address of this machine on the voice network", "127.0.0.1", isAddress},
	{"PBX 或运营商中继的 IP 地址", "IP address of the PBX or trunk that sends the calls", "127.0.0.10", isNeighbour},
	{"每条热线几部话机（1 到 50）", "phones of each hotline (1 to 50)", "2", isCount},
	{"Redis 地址", "URL of Redis", "redis://127.0.0.1:6379/0",
		func(s string, _ []string) bool {
			return strings.HasPrefix(s, "redis://") || strings.HasPrefix(s, "rediss://")
		}},
}

func isAddress(s string, _ []string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Zone() == "" && !a.IsUnspecified()
}

// isNeighbour is another address than our own, of the same family.
func isNeighbour(s string, before []string) bool {
	own := netip.MustParseAddr(before[0])
	a, err := netip.ParseAddr(s)
	return err == nil && isAddress(s, nil) && a != own && a.Is4() == own.Is4()
}

func isCount(s string, _ []string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 50
}

// Run asks four questions and writes a config that check passes. Passwords are made up.
func (i initial) Run(ctx context.Context, stdout io.Writer, lang spokenLang) error {
	if _, err := os.Lstat(i.File); err == nil {
		return i.isThere(lang)
	}
	answers, err := answered(ctx, func() ([]string, error) { return ask(os.Stdin, stdout, string(lang)) })
	if err != nil {
		return err
	}
	text, err := firstConfig(string(lang), answers)
	if err != nil {
		return err
	}
	if _, err := configs.Parse(i.File, []byte(text), configs.Options{}); err != nil {
		return err
	}
	file, err := os.OpenFile(i.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, readers(filepath.Dir(i.File)))
	if errors.Is(err, os.ErrExist) {
		return i.isThere(lang)
	}
	if err == nil {
		_, err = file.WriteString(text)
		err = cmp.Or(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	_, err = fmt.Fprintf(stdout,
		both(string(lang), "已写入 %[1]s。接下来：\n  liandong check %[1]s\n  liandong serve -c %[1]s\n",
			"%[1]s is written. Next:\n  liandong check %[1]s\n  liandong serve -c %[1]s\n"), i.File)
	return err
}

func (i initial) isThere(lang spokenLang) error {
	return fmt.Errorf(both(string(lang), "init: %[1]s 已存在，不会覆盖",
		"init: %[1]s is there already, and is not overwritten"), i.File)
}

// readers are who may read a file in a directory: its owner, and the group that a directory gives to what is in it
// (set-group-ID), such as the service's in /etc/liandong.
func readers(dir string) os.FileMode {
	if info, err := os.Stat(dir); err == nil && info.Mode()&os.ModeSetgid != 0 {
		return 0o640
	}
	return 0o600
}

// answered waits for what somebody types, until ctx ends by Ctrl-C. Nothing ends a read from a terminal but the end of
// the process, which is near then.
func answered[T any](ctx context.Context, ask func() (T, error)) (answer T, err error) {
	type result struct {
		answer T
		err    error
	}
	done := make(chan result, 1)
	go func() {
		answer, err := ask()
		done <- result{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, cli.Exit(cli.Interrupted)
	}
}

// ask puts the questions until each answer fits. An empty one is the fallback.
func ask(in io.Reader, out io.Writer, lang string) (answers []string, err error) {
	lines := bufio.NewScanner(in)
	for _, q := range questions {
		for {
			fmt.Fprintf(out, "%s [%s]: ", both(lang, q.zh, q.en), q.fallback)
			if !lines.Scan() {
				return nil, errors.New(both(lang, "init: 没有回答", "init: no answer"))
			}
			answer := cmp.Or(strings.TrimSpace(lines.Text()), q.fallback)
			if q.fits(answer, answers) {
				answers = append(answers, answer)
				break
			}
			fmt.Fprintln(out, both(lang, "不合规，请重新输入", "that will not do, once more"))
		}
	}
	return answers, nil
}

var firstText = template.Must(template.New("").Parse(`# {{.Head}}
lang: {{.Lang}}
networks:
  office:
    sip: {udp: "{{.Own}}:5060", tcp: "{{.Own}}:5060"}
    rtp: {address: "{{.OwnAddr}}", ports: 20000-29999}
{{- if not .Loopback}}
    http: "{{.Own}}:8080" # {{.Keys}}
{{- end}}
trunks:
  pbx: {match: ["{{.PBXAddr}}"], target: "{{.PBX}}:5060", trusted: true}
hotlines:
  110: {name: {{.Police}}, numbers: [110], partner: 12345, reveal_restricted: true}
  12345: {name: {{.Gov}}, numbers: [12345], partner: 110, prompts: {handover: keep_waiting}}
realm: liandong
phones:
{{- range .Phones}}
  {{.User}}: {hotline: {{.Hotline}}, password: {{.Password}}}
{{- end}}
redis: {url: "{{.Redis}}"}
outbox: {path: data/outbox.db}
http: {listen: 127.0.0.1:8080, allow: [127.0.0.1]}
`))

type firstPhone struct{ User, Hotline, Password string }

func firstConfig(lang string, answers []string) (string, error) {
	own, pbx := netip.MustParseAddr(answers[0]), netip.MustParseAddr(answers[1])
	host := func(a netip.Addr) string {
		if a.Is6() {
			return "[" + a.String() + "]"
		}
		return a.String()
	}
	n, _ := strconv.Atoi(answers[2]) // isCount has read it
	var phones []firstPhone
	for _, line := range []struct{ hotline, first string }{{"110", "11"}, {"12345", "21"}} {
		for i := range n {
			phones = append(phones, firstPhone{fmt.Sprintf("%s%02d", line.first, i+1), line.hotline,
				strings.ToLower(rand.Text()[:16])})
		}
	}
	lang = cmp.Or(lang, "zh") // as a config that says nothing
	var b strings.Builder
	err := firstText.Execute(&b, map[string]any{
		"Head": say(lang, "由 liandong init 写成；所有的键见 configs/liandong.yaml",
			"Written by liandong init; configs/liandong.yaml has all keys"),
		"Loopback": own.IsLoopback(), // where the switch's own HTTP is
		"Keys":     say(lang, "供话机以 action URL 按键", "the keys of phones that call a URL"),
		"Lang":     lang, "Own": host(own), "PBX": host(pbx), "OwnAddr": own.String(),
		"PBXAddr": pbx.String(), "Redis": answers[3], "Phones": phones,
		"Police": say(lang, "公安报警", "Police"), "Gov": say(lang, "政务服务便民热线", "Government"),
	})
	return b.String(), err
}
