package cli

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// translate puts the program's own words for what commands, flags and arguments are in the place of the English ones.
func (p Program) translate(model *kong.Application) {
	if p.Words == nil {
		return
	}
	said := func(help string) string {
		if own, ok := p.Words[help]; ok {
			return own
		}
		return help
	}
	_ = kong.Visit(model, func(v kong.Visitable, next kong.Next) error { // fails when this function does
		switch v := v.(type) {
		case *kong.Application:
			v.Help = said(v.Help)
		case *kong.Node:
			v.Help = said(v.Help)
		case *kong.Flag:
			p.translateValue(v.Value)
		case *kong.Positional:
			p.translateValue(v)
		}
		return next(nil)
	})
}

func (p Program) translateValue(v *kong.Value) {
	if own, ok := p.Words[v.OrigHelp]; ok {
		v.Help = strings.ReplaceAll(own, "${default}", v.Default)
	}
}

// plainer are errors of kong that speak of its own insides, and what they are here.
var plainer = []struct {
	kongs *regexp.Regexp
	ours  string
}{
	{regexp.MustCompile(`^(\S+): expected a valid \d+ bit int but got (.*)$`), "$1 must be a whole number, not $2"},
	{regexp.MustCompile(`^(\S+): expected \S+ value but got .*$`), "$1 needs a value"},
	{regexp.MustCompile(`^(\S+): bool value must be .* but got (.*)$`), "$1 must be true or false, not $2"},
}

// frame are kong's words round the help, and those of its errors that people meet.
var frame = []struct {
	english *regexp.Regexp
	chinese string
}{
	{regexp.MustCompile(`(?m)^Usage: `), "用法："},
	{regexp.MustCompile(`(?m)^Arguments:$`), "参数："},
	{regexp.MustCompile(`(?m)^Flags:$`), "选项："},
	{regexp.MustCompile(`(?m)^Commands:$`), "命令："},
	{regexp.MustCompile(`(?m)^Run "([^"]*) <command> --help" for more information on a command\.$`),
		`各命令的说明见 "$1 <命令> --help"。`},
	{regexp.MustCompile(`<command>`), "<命令>"},
	{regexp.MustCompile(`\[flags\]`), "[选项]"},
	{regexp.MustCompile(`^unexpected argument (\S+), did you mean one of (.*)\?$`), "没有 $1，是否为 $2 之一？"},
	{regexp.MustCompile(`^unexpected argument (\S+), did you mean (.*)\?$`), "没有 $1，是否为 $2？"},
	{regexp.MustCompile(`^unexpected argument (.*)$`), "没有 $1"},
	{regexp.MustCompile(`^unknown flag (\S+), did you mean one of (.*)\?$`), "没有选项 $1，是否为 $2 之一？"},
	{regexp.MustCompile(`^unknown flag (\S+), did you mean (.*)\?$`), "没有选项 $1，是否为 $2？"},
	{regexp.MustCompile(`^unknown flag (.*)$`), "没有选项 $1"},
	{regexp.MustCompile(`^(\S+) must be a whole number, not (.*)$`), "$1 应为整数，不能是 $2"},
	{regexp.MustCompile(`^(\S+) needs a value$`), "$1 后面缺少值"},
	{regexp.MustCompile(`^(\S+) must be true or false, not (.*)$`), "$1 应为 true 或 false，不能是 $2"},
	{regexp.MustCompile(`^expected one of (.*)$`), "还需要其中之一：$1"},
	{regexp.MustCompile(`^expected (.*)$`), "还需要 $1"},
	{regexp.MustCompile(`^missing flags: (.*)$`), "缺少选项 $1"},
	{regexp.MustCompile(`^(\S+) must be one of (\S*) but got (.*)$`), "$1 不能是 $3；可用：$2"},
}

// inWords is a text of kong in the language of the program.
func (p Program) inWords(text string) string {
	if p.Words == nil {
		return text
	}
	for _, f := range frame {
		if said := f.english.ReplaceAllString(text, f.chinese); said != text {
			text = said
			if !strings.Contains(text, "\n") { // one sentence
				break
			}
		}
	}
	return text
}

// mistake is an error of kong's parser in the language of the program.
func (p Program) mistake(text string) string {
	for _, one := range plainer {
		text = one.kongs.ReplaceAllString(text, one.ours)
	}
	return p.inWords(text)
}

// help prints as kong does, in the language of the program.
func (p Program) help(o kong.HelpOptions, ctx *kong.Context) error {
	out := ctx.Stdout
	var text bytes.Buffer
	ctx.Stdout = &text
	err := kong.DefaultHelpPrinter(o, ctx)
	ctx.Stdout = out
	if err == nil {
		_, err = io.WriteString(out, p.inWords(text.String()))
	}
	return err
}
