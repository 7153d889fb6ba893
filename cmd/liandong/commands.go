package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/demo"
	"liandong/configs"
)

type commands struct {
	Serve      serve      `cmd:"" help:"Run the switch until it is told to stop."`
	Check      check      `cmd:"" help:"Read a config and name every mistake in it."`
	Tickets    stubs      `cmd:"" help:"Print the ticket entries (the default), or add to one."`
	Categories categories `cmd:"" help:"The shared knowledge of who handles what."`
	Spool      files      `cmd:"" help:"Exchange entries and updates with another switch by files, where only files pass."`
	Report     figures    `cmd:"" help:"Print the indicators of a day or an hour."`
	Demo       show       `cmd:"" help:"Show the whole job on loopback, with an embedded Redis and three SIP phones."`
	Version    version    `cmd:"" help:"Print what was built from which revision."`
}

// overrides are the flags of every command that reads a config.
type overrides struct {
	Set  []string `placeholder:"KEY.PATH=VALUE" sep:"none" help:"Overrule one value of the config. May be given many times."`
	Lang string   `placeholder:"zh|en" enum:"zh,en," default:"" env:"LIANDONG_LANG" help:"Language of messages where the config names none."`
}

func (o overrides) load(file string) (*configs.Config, error) {
	return configs.Load(file, configs.Options{Set: o.Set, Lang: spoken(o.Lang)})
}

// spoken is the language that the environment asks for, if it is one of ours.
func spoken(flag string) string {
	for _, s := range []string{flag, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if s != "" {
			for _, ours := range []string{"zh", "en"} {
				if strings.HasPrefix(s, ours) {
					return ours
				}
			}
			return ""
		}
	}
	return ""
}

type serve struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config (default: ${default})."`
	overrides
}

func (s serve) Run(ctx context.Context) error {
	cfg, err := s.load(s.Config)
	if err != nil {
		return err
	}
	log := logger(cfg.Log, os.Stderr)
	for _, w := range cfg.Warnings() {
		log.Warn("config", "what", w.String())
	}
	return app.Run(ctx, cfg, log)
}

type check struct {
	File string `arg:"" help:"The config."`
	overrides
}

func (c check) Run(stdout io.Writer) error {
	cfg, err := c.load(c.File)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		fmt.Fprintln(stdout, w)
	}
	_, err = fmt.Fprintf(stdout, "%s: %s\n", c.File, cfg.Summary())
	return err
}

type show struct {
	WAV string `name:"wav" placeholder:"DIR" help:"Keep what each party heard as WAV files."`
}

func (s show) Run(ctx context.Context, stdout io.Writer) error {
	return demo.Run(ctx, demo.Options{WAVDir: s.WAV, Out: stdout})
}

// logger writes in the form the config asks for. The levels are slog's own words.
func logger(l configs.Log, w io.Writer) *slog.Logger {
	var o slog.HandlerOptions
	var level slog.Level
	if level.UnmarshalText([]byte(l.Level)) == nil {
		o.Level = level
	}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &o))
	}
	return slog.New(slog.NewTextHandler(w, &o))
}
