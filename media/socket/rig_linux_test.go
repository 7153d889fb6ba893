package socket

import (
	"log/slog"
	"net/netip"
	"os"
	"testing"
	"time"
)

// patience is generous: these tests run over real sockets on machines that are busy.
const patience = 20 * time.Second

var (
	loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	discard  = slog.New(slog.DiscardHandler)
)

// eventually waits for a condition that the kernel brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(transportEnv) != "" {
		sayTransport()
		return
	}
	os.Exit(m.Run())
}
