package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/keeper"
)

type upgrade struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config of the switch that runs (default: ${default})."`
	overrides
}

// Run tells of the upgrade as it goes on. It fails unless the new version stays.
func (u upgrade) Run(ctx context.Context, stdout io.Writer) error {
	cfg, err := u.load(u.Config)
	if err != nil {
		return err
	}
	control := cfg.Run().Control
	if _, err := os.Stat(control); err != nil {
		control = serviceControl
	}
	words := upgradeWords[cfg.Lang]
	stays := false
	err = keeper.Upgrade(ctx, control, func(a keeper.Answer) {
		stays = a.Step == keeper.Upgraded
		if cfg.Lang == "zh" {
			a.Why = phrases.Replace(a.Why)
		}
		fmt.Fprintln(stdout, words.say(a))
	})
	if err == nil && !stays {
		err = cli.Exit(cli.Failed)
	}
	return err
}

// serviceControl is where the control socket is of a switch that runs by the unit for systemd.
const serviceControl = "/run/liandong/control"

// upgradeText is what an upgrade says in one language.
type upgradeText struct{ watched, upgraded, rolledBack, refused string }

var upgradeWords = map[string]upgradeText{
	"zh": {
		watched:    "新版本 %s 已接管通话：话音停顿 %.0f 毫秒，信令等待 %.0f 毫秒；观察十秒",
		upgraded:   "升级完成：%s",
		rolledBack: "升级失败，已恢复旧版本 %s：%s",
		refused:    "未升级，旧版本照常运行：%s",
	},
	"en": {
		watched:    "the new version %s has the calls: no sound for %.0f ms, signalling waited for %.0f; it is watched for ten seconds",
		upgraded:   "upgraded: %s",
		rolledBack: "the upgrade has failed, the old version %s goes on: %s",
		refused:    "not upgraded, the old version runs as before: %s",
	},
}

func (w upgradeText) say(a keeper.Answer) string {
	switch a.Step {
	case keeper.Watched:
		return fmt.Sprintf(w.watched, a.To, a.Mute, a.Gap)
	case keeper.Upgraded:
		return fmt.Sprintf(w.upgraded, a.To)
	case keeper.RolledBack:
		return fmt.Sprintf(w.rolledBack, a.From, a.Why)
	default:
		return fmt.Sprintf(w.refused, a.Why)
	}
}
