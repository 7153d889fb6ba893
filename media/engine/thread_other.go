//go:build !linux

package engine

func preferThread() {}
