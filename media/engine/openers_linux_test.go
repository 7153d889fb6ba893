package engine

import "log/slog"

// openers are all the ways in which datagrams can be moved here. Those that need privileges fall
// back, and then run twice.
var openers = map[string]opener{
	"portable":      portable,
	"epoll":         over(false, false),
	"epoll+raw":     over(true, false),
	"epoll+steered": over(false, true),
	"both":          over(true, true),
}

func over(raw, steer bool) opener {
	return func(n int, log *slog.Logger) ([]Transport, error) { return linuxTransports(n, raw, steer, log) }
}

var discard = slog.New(slog.DiscardHandler)
