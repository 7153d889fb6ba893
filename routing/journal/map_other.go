//go:build !linux

package journal

import (
	"errors"
	"os"
	"time"

	"github.com/google/uuid"
)

func mapped(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapped([]byte) error { return nil }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func booted() (boot uuid.UUID, since time.Duration, ok bool) { return boot, 0, false }
