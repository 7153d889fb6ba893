//go:build !linux

package journal

import (
	"errors"
	"os"
)

func mapped(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapped([]byte) error { return nil }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }
