package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/load"
)

// told is what a command line leads to.
func told(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return out.String(), errs.String(), code
}

// Every figure of the table is explained where it is asked for, and every command says so.
func TestHelpExplainsTheTable(t *testing.T) {
	for _, command := range []string{"cps", "relay", "conf", "handover", "soak"} {
		out, _, code := told(t, command, "--help")
		if code != 0 {
			t.Errorf("%s --help: exit code %d", command, code)
		}
		for _, word := range []string{"set-up", "SIP", "lost", "strange", "unmarked", "gaps", "worst s", "one way",
			"server", "generator", "Times are in ms", "--server", "127.0.0.1:5060", "--pid", "--json"} {
			if !strings.Contains(out, word) {
				t.Errorf("%s --help does not tell of %q", command, word)
			}
		}
	}
	out, _, _ := told(t, "--help")
	for _, word := range []string{"cps", "relay", "conf", "handover", "soak", "lab"} {
		if !strings.Contains(out, "\n  "+word) {
			t.Errorf("--help does not name %s", word)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args string
		says []string
	}{
		{"relay --server localhost:5060", []string{"--server", "localhost"}},
		{"relay --calls 3", []string{"--seats", "lab --seats 3"}},
		{"relay --calls 0 --rate 0", []string{"--calls: 0", "--rate: 0"}},
		{"cps --hold 2h", []string{"--hold", "1h"}},
		{"conf --key 3x", []string{"--key", "0123456789*#ABCD"}},
		{"handover --by shouting", []string{"--by", "key", "refer"}},
		{"dance", []string{"dance"}},
		{"lab --seats 10000", []string{"--seats", "1 to 9999"}},
	} {
		out, errs, code := told(t, strings.Fields(tt.args)...)
		if code != cli.Misused || out != "" {
			t.Errorf("%s: exit code %d, prints %q", tt.args, code, out)
		}
		for _, word := range tt.says {
			if !strings.Contains(errs, word) {
				t.Errorf("%s: %q does not name %q", tt.args, errs, word)
			}
		}
	}
}

func TestLab(t *testing.T) {
	want, err := load.Lab(3)
	if err != nil {
		t.Fatal(err)
	}
	if out, errs, code := told(t, "lab", "--seats", "3"); code != 0 || out != want || errs != "" {
		t.Errorf("exit code %d, %q, prints\n%s", code, errs, out)
	}
}

// A server that is not there is no hang: it is said, and the exit code is 1.
func TestNobodyThere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a server for 10 s; -short leaves it out")
	}
	t.Parallel()
	_, errs, code := told(t, "relay", "--server", "127.0.0.1:9", "--calls", "1")
	if code != cli.Failed || !strings.Contains(errs, "desk 1101") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
