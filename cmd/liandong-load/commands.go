package main

import (
	"context"
	"errors"
	"io"

	"liandong/cmd/internal/load"
)

const about = `Calls a SIP server and says how well it serves, and so how big a machine it needs.

It sends only to the addresses that its command line names, and stops by itself; an interrupt hangs up and prints what
there is. "liandong-load COMMAND --help" explains the figures.`

type commands struct {
	CPS      cps      `cmd:"" name:"cps" help:"Set calls up at a rate: set-up times, failures, retransmissions."`
	Relay    relay    `cmd:"" help:"Let calls of two parties stand and speak: what is lost, gaps, one-way delay."`
	Conf     conf     `cmd:"" help:"Let three-way conferences stand and speak in turns: what each hears of the others, and when."`
	Handover handover `cmd:"" help:"Hand calls over by a desk's key or REFER: how long until the partner rings and is heard."`
	Soak     soak     `cmd:"" help:"Let calls of all kinds go on for long, with faults: what the server uses, and whether that grows."`
	Lab      lab      `cmd:"" help:"Print configs/lab.yaml with more seats, for a liandong to be measured."`
}

type cps struct{ load.CPS }

func (c cps) Help() string { return load.Legend }

func (c cps) Run(ctx context.Context, w io.Writer) error { return measured(ctx, w, c, c.JSON) }

type relay struct{ load.Relay }

func (c relay) Help() string { return load.Legend }

func (c relay) Run(ctx context.Context, w io.Writer) error { return measured(ctx, w, c, c.JSON) }

type conf struct{ load.Conf }

func (c conf) Help() string { return load.Legend }

func (c conf) Run(ctx context.Context, w io.Writer) error { return measured(ctx, w, c, c.JSON) }

type handover struct{ load.Handover }

func (c handover) Help() string { return load.Legend }

func (c handover) Run(ctx context.Context, w io.Writer) error { return measured(ctx, w, c, c.JSON) }

type soak struct{ load.Soak }

func (c soak) Help() string { return load.Legend }

func (c soak) Run(ctx context.Context, w io.Writer) error { return measured(ctx, w, c, c.JSON) }

type lab struct {
	Seats int `placeholder:"N" default:"50" help:"Seats on each line, at most 9999; of more than 900 the users begin at 11001 and 21001 (default: ${default})."`
}

func (l lab) Run(w io.Writer) error {
	text, err := load.Lab(l.Seats)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// measured checks the options, makes the run and prints what it found.
func measured(ctx context.Context, w io.Writer, m interface {
	Check() error
	Measure(context.Context) (*load.Report, error)
}, asJSON bool) error {
	if err := m.Check(); err != nil {
		return err
	}
	r, err := m.Measure(ctx)
	if r == nil {
		return err
	}
	return errors.Join(r.Write(w, asJSON), err)
}
