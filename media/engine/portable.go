//go:build !linux

package engine

import "log/slog"

// transports makes one for each shard.
func transports(n int, log *slog.Logger) ([]Transport, error) { return portable(n, log) }

func preferThread() {}

func openFiles() (limit uint64, known bool) { return 0, false }
