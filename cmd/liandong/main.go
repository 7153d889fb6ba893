// Command liandong is the switch: serve runs it, demo shows the whole job on loopback, check reads a config and names
// every mistake in it, tickets reads the ticket entries as a ticket system would.
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

	"liandong/configs"
)

// Exit codes beside 0.
const (
	exitFailed = 1 // the command could not do its work; all errors are on stderr
	exitUsage  = 2 // the command line is not understood
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	parser := kong.Must(&commands{}, kong.Name("liandong"), kong.Description("110 and 12345 hand calls to each other."),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { panic(exit(n)) }), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)))
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "liandong: %v (liandong --help)\n", err)
		return exitUsage
	}
	return exitCode(stderr, chosen.Run())
}

// exitCode prints an error in the way it is read best: mistakes of a config one per line as they are.
func exitCode(stderr io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.As(err, new(configs.Problems)):
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintf(stderr, "liandong: %v\n", err)
	}
	return exitFailed
}
