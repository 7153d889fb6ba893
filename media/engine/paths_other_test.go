//go:build !linux

package engine

import "liandong/media/socket"

var paths = map[string]socket.Config{"portable": {Portable: true}}
