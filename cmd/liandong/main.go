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
	"syscall"

	"liandong/cmd/internal/cli"
	"liandong/configs"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code. Mistakes of a config are printed one per line as they are.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := cli.Program{Name: "liandong", About: "110 and 12345 hand calls to each other.", Commands: &commands{}}
	code, err := p.Run(ctx, args, stdout, stderr)
	switch {
	case err == nil:
	case errors.As(err, new(configs.Problems)):
		fmt.Fprintln(stderr, err)
	default:
		fmt.Fprintf(stderr, "liandong: %v\n", err)
	}
	return code
}
