package exchange

import (
	"testing"

	"liandong/media/engine"
	"liandong/sip/leg"
	"liandong/sip/notifier"
	"liandong/sip/snapshot/snapshottest"
)

// All that the exchange has in the journal is read as it was written, field by field.
func TestKept(t *testing.T) {
	snapshottest.Kept[Record](t)
	snapshottest.Kept[leg.State](t)
	snapshottest.Kept[Letter](t)
	snapshottest.Kept[Agent](t)
	snapshottest.Kept[engine.DigitReceived](t)
	snapshottest.Kept[notifier.State](t)
}
