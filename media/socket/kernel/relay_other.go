//go:build !linux

package kernel

import (
	"errors"
	"net/netip"
	"time"

	"liandong/media/socket"
)

// Relay is Linux's; here Open gives none.
type Relay struct{}

// Open fails: other systems have no such programs.
func Open([]netip.Addr, [2][256]uint32, bool, socket.Keeper) (*Relay, error) {
	return nil, errors.New("kernel: only Linux relays in the kernel")
}

// End has nothing to end.
func End(socket.Keeper) {}

func (*Relay) Routes() uint32                              { return 0 }
func (*Relay) Front() (int, error)                         { return 0, nil }
func (*Relay) Close()                                      {}
func (*Relay) Put(Flow) (Slot, error)                      { return 0, errors.ErrUnsupported }
func (*Relay) Read(Slot) (Progress, bool)                  { return Progress{}, false }
func (*Relay) Stop(Slot) Progress                          { return Progress{} }
func (*Relay) Free(Slot)                                   {}
func (*Relay) Copies(Slot) uint64                          { return 0 }
func (*Relay) Copy(Slot, uint64, []byte) (time.Time, bool) { return time.Time{}, false }
func (*Relay) Adopt(netip.AddrPort) (Slot, Flow, bool)     { return 0, Flow{}, false }
func (*Relay) Drop(...netip.AddrPort)                      {}
