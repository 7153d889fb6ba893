package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/remote"
	"liandong/configs"
)

// asked are the flags of the commands that ask the running switch.
type asked struct {
	Config string `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config of the switch (default: ${default})."`
	overrides
}

func (a asked) running() (*configs.Config, remote.Switch, error) {
	cfg, err := a.load(a.Config)
	if err != nil {
		return nil, remote.Switch{}, err
	}
	sw, err := remote.Of(cfg.API())
	return cfg, sw, err
}

// say is one sentence in the language of the config.
func say(lang, zh, en string) string {
	if lang == "zh" {
		return zh
	}
	return en
}

type reload struct{ asked }

// Run has the running switch read its config again.
func (r reload) Run(ctx context.Context, stdout io.Writer) error {
	_, sw, err := r.running()
	if err != nil {
		return err
	}
	text, err := sw.Ask(ctx, http.MethodPost, "/v1/reload", nil)
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}

type switchover struct{ asked }

// Run has the other machine of a pair go on with the calls.
func (o switchover) Run(ctx context.Context, stdout io.Writer) error {
	cfg, sw, err := o.running()
	if err != nil {
		return err
	}
	if cfg.Pair() == nil {
		return errors.New(say(cfg.Lang, "switchover: 配置中没有 cluster，只有这一台",
			"switchover: the config has no cluster: there is no other machine"))
	}
	text, err := sw.Ask(ctx, http.MethodPost, "/v1/switchover", nil)
	if err != nil {
		return err
	}
	_, err = stdout.Write(text)
	return err
}

type status struct{ asked }

// Run says whether the switch takes calls, and what is amiss.
func (s status) Run(ctx context.Context, stdout io.Writer) error {
	cfg, sw, err := s.running()
	if err != nil {
		return err
	}
	if cfg.Pair() != nil { // one that stands by takes no calls, and that is how it is
		pair, err := sw.Ask(ctx, http.MethodGet, "/v1/cluster", nil)
		if err != nil {
			return err
		}
		if _, err := sw.Ask(ctx, http.MethodGet, "/v1/calls", nil); err != nil {
			_, err = stdout.Write(pair)
			return err
		}
	}
	ready, err := sw.Ask(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return err
	}
	list, err := calls(ctx, sw)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, string(ready))
	fmt.Fprintf(stdout, say(cfg.Lang, "通话：%d\n", "calls: %d\n"), len(list))
	return nil
}

func calls(ctx context.Context, sw remote.Switch) (list []api.Shown, err error) {
	text, err := sw.Ask(ctx, http.MethodGet, "/v1/calls", nil)
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	return list, err
}

type callList struct {
	asked
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the calls that are on.
func (c callList) Run(ctx context.Context, stdout io.Writer) error {
	cfg, sw, err := c.running()
	if err != nil {
		return err
	}
	list, err := calls(ctx, sw)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return json.NewEncoder(stdout).Encode(list)
	case len(list) == 0:
		_, err = fmt.Fprintln(stdout, say(cfg.Lang, "没有通话", "no calls"))
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, say(cfg.Lang, "时长\t热线\t主叫\t阶段\t坐席\t对方\t存根\t通话",
		"for\thotline\tcaller\tphase\tdesk\tpartner\tstub\tcall"))
	for _, one := range list {
		long := time.Since(one.Since).Truncate(time.Second).String()
		fmt.Fprintln(table, strings.Join([]string{long, one.Hotline, one.Caller, one.Phase, dash(one.Desk),
			dash(one.Partner), dash(one.Stub), one.ID}, "\t"))
	}
	return table.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// againstRunning says what a config would change in the running switch.
func againstRunning(ctx context.Context, cfg *configs.Config, stdout io.Writer) error {
	sw, err := remote.Of(cfg.API())
	if err != nil {
		return err
	}
	text, err := sw.Ask(ctx, http.MethodGet, "/v1/config", nil)
	if err != nil {
		return err
	}
	var holds api.Holding
	if err := json.Unmarshal(text, &holds); err != nil {
		return err
	}
	for _, line := range configs.Told(configs.Changes(holds.Values, cfg.Values(holds.Salt)), cfg.Lang) {
		fmt.Fprintln(stdout, line)
	}
	return nil
}
