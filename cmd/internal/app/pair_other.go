//go:build !linux

package app

import (
	"context"
	"time"
)

var started = time.Now()

// lockPatience is how long the process before may take to let go of what is one process's.
const lockPatience = 5 * time.Second

func sinceBoot() time.Duration { return time.Since(started) }

func bootID() [16]byte { return [16]byte{} }

func watchAddresses(context.Context, chan<- struct{}) {}
