//go:build !linux

package socket

import "log/slog"

// Open makes n transports; here they are the portable ones whatever is wished.
func Open(n int, _ Config, _ *slog.Logger) ([]Transport, error) { return portable(n), nil }

// OpenFiles is how many files and sockets this process may have open.
func OpenFiles() (limit uint64, known bool) { return 0, false }
