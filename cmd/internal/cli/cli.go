// Package cli runs a program's command line: it reads the arguments, runs the command they name, and gives the exit code.
package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Exit codes beside 0.
const (
	Failed  = 1 // the command could not do its work; all errors are on stderr
	Misused = 2 // the command line is not understood
)

// Program is a set of commands. Immutable.
type Program struct {
	Name, About string
	Commands    any // a pointer to what kong reads flags and commands from; their Run may take a context and stdout's io.Writer
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
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v (%s --help)\n", p.Name, err, p.Name)
		return Misused, nil
	}
	if err := chosen.Run(); err != nil {
		return Failed, err
	}
	return 0, nil
}
