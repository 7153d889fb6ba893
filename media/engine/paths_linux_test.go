package engine

import "liandong/media/socket"

// paths are all the ways in which datagrams can be moved here. Those that need privileges fall
// back, and then run twice.
var paths = map[string]socket.Config{
	"portable":      {Portable: true},
	"epoll":         {},
	"epoll+raw":     {Raw: true},
	"epoll+steered": {Steered: true},
	"both":          {Raw: true, Steered: true},
}
