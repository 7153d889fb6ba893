package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/report"
	"liandong/routing/indicator"
)

type figures struct {
	Config  string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config: where Redis is and which hotlines there are (default: ${default})."`
	Day     string `placeholder:"2024-04-03" help:"The day, in the config's zone; today when left out."`
	Hour    int    `placeholder:"0-23" default:"-1" help:"Only this hour of the day."`
	Hotline string `placeholder:"ID" help:"Only this line."`
	JSON    bool   `name:"json" help:"Print JSON, with the sums that the indicators are made of."`
	overrides
}

func (f figures) Run(ctx context.Context, stdout io.Writer) error {
	cfg, err := f.load(f.Config)
	if err != nil {
		return err
	}
	o := report.Options{
		Lines: cfg.HotlineIDs(), Diversion: indicator.Diversion(cfg.Indicators.Diversion), Hour: f.Hour >= 0,
		Lang: cfg.Lang, JSON: f.JSON,
	}
	if o.At, err = f.at(time.Now().In(cfg.Location()), cfg.Lang); err != nil {
		return err
	}
	if f.Hotline != "" {
		if !slices.Contains(o.Lines, f.Hotline) {
			return cli.Misuse(fmt.Sprintf(say(cfg.Lang, "report: 配置中没有 --hotline %s；可用：%s",
				"report: --hotline %s is not in the config; allowed: %s"), f.Hotline, strings.Join(o.Lines, ", ")))
		}
		o.Lines = []string{f.Hotline}
	}
	for _, s := range cfg.Stores() {
		o.Redises = append(o.Redises, s.Ledger.Config)
	}
	return report.Print(ctx, stdout, o)
}

// at is the day or hour that was asked for.
func (f figures) at(now time.Time, lang string) (time.Time, error) {
	day := now
	if f.Day != "" {
		var err error
		if day, err = time.ParseInLocation("2006-01-02", f.Day, now.Location()); err != nil {
			return now, cli.Misuse(fmt.Sprintf(say(lang, "report: --day %s：应如 2024-04-03",
				"report: --day %s: must be like 2024-04-03"), f.Day))
		}
	}
	if f.Hour > 23 || f.Hour < -1 {
		return now, cli.Misuse(fmt.Sprintf(say(lang, "report: --hour %d：应为 0 到 23",
			"report: --hour %d: must be 0 to 23"), f.Hour))
	}
	return time.Date(day.Year(), day.Month(), day.Day(), max(f.Hour, 0), 0, 0, 0, now.Location()), nil
}
