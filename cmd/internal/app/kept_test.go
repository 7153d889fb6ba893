package app

import (
	"testing"

	"liandong/routing/missed"
	"liandong/routing/ticket"
	"liandong/sip/snapshot/snapshottest"
)

// Missed calls and ticket entries are read from the journal as they were written, field by field.
func TestKept(t *testing.T) {
	snapshottest.Kept[missed.Call](t)
	snapshottest.Kept[ticket.Entry](t)
}
