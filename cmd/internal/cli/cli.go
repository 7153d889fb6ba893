// Package cli runs a program's command line: it reads the arguments, runs the command they name, and gives the exit
// code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"
)

// Exit codes beside 0.
const (
	Failed  = 1 // the command could not do its work; all errors are on stderr
	Misused = 2 // the command line is not understood
	// what shells have for it: the command was told to end while it asked
	Interrupted = 130
)

// Exit is a command's own exit code; all that there is to say has been said.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Stderr is where a command says what is no part of its result.
type Stderr struct{ io.Writer }

// Misuse is an error of a command that was not told what it needs.
type Misuse string

func (m Misuse) Error() string { return string(m) }

// Program is a set of commands. Immutable.
type Program struct {
	Name, About string
	Bind        []any // what Run may take besides
	// Words are the helps in another language than English, by what they are in English; nil for English.
	Words map[string]string
	// a pointer to what kong reads flags and commands from; their Run may take a context and stdout's io.Writer
	Commands any
}

// Run runs the command of args until it is done or ctx ends. An error of the command itself is handed back, for the
// program to print; of all else the exit code tells, and stderr has been written.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int, err error) {
	type exit int
	defer func() { // --help ends here: kong knows no other way
		if r := recover(); r != nil {
			asked, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(asked)
		}
	}()
	parser := kong.Must(p.Commands, kong.Name(p.Name), kong.Description(p.About),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exit(n)) }), kong.UsageOnError(),
		kong.Help(p.help),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.Bind(append([]any{Stderr{stderr}, p}, p.Bind...)...))
	p.translate(parser.Model)
	switch { // what people type who have not read on
	case len(args) > 0 && args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "--version":
		args = []string{"version"}
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s (%s --help)\n", p.Name, p.mistake(err.Error()), p.reached(err))
		return Misused, nil
	}
	err = chosen.Run()
	if own, ok := errors.AsType[Exit](err); ok {
		return int(own), nil
	}
	switch {
	case errors.As(err, new(Misuse)):
		return Misused, err
	case err != nil:
		return Failed, err
	}
	return 0, nil
}

// reached is as much of a command line as was understood when the parser stumbled.
func (p Program) reached(err error) string {
	if at, ok := errors.AsType[*kong.ParseError](err); ok {
		if n := at.Context.Selected(); n != nil {
			return n.FullPath()
		}
	}
	return p.Name
}
