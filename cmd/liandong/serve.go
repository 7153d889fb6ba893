package main

import (
	"context"
	"errors"
	"os"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/keeper"
	"liandong/configs"
)

type serve struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config (default: ${default})."`
	Single bool   `help:"Run as one process, whose death ends all calls: for debugging."`
	overrides
}

// Run is the keeper, or, in a process that a keeper has started, the switch.
func (s serve) Run(ctx context.Context) error {
	line, err := keeper.Attach()
	if err != nil {
		return err
	}
	if line == nil && !s.Single {
		code, err := keep()
		switch {
		case code != 0:
			return cli.Exit(code)
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	return s.work(ctx, line)
}

// work is the switch; with a line it waits until it is told to go.
func (s serve) work(ctx context.Context, line *keeper.Line) error {
	cfg, err := s.loadFirst(s.Config)
	if err != nil {
		return err
	}
	read := func() (*configs.Config, error) { return s.load(s.Config) }
	return app.Under(line, built()).Run(ctx, cfg, read, logger(cfg.Log, os.Stderr))
}
