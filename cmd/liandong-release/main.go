// Command liandong-release makes all that is given to those who install: static binaries for linux on amd64, arm64,
// loong64 and riscv64, each in a .tar.gz, a .deb and an .rpm; an image for containers (OCI layout in a tar, made
// without a daemon); a bill of materials (CycloneDX) of each binary; and SHA256SUMS over all. From one revision it
// makes the same bytes each time: nothing in them depends on the clock, the machine or the directory.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"liandong/cmd/internal/cli"
)

const about = "Build the packages, the image, the bills of materials and the checksums of a release."

type commands struct {
	Build build `cmd:"" default:"withargs" help:"Build all of it."`
}

type build struct {
	Out     string   `default:"dist" placeholder:"DIR" help:"Where it goes (default: ${default}); files of the same names are replaced."`
	Arch    []string `default:"amd64,arm64,loong64,riscv64" placeholder:"ARCH" help:"For which processors (default: ${default})."`
	Version string   `placeholder:"VERSION" help:"The version; by default what git describe says."`
	Skip    []string `placeholder:"KIND" enum:"deb,rpm,oci," help:"Leave out deb, rpm or oci: the first two need nfpm, which comes from the module proxy."`
}

func (b build) Run(ctx context.Context, stdout io.Writer) error {
	r := release{out: b.Out, archs: b.Arch, version: b.Version, skip: b.Skip, log: stdout}
	return r.run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := cli.Program{Name: "liandong-release", About: about, Commands: &commands{}}.Run(ctx, os.Args[1:],
		os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "liandong-release: %v\n", err)
	}
	os.Exit(code)
}
