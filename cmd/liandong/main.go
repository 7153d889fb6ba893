// Command liandong is the switch: serve runs it, demo shows the whole job on loopback, check reads a config and names
// every mistake in it. tickets, categories, report and spool are for those who work with what it has written.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"liandong/cmd/internal/cli"
	"liandong/configs"
)

const about = "110 and 12345 hand calls to each other."

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// askedLang is the value of --lang, which commands that read no config have as well.
func askedLang(args []string) string {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--lang="); ok {
			return v
		}
		if a == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return os.Getenv(langVariable)
}

// langVariable is --lang by the environment.
const langVariable = "LIANDONG_LANG"

// withoutLang takes --lang off the front of a command line, where each command has it behind its own name.
func withoutLang(args []string) []string {
	switch {
	case len(args) > 0 && strings.HasPrefix(args[0], "--lang="):
		return args[1:]
	case len(args) > 1 && args[0] == "--lang":
		return args[2:]
	}
	return args
}

// run is main without the process: it returns the exit code. Mistakes of a config are printed one per line as they are.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	asked := askedLang(args)
	if rest := withoutLang(args); len(rest) < len(args) {
		args = rest
		_ = os.Setenv(langVariable, asked) // fails for names that are none
	}
	lang := spoken(asked)
	if asked != "" && asked != "zh" && asked != "en" {
		fmt.Fprintf(stderr, both("", "liandong: --lang（LIANDONG_LANG）不能是 %q；可用：zh, en",
			"liandong: --lang (LIANDONG_LANG) cannot be %q; allowed: zh, en")+"\n", asked)
		return cli.Misused
	}
	p := cli.Program{Name: "liandong", About: about, Commands: &commands{}, Bind: []any{spokenLang(lang)}}
	if lang == "zh" {
		p.Words = chinese
	}
	code, err := p.Run(ctx, args, stdout, stderr)
	switch {
	case err == nil:
	case errors.As(err, new(configs.Problems)):
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintf(stderr, "liandong: %s\n", plainly(err, lang))
	}
	return code
}

// both is a sentence in a language, and in both where none is known.
func both(lang, zh, en string) string {
	if lang == "" {
		return zh + " / " + en
	}
	return say(lang, zh, en)
}

// plainly says what people are to look at when nothing answers where the config says that Redis or the switch is; all
// else is said as it is.
func plainly(err error, lang string) string {
	dial, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || dial.Op != "dial" || dial.Addr == nil:
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf(both(lang, "连不上 %[1]v：那里没有程序在监听。是否已启动？配置中的地址是否正确？",
			"nothing listens at %[1]v: has it been started, and is it the address that the config says?"), dial.Addr)
	}
	return fmt.Sprintf(both(lang, "连不上 %[1]v：%[2]v", "%[1]v cannot be reached: %[2]v"), dial.Addr, dial.Err)
}
