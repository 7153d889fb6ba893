// Command liandong-load plays callers and desks against a SIP server and says how well it served them: cps sets calls up
// at a rate, relay and conf listen to what many calls at once sound like, handover times keys and transfers. It sends to
// no address that its command line does not name, and stops by itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"liandong/cmd/internal/load"
)

// Exit codes beside 0.
const (
	exitFailed = 1 // the run could not be made
	exitUsage  = 2 // the command line is not understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
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
	parser := kong.Must(&commands{}, kong.Name("liandong-load"), kong.Description(about),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exit(n)) }), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "liandong-load: %v (liandong-load --help)\n", err)
		return exitUsage
	}
	return report(stderr, chosen.Run())
}

func report(stderr io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, load.ErrOption):
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "liandong-load: %v\n", err)
	return exitFailed
}
