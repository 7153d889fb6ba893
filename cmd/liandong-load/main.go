// Command liandong-load plays callers and desks against a SIP server and says how well it served them: cps sets calls
// up at a rate, relay and conf listen to what many calls at once sound like, handover times keys and transfers. It
// sends to no address that its command line does not name, and stops by itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code, err := cli.Program{Name: "liandong-load", About: about, Commands: &commands{}}.Run(ctx, args, stdout, stderr)
	switch {
	case err == nil:
		return code
	case errors.Is(err, load.ErrOption):
		fmt.Fprintln(stderr, err)
		return cli.Misused
	}
	fmt.Fprintf(stderr, "liandong-load: %v\n", err)
	return code
}
