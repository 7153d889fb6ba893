package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"liandong/cmd/internal/keeper"
)

// program is the path that this program was started by. Where it is a link, that is what an upgrade changes.
func program() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return self, nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return self, nil
	}
	started, err1 := os.Stat(path)
	runs, err2 := os.Stat(self)
	if err1 != nil || err2 != nil || !os.SameFile(started, runs) {
		return self, nil
	}
	return path, nil
}

// keep is the keeper until the switch ends; it gives the switch's exit code.
func keep() (int, error) {
	path, err := program()
	if err != nil {
		return 0, fmt.Errorf("serve: %w", err)
	}
	systemd, err := keeper.NewSystemd()
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	k, err := keeper.New(keeper.Config{
		Path: path, Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals, Systemd: systemd,
	})
	if err != nil {
		return 0, err
	}
	return k.Run(), nil
}
