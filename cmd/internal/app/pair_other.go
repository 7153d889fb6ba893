//go:build !linux

package app

import (
	"context"
	"time"
)

// lockPatience is how long the process before may take to let go of what is one process's.
const lockPatience = 5 * time.Second

func watchAddresses(context.Context, chan<- struct{}) {}
