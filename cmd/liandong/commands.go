package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/demo"
	"liandong/configs"
	"liandong/routing/outbox"
)

type commands struct {
	Serve      serve      `cmd:"" help:"Run the switch until it is told to stop."`
	Check      check      `cmd:"" help:"Read a config and name every mistake in it."`
	Tickets    stubs      `cmd:"" help:"Print the ticket entries (the default), or add to one."`
	Categories categories `cmd:"" help:"The shared knowledge of who handles what."`
	Spool      files      `cmd:"" help:"Exchange entries and updates with another switch by files, where only files pass."`
	Report     figures    `cmd:"" help:"Print the indicators of a day or an hour."`
	Reload     reload     `cmd:"" help:"Have the running switch read its config again."`
	Status     status     `cmd:"" help:"Say whether the running switch takes calls, and what is amiss."`
	Calls      callList   `cmd:"" help:"List the calls that are on."`
	Trace      calledBack `cmd:"" help:"Show the SIP messages of a call and what happened meanwhile, also of one that is over."`
	Dead       dead       `cmd:"" help:"The updates of ticket systems that were refused: list them, try them again."`
	Init       initial    `cmd:"" help:"Write a first config: four questions."`
	Passwd     passwd     `cmd:"" help:"Print the hash of a password, for the config."`
	Demo       show       `cmd:"" help:"Show the whole job on loopback, with an embedded Redis and three SIP phones."`
	Switchover switchover `cmd:"" help:"Have the other machine of a pair go on with the calls."`
	Upgrade    upgrade    `cmd:"" help:"Let the file that lies in the program's place now go on with the calls."`
	Version    version    `cmd:"" help:"Print what was built from which revision."`

	Completion completion `cmd:"" help:"Print the shell's completion of this program's commands."`
	Man        manual     `cmd:"" help:"Print the manual page."`
}

// overrides are the flags of every command that reads a config.
type overrides struct {
	Set  []string `placeholder:"KEY.PATH=VALUE" sep:"none" help:"Overrule one value of the config. May be given many times."`
	Lang string   `placeholder:"zh|en" enum:"zh,en," default:"" env:"LIANDONG_LANG" help:"Language of messages, whatever the config says."`

	speech *speech
}

// AfterApply is for kong, who calls it with what is bound.
func (o *overrides) AfterApply(s *speech) error {
	o.speech = s
	return nil
}

// load reads a config. Whoever has asked for no language is spoken to in the config's from then on.
func (o overrides) load(file string) (*configs.Config, error) {
	set := o.Set
	if o.Lang != "" {
		set = append(slices.Clip(set), "lang="+o.Lang)
	}
	cfg, err := configs.Load(file, configs.Options{Set: set, Lang: spoken(o.Lang)})
	if err == nil && o.speech.lang == "" {
		o.speech.lang = cfg.Lang
	}
	return cfg, err
}

// loadFirst is load before anything else is in memory: collecting garbage meanwhile is a third of the work.
func (o overrides) loadFirst(file string) (*configs.Config, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	return o.load(file)
}

// speech is the language of what is said at the end: zh, en, or "" while nobody has named one.
type speech struct{ lang string }

// speaking is the flag of commands that read no config.
type speaking struct {
	Lang string `placeholder:"zh|en" enum:"zh,en," default:"" env:"LIANDONG_LANG" help:"Language of messages."`
}

// manual is the manual page, in the language that is asked for.
type manual struct {
	cli.Man
	speaking
}

// completion is the script for a shell, what commands are in the language that is asked for.
type completion struct {
	cli.Completion
	speaking
}

// spokenLang is the language of commands that read no config.
type spokenLang string

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

type check struct {
	File           string `arg:"" optional:"" help:"The config."`
	Config         string `short:"c" placeholder:"FILE" help:"The same, as other commands take it."`
	AgainstRunning bool   `help:"Say also what it would change in the running switch."`
	overrides
}

func (c check) Run(ctx context.Context, stdout io.Writer, stderr cli.Stderr, lang spokenLang) error {
	if c.File == "" {
		c.File = c.Config
	}
	if c.File == "" {
		return cli.Misuse(both(string(lang), "check：哪个文件？用法：liandong check FILE",
			"check: which file? liandong check FILE"))
	}
	cfg, err := c.loadFirst(c.File)
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings() {
		fmt.Fprintln(stderr, w)
	}
	if what, ok := cfg.Placeholders(); ok {
		fmt.Fprintln(stderr, what)
	}
	c.askRedis(ctx, cfg, stderr)
	if _, err = fmt.Fprintf(stdout, "%s: %s\n", c.File, cfg.Summary()); err == nil && c.AgainstRunning {
		err = againstRunning(ctx, cfg, stdout)
	}
	return err
}

// askRedis warns of a Redis that loses what it is given. One that is not there says nothing: the config may be meant
// for another machine.
func (c check) askRedis(ctx context.Context, cfg *configs.Config, stdout io.Writer) {
	for _, s := range cfg.Stores() {
		s.Outbox.Timeout = time.Second
		ctx, cancel := context.WithTimeout(ctx, s.Outbox.Timeout)
		list, _ := outbox.Frailties(ctx, s.Outbox.Config)
		cancel()
		for _, f := range list {
			fmt.Fprintf(stdout, "%s: %s\n", c.File, cfg.Frail(s, f))
		}
	}
}

type show struct {
	WAV     string `name:"wav" placeholder:"DIR" help:"Keep what each party heard as WAV files."`
	Console bool   `negatable:"" default:"true" help:"Open the console for browsers while it runs."`
	Stay    bool   `help:"Go on with a call every few seconds until it is told to stop."`
	speaking
}

func (s show) Run(ctx context.Context, stdout io.Writer, lang spokenLang) error {
	return demo.Run(ctx, demo.Options{
		WAVDir: s.WAV, Out: stdout, Console: s.Console, Stay: s.Stay, Lang: string(lang),
		Terminal: isTerminal(stdout),
	})
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
