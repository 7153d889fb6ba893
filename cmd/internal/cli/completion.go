package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Completion is the command that prints a shell's completion of the program's commands, flags and files.
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell."`
}

// Run prints the script, its descriptions in the language of the program.
func (c Completion) Run(ctx *kong.Context, p Program, stdout io.Writer) error {
	top := tree(ctx.Model.Node)
	script := map[string]func(string, branch) string{"bash": bash, "zsh": zsh, "fish": fish}[c.Shell]
	_, err := io.WriteString(stdout, script(p.Name, top))
	return err
}

// words are what may follow a command: the next words of it, its flags, what an argument may be.
func (b branch) words() (words []string) {
	for _, c := range b.children {
		words = append(words, c.last())
	}
	for _, a := range b.args {
		words = append(words, a.allowed...)
	}
	for _, f := range b.flags {
		words = append(words, "--"+f.long)
	}
	return words
}

// names are the ways to write a flag, below a command.
func (f flag) names(b branch) (names []string) {
	names = append(names, shell(b.name()+":--"+f.long))
	if f.short != "" {
		names = append(names, shell(b.name()+":-"+f.short))
	}
	return names
}

// shell is a word in single quotes.
func shell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// walk is the loop, the same in bash and zsh, that finds the command that is being written, and where it is not done.
func walk(top branch) string {
	var paths []string
	for _, c := range top.all()[1:] {
		paths = append(paths, shell(c.name()))
	}
	return `case "${at:+$at }$w" in (` + strings.Join(paths, "|") + `) at="${at:+$at }$w";; esac`
}

func bash(name string, top branch) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# bash completion of %s\n_%s() {\n", name, name)
	b.WriteString("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= w\n")
	fmt.Fprintf(&b, "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do %s; done\n", walk(top))
	b.WriteString("\tcase \"$at:$prev\" in\n")
	for _, c := range top.all() {
		for _, f := range c.flags {
			if how := bashValue(f); how != "" {
				fmt.Fprintf(&b, "\t(%s) %s return;;\n", strings.Join(f.names(c), "|"), how)
			}
		}
	}
	b.WriteString("\tesac\n\tcase \"$at\" in\n")
	for _, c := range top.all() {
		fmt.Fprintf(&b, "\t(%s) COMPREPLY=($(compgen -W %s -- \"$cur\"))", shell(c.name()),
			shell(strings.Join(c.words(), " ")))
		if slices.ContainsFunc(c.args, func(a argument) bool { return a.file }) {
			b.WriteString("; COMPREPLY+=($(compgen -f -- \"$cur\"))")
		}
		b.WriteString(";;\n")
	}
	fmt.Fprintf(&b, "\tesac\n}\ncomplete -o filenames -F _%s %s\n", name, name)
	return b.String()
}

// bashValue is how a flag's value is completed; "" for a flag that has none.
func bashValue(f flag) string {
	switch {
	case f.value == "":
		return ""
	case len(f.allowed) > 0:
		return `COMPREPLY=($(compgen -W ` + shell(strings.Join(f.allowed, " ")) + ` -- "$cur"));`
	case isFile(f.value):
		return `COMPREPLY=($(compgen -f -- "$cur"));`
	}
	return ""
}

func zsh(name string, top branch) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n_%s() {\n\tlocal at= w prev=${words[CURRENT-1]}\n\tlocal -a list\n", name, name)
	fmt.Fprintf(&b, "\tfor w in \"${(@)words[2,CURRENT-1]}\"; do %s; done\n", walk(top))
	b.WriteString("\tcase \"$at:$prev\" in\n")
	for _, c := range top.all() {
		for _, f := range c.flags {
			switch {
			case f.value == "":
			case len(f.allowed) > 0:
				fmt.Fprintf(&b, "\t(%s) compadd -- %s; return;;\n", strings.Join(f.names(c), "|"),
					strings.Join(f.allowed, " "))
			case isFile(f.value):
				fmt.Fprintf(&b, "\t(%s) _files; return;;\n", strings.Join(f.names(c), "|"))
			}
		}
	}
	b.WriteString("\tesac\n\tcase \"$at\" in\n")
	for _, c := range top.all() {
		fmt.Fprintf(&b, "\t(%s)\n\t\tlist=(%s)\n\t\t_describe -- %s list\n", shell(c.name()), described(c), name)
		if slices.ContainsFunc(c.args, func(a argument) bool { return a.file }) {
			b.WriteString("\t\t_files\n")
		}
		b.WriteString("\t\t;;\n")
	}
	fmt.Fprintf(&b, "\tesac\n}\n_%s \"$@\"\n", name)
	return b.String()
}

// described are the words of a command as zsh's _describe takes them, word:what it is.
func described(c branch) string {
	var list []string
	add := func(word, help string) {
		list = append(list, shell(strings.ReplaceAll(word, ":", `\:`)+":"+strings.ReplaceAll(help, "\n", " ")))
	}
	for _, child := range c.children {
		add(child.last(), child.help)
	}
	for _, a := range c.args {
		for _, word := range a.allowed {
			add(word, a.help)
		}
	}
	for _, f := range c.flags {
		add("--"+f.long, f.help)
	}
	return strings.Join(list, " ")
}

func fish(name string, top branch) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion of %s\ncomplete -c %s -f\n", name, name)
	for _, c := range top.all() {
		var when []string // the words of its path are there, and none that leads further
		for _, word := range c.path {
			when = append(when, "__fish_seen_subcommand_from "+word)
		}
		var further []string
		for _, child := range c.children {
			further = append(further, child.last())
		}
		if len(further) > 0 {
			when = append(when, "not __fish_seen_subcommand_from "+strings.Join(further, " "))
		}
		on := fmt.Sprintf("complete -c %s -n %s", name, shell(strings.Join(when, "; and ")))
		for _, child := range c.children {
			fmt.Fprintf(&b, "%s -a %s -d %s\n", on, child.last(), shell(child.help))
		}
		for _, a := range c.args {
			for _, word := range a.allowed {
				fmt.Fprintf(&b, "%s -a %s\n", on, word)
			}
			if a.file {
				fmt.Fprintf(&b, "%s -F\n", on)
			}
		}
		for _, f := range c.flags {
			fmt.Fprintln(&b, on+f.fish())
		}
	}
	return b.String()
}

func (f flag) fish() string {
	text := " -l " + f.long
	if f.short != "" {
		text += " -s " + f.short
	}
	switch {
	case f.value == "":
	case len(f.allowed) > 0:
		text += " -x -a " + shell(strings.Join(f.allowed, " "))
	case isFile(f.value):
		text += " -r -F"
	default:
		text += " -x"
	}
	return text + " -d " + shell(f.help)
}
