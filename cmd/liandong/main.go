// Command liandong is the switch: serve runs it, demo shows the whole job on loopback, check reads a config and names
// every mistake in it. tickets, categories, report and spool are for those who work with what it has written.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// langVariable is --lang by the environment.
const langVariable = "LIANDONG_LANG"

// takeLang takes --lang out of a command line, wherever it stands, and gives what it says, else what the environment
// does. What stands behind -- is nobody's flag.
func takeLang(args []string) (rest []string, lang string) {
	lang = os.Getenv(langVariable)
	for i := 0; i < len(args); i++ {
		switch v, ok := strings.CutPrefix(args[i], "--lang="); {
		case ok:
			lang = v
		case args[i] == "--":
			return append(rest, args[i:]...), lang
		case args[i] == "--lang" && i+1 < len(args):
			i++
			lang = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return rest, lang
}

// run is main without the process: it returns the exit code. Mistakes of a config are printed one per line as they are.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	args, asked := takeLang(args)
	_ = os.Setenv(langVariable, asked) // of which commands know; fails for names that are none
	lang := spoken(asked)
	if asked != "" && asked != "zh" && asked != "en" {
		fmt.Fprintf(stderr, both("", "liandong: --lang（LIANDONG_LANG）不能是 %q；可用：zh, en",
			"liandong: --lang (LIANDONG_LANG) cannot be %q; allowed: zh, en")+"\n", asked)
		return cli.Misused
	}
	own := &speech{lang}
	p := cli.Program{Name: "liandong", About: about, Commands: &commands{}, Bind: []any{spokenLang(lang), own}}
	if lang == "zh" {
		p.Words = chinese
	}
	code, err := p.Run(ctx, args, stdout, stderr)
	switch {
	case err == nil:
	case errors.As(err, new(configs.Problems)):
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintf(stderr, "liandong: %s\n", plainly(err, own.lang))
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
