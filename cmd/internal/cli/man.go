package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Man is the command that prints the program's manual page, in roff with the macros of man(7).
type Man struct{}

// Run prints the page in the language of the program.
func (Man) Run(ctx *kong.Context, p Program, stdout io.Writer) error {
	_, err := io.WriteString(stdout, p.manual(ctx.Model))
	return err
}

func (p Program) manual(model *kong.Application) string {
	say := func(zh, en string) string {
		if p.Words != nil {
			return zh
		}
		return en
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	top := tree(model.Node)
	line(`.TH %s 1`, strings.ToUpper(p.Name))
	line(".SH %s\n%s \\- %s", say("名称", "NAME"), roff(p.Name), roff(strings.TrimSuffix(top.help, ".")))
	line(".SH %s\n.B %s\n.I %s", say("用法", "SYNOPSIS"), roff(p.Name), say("命令", "COMMAND"))
	line("[\\fI%s\\fR]", say("选项", "OPTION"))
	line(".SH %s", say("命令", "COMMANDS"))
	for _, c := range top.all()[1:] {
		if !c.leaf {
			continue
		}
		line(".SS %s", roff(p.Name+" "+c.name()))
		line("%s", roff(c.help))
		for _, a := range c.args {
			line(".TP\n\\fI%s\\fR\n%s", roff(a.shown), roff(a.help))
		}
		for _, f := range c.flags {
			line(".TP\n%s\n%s", f.roff(), roff(f.help))
		}
	}
	line(".SH %s", say("退出码", "EXIT STATUS"))
	line(".TP\n0\n%s", say("成功", "done"))
	line(".TP\n%d\n%s", Failed, say("做不到；全部错误已写到标准错误", "not done; all errors are on standard error"))
	line(".TP\n%d\n%s", Misused, say("命令行有误", "the command line is not understood"))
	line(".TP\n%d\n%s", Interrupted, say("提问时被中断", "interrupted at a question"))
	return b.String()
}

func (f flag) roff() string {
	text := `\fB` + roff("--"+f.long) + `\fR`
	if f.short != "" {
		text = `\fB` + roff("-"+f.short) + `\fR, ` + text
	}
	if f.value != "" {
		text += `=\fI` + roff(f.value) + `\fR`
	}
	return text
}

// roff is text that begins no request and means nothing but itself.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
