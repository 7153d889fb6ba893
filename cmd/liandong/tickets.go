package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/term"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/remote"
	"liandong/cmd/internal/tickets"
	"liandong/configs"
)

type stubs struct {
	Print entries `cmd:"" default:"withargs" help:"Print the ticket entries, read from Redis as a ticket system would."`
	Add   add     `cmd:"" help:"Add to a stub what more is known of the matter, through the running switch."`
}

type entries struct {
	Config  string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config: where Redis is and which hotlines there are (default: ${default})."`
	Follow  bool   `short:"f" help:"Go on as entries arrive."`
	Network string `placeholder:"NAME" help:"Only of the hotlines of this network, where networks have a Redis each."`
	Group   string `help:"Read as this consumer group and acknowledge: each entry is printed once, also over several runs. Without it: all there are."`
	overrides
}

func (e entries) Run(ctx context.Context, stdout io.Writer, stderr cli.Stderr) error {
	cfg, err := e.load(e.Config)
	if err != nil {
		return err
	}
	o := tickets.Options{Follow: e.Follow, Group: e.Group, Table: isTerminal(stdout), Lang: cfg.Lang}
	for _, s := range cfg.Stores() {
		if lines := e.of(cfg, s.Hotlines); len(lines) > 0 {
			o.Redises = append(o.Redises, tickets.Redis{Config: s.Outbox, Hotlines: lines})
		}
	}
	if len(o.Redises) == 0 {
		return cli.Misuse(fmt.Sprintf(say(cfg.Lang, "tickets: 网络 %q 中没有热线",
			"tickets: no hotline stands in network %q"), e.Network))
	}
	if isTerminal(stderr.Writer) {
		o.Notes = stderr
	}
	return tickets.Print(ctx, stdout, o)
}

// isTerminal says that people read what is printed, and no program.
func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// of leaves the hotlines of the network that was asked for.
func (e entries) of(cfg *configs.Config, lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(id string) bool {
		return e.Network != "" && cfg.Hotlines[id].Network != e.Network
	})
}

type add struct {
	Stub         string `arg:"" help:"The stub's id."`
	Config       string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config of the switch (default: ${default})."`
	Category     string `placeholder:"CODE" help:"Code of the category; see categories find."`
	Place        string `placeholder:"TEXT" help:"Where it is."`
	RegionCode   string `placeholder:"DIGITS" help:"The region, 6 to 12 digits (GB/T 2260)."`
	Title        string `placeholder:"TEXT" help:"What it is about, in one line."`
	Content      string `placeholder:"TEXT" help:"What the citizen says."`
	Urgency      string `placeholder:"urgent|critical" help:"Raise it; critical is danger: the emergency line is told at once."`
	Confidential string `placeholder:"0|1" help:"Whether the caller is to be kept from the units that handle the matter."`
	EventID      string `placeholder:"ID" help:"An id of your own: sent twice it counts once."`
	overrides
}

func (a add) Run(ctx context.Context, stdout io.Writer) error {
	cfg, err := a.load(a.Config)
	if err != nil {
		return err
	}
	sw, err := remote.Of(cfg.API())
	if err != nil {
		return err
	}
	return tickets.Add(ctx, stdout, sw, tickets.Addition{
		Stub: a.Stub,
		Fields: map[string]string{
			"category": a.Category, "place": a.Place, "region_code": a.RegionCode, "title": a.Title,
			"content": a.Content,
			"urgency": a.Urgency, "confidential": a.Confidential, "event_id": a.EventID,
		},
	})
}
