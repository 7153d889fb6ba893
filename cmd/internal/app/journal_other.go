//go:build !linux

package app

import (
	"errors"
	"os"

	"liandong/routing/journal"
)

func openJournal(string) (*journal.Journal, *os.File, error) { return nil, nil, errors.ErrUnsupported }
