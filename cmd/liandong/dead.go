package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"liandong/configs"
	"liandong/routing/ledger"
)

// dead are the commands for updates of ticket systems that were refused.
type dead struct {
	List  deadList  `cmd:"" default:"withargs" help:"Print the updates that were refused, and why."`
	Retry deadRetry `cmd:"" help:"Have refused updates tried again."`
}

type deadList struct{ asked }

func (d deadList) Run(ctx context.Context, stdout io.Writer) error {
	return d.each(func(cfg *configs.Config, r *ledger.Refused) error {
		list, err := r.List(ctx)
		if err == nil && len(list) == 0 {
			fmt.Fprintln(stdout, say(cfg.Lang, "没有被拒绝的更新", "no update was refused"))
		}
		for _, u := range list {
			fmt.Fprintf(stdout, "%s  %s  %s  %s: %s\n", u.ID, dash(u.Fields["stub_id"]), dash(u.Fields["event"]),
				u.Reason, u.Detail)
		}
		return err
	})
}

type deadRetry struct {
	asked
	ID []string `arg:"" optional:"" help:"Their ids, as dead list prints them. Without any: all."`
}

func (d deadRetry) Run(ctx context.Context, stdout io.Writer) error {
	wanted := map[string]bool{}
	for _, id := range d.ID {
		wanted[id] = true
	}
	tried, lang := 0, ""
	err := d.each(func(cfg *configs.Config, r *ledger.Refused) error {
		lang = cfg.Lang
		list, err := r.List(ctx)
		for _, u := range list {
			if len(wanted) > 0 && !wanted[u.ID] {
				continue
			}
			if err := r.Retry(ctx, u); err != nil {
				return err
			}
			tried++
			delete(wanted, u.ID)
			if len(d.ID) > 0 && len(wanted) == 0 {
				break
			}
		}
		return err
	})
	if err == nil || tried > 0 {
		fmt.Fprintf(stdout, say(lang, "重试 %d 条\n", "tried again: %d\n"), tried)
	}
	if err == nil && len(wanted) > 0 {
		err = fmt.Errorf(say(lang, "dead: 列表中没有 %s", "dead: not on the list: %s"),
			strings.Join(slices.Sorted(maps.Keys(wanted)), ", "))
	}
	return err
}

// each opens the Redises of the config one after the other.
func (a asked) each(do func(*configs.Config, *ledger.Refused) error) error {
	cfg, err := a.load(a.Config)
	if err != nil {
		return err
	}
	for _, s := range cfg.Stores() {
		r, err := ledger.OpenRefused(s.Ledger.Config)
		if err != nil {
			return err
		}
		err = do(cfg, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
