package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/cli"
	"liandong/routing/category"
)

type categories struct {
	Find find `cmd:"" help:"Look up who handles what: best match first."`
}

type find struct {
	Words  []string `arg:"" optional:"" help:"What the citizen says, such as 噪音. Without it all categories are printed."`
	Config string   `short:"c" placeholder:"FILE" default:"/etc/liandong/liandong.yaml" help:"The config (default: ${default})."`
	JSON   bool     `name:"json" help:"Print JSON."`
	overrides
}

func (f find) Run(stdout io.Writer, stderr cli.Stderr) error {
	cfg, err := f.load(f.Config)
	if err != nil {
		return err
	}
	found := cfg.Known().Find(strings.Join(f.Words, " "))
	if f.JSON {
		return json.NewEncoder(stdout).Encode(api.Kinds(found))
	}
	if len(found) == 0 && isTerminal(stderr.Writer) {
		fmt.Fprintln(stderr, say(cfg.Lang, "没有相符的分类", "no category fits"))
	}
	for _, c := range found {
		if _, err := fmt.Fprintln(stdout, kindLine(c)); err != nil {
			return err
		}
	}
	return nil
}

// kindLine is a category on one line: code, name, owner, modes, answer; - for what nobody has said.
func kindLine(c category.Category) string {
	words := []string{c.Code, c.Name, c.Owner, strings.Join(c.Modes, ","), strings.Join(strings.Fields(c.Answer), " ")}
	for i, w := range words {
		if w == "" {
			words[i] = "-"
		}
	}
	return strings.Join(words, "\t")
}
