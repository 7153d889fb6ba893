package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"liandong/configs"
	"liandong/routing/link"
	"liandong/routing/spool"
)

// files are the commands by which entries and updates cross to another switch and back.
type files struct {
	Send    filesOut `cmd:"" help:"Write what Redis has for the other side into files, take acknowledgements in, send again what has got none."`
	Receive filesIn  `cmd:"" help:"Bring what has come in files to Redis, and acknowledge it."`
}

// spooling are the flags of both.
type spooling struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config: hotlines with spool (default: ${default})."`
	Follow bool   `short:"f" help:"Go on until told to stop. Without it: once, as from cron; exit code 1 when an admin is needed."`
	Line   string `placeholder:"ID" help:"Only the files of this hotline."`
	overrides
}

type (
	filesOut struct{ spooling }
	filesIn  struct{ spooling }
)

// end is one end of a channel at work.
type end interface {
	Pass(ctx context.Context, now time.Time) (int, error)
	Trouble(now time.Time) error
	Idle() bool
	Close()
}

func (f filesOut) Run(ctx context.Context) error {
	return f.run(ctx, func(s configs.Spooled, log *slog.Logger) (end, error) { return spool.NewSending(s.Send, log) })
}

func (f filesIn) Run(ctx context.Context) error {
	return f.run(ctx, func(s configs.Spooled, log *slog.Logger) (end,
		error) {
		return spool.NewReceiving(s.Receive, log)
	})
}

// run opens the ends of all lines and works at them in turn.
func (s spooling) run(ctx context.Context, open func(configs.Spooled, *slog.Logger) (end, error)) error {
	cfg, err := s.load(s.Config)
	if err != nil {
		return err
	}
	log := logger(cfg.Log, os.Stderr)
	var ends []end
	defer func() {
		for _, e := range ends {
			e.Close()
		}
	}()
	for _, one := range cfg.Spools() {
		if s.Line != "" && s.Line != one.Send.Line {
			continue
		}
		e, err := open(one, log)
		if err != nil {
			return err
		}
		ends = append(ends, e)
	}
	if len(ends) == 0 {
		return errors.New(say(cfg.Lang, "spool: 配置中没有带 spool 的热线，或没有这条",
			"spool: no hotline of the config, or not that one, has spool"))
	}
	if s.Follow {
		follow(ctx, ends, log)
		return nil
	}
	return once(ctx, ends)
}

// lookEvery is the pause between two looks at folders and Redis when there was nothing to do.
const lookEvery = 200 * time.Millisecond

// follow works until ctx ends. The first failure of a row is logged, and its end.
func follow(ctx context.Context, ends []end, log *slog.Logger) {
	failing := make([]bool, len(ends))
	for {
		worked := 0
		for i, e := range ends {
			n, err := e.Pass(ctx, time.Now())
			worked += n
			switch {
			case ctx.Err() != nil:
			case err != nil && !failing[i]:
				log.Warn("spool: cannot go on, trying again", "err", link.Plain(err))
			case err == nil && failing[i]:
				log.Info("spool: goes on again")
			}
			failing[i] = err != nil
		}
		wait := lookEvery
		if worked > 0 {
			wait = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// oncePatience is how long Redis is waited for to take what was received.
const oncePatience = 10 * time.Second

// once does what there is to do now.
func once(ctx context.Context, ends []end) error {
	var errs []error
	for _, e := range ends {
		until := time.Now().Add(oncePatience)
		for {
			n, err := e.Pass(ctx, time.Now())
			if err != nil {
				errs = append(errs, err)
				break
			}
			if n == 0 && (e.Idle() || time.Now().After(until) || ctx.Err() != nil) {
				break
			}
			if n == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		errs = append(errs, e.Trouble(time.Now()))
	}
	return errors.Join(errs...)
}
