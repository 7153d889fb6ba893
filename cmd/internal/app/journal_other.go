//go:build !linux

package app

import (
	"errors"

	"liandong/routing/journal"
)

func openJournal(string) (*journal.Journal, error) { return nil, errors.ErrUnsupported }
