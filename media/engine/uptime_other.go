//go:build !linux

package engine

import "time"

// machineUptime is the time of day where nothing better is at hand.
func machineUptime() time.Duration { return time.Duration(time.Now().UnixNano()) }
