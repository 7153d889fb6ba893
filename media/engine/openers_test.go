//go:build !linux

package engine

var openers = map[string]opener{"portable": portable}
