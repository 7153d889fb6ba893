//go:build !linux

package main

import "errors"

// keep has no way to pass descriptors here.
func keep() (int, error) { return 0, errors.ErrUnsupported }
