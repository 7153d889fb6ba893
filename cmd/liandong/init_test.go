package main

import (
	"bytes"
	"cmp"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/cli"
	"liandong/configs"
)

// The file that init writes passes check, in both languages, and is its owner's alone, and the group's of a directory
// that gives it one; it is never overwritten, and nobody is asked in vain.
func TestInit(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{"zh": "已写入", "en": "is written", "": "已写入"} {
		file := filepath.Join(t.TempDir(), "first.yaml")
		cmd := exec.CommandContext(t.Context(), binary, "init", "--lang", lang, file)
		cmd.Env = []string{}
		cmd.Stdin = strings.NewReader("no address\n10.1.0.10\n10.1.0.10\n::1\n\n3 phones\n3\n\n")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Fatalf("%v: %s", err, out)
		}
		c, err := configs.Load(file, configs.Options{})
		if err != nil || len(c.Phones) != 6 || c.Lang != cmp.Or(lang, "zh") || c.Trunks["pbx"].Target != "127.0.0.10:5060" ||
			c.Networks["office"].HTTP.Listen != netip.MustParseAddrPort("10.1.0.10:8080") {
			t.Errorf("%v %+v", err, c)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		again := exec.CommandContext(t.Context(), binary, "init", "--lang", lang, file)
		again.Env = []string{}
		if out, err := again.CombinedOutput(); err == nil || strings.Contains(string(out), "IP") {
			t.Errorf("a file that was there: %v\n%s", err, out)
		}
		shared := t.TempDir()
		if err := os.Chmod(shared, 0o750|os.ModeSetgid); err != nil {
			t.Fatal(err)
		}
		cmd = exec.CommandContext(t.Context(), binary, "init", "--lang", lang, filepath.Join(shared, "first.yaml"))
		cmd.Env = []string{}
		cmd.Stdin = strings.NewReader("\n\n\n\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if info, err := os.Stat(filepath.Join(shared, "first.yaml")); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v %v", info.Mode(), err)
		}
	}
}

// Ctrl-C ends a command that waits for an answer.
func TestCtrlCAtAQuestion(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), binary, "init", filepath.Join(t.TempDir(), "first.yaml"))
	typed, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typed.Close()
	asked, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := asked.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != cli.Interrupted {
		t.Error(cmd.ProcessState)
	}
}

func TestPasswd(t *testing.T) {
	t.Parallel()
	var hashes []string
	for _, in := range []string{"calm heron\n", "calm heron\n", "short\n"} {
		cmd := exec.CommandContext(t.Context(), binary, "passwd", "--lang=en")
		cmd.Stdin = strings.NewReader(in)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); (err != nil) != (in == "short\n") {
			t.Errorf("%q: %v %s", in, err, errs.String())
		}
		hashes = append(hashes, out.String())
	}
	if !strings.HasPrefix(hashes[0], "$argon2id$v=19$m=65536,t=3,p=4$") || hashes[0] == hashes[1] || hashes[2] != "" {
		t.Errorf("%q", hashes)
	}
}

// What people type who have not read on is understood.
func TestHelpAndVersionInTheirOtherForms(t *testing.T) {
	t.Parallel()
	if out, _, code := call(t, nil, "--version"); code != 0 || !strings.HasPrefix(out, "liandong ") {
		t.Errorf("%d %q", code, out)
	}
	if out, _, code := call(t, nil, "help", "check"); code != 0 || !strings.Contains(out, "--against-running") {
		t.Errorf("%d %q", code, out)
	}
	if out, _, code := call(t, nil, "check", "-c", "configs/lab.yaml"); code != 0 ||
		!strings.HasPrefix(out, "configs/lab.yaml: no mistakes") {
		t.Errorf("%d %q", code, out)
	}
}
