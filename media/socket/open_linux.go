package socket

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Open makes n transports, with the fast paths that are wished and that this process may use: each is
// tried on loopback first, and without it all works the usual way.
func Open(n int, c Config, log *slog.Logger) (all []Transport, err error) {
	if c.Portable {
		return portable(n), nil
	}
	var kernel *steering
	if c.Steered {
		if kernel, err = newSteering(); err != nil {
			log.Debug("no steered receive", "err", err)
			kernel = nil
		} else {
			defer kernel.release()
		}
	}
	for shard := range n {
		t, err := newEpoll()
		if err != nil {
			StopAll(all)
			return nil, err
		}
		if c.Raw {
			t.addRaw(log)
		}
		if kernel != nil {
			t.addSteered(kernel, uint32(shard), log)
		}
		t.keeper = c.Keeper
		all = append(all, t)
	}
	return all, nil
}

func (t *epollNet) addRaw(log *slog.Logger) {
	var err error
	if t.raw, err = newRawPath(); err == nil {
		if err = t.selfTest(); err == nil && len(t.raw.senders) > 0 {
			return
		}
		t.raw.close()
	}
	t.raw = nil
	log.Debug("no raw transmit", "err", err)
}

func (t *epollNet) addSteered(s *steering, shard uint32, log *slog.Logger) {
	var err error
	if t.steered, err = s.steer(shard); err == nil {
		if err = t.selfTest(); err == nil {
			return
		}
		t.steered.close()
	}
	t.steered = nil
	log.Debug("no steered receive", "err", err)
}

var errSelfTest = errors.New("socket: what was sent did not come")

// selfTestWait is generous: a datagram on loopback is there at once, or never.
const selfTestWait = 200 * time.Millisecond

// selfTest sends a datagram from a port of this transport to another: what the privileges
// promise, a firewall or a seccomp filter may still forbid.
func (t *epollNet) selfTest() error {
	anyPort := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	from, err := t.Open(anyPort)
	if err != nil {
		return err
	}
	defer t.Close(from)
	to, err := t.Open(anyPort)
	if err != nil {
		return err
	}
	defer t.Close(to)
	t.Watch(from, OnDemand)
	t.Watch(to, Promptly)
	word := []byte("liandong")
	t.Queue(from, t.table[to].Load().local, word)
	t.Flush()
	came := false
	for deadline := time.Now().Add(selfTestWait); !came && time.Now().Before(deadline); {
		t.Poll(selfTestWait)
		t.Drain(func(p Packet) { came = came || p.Socket == to && string(p.Data) == string(word) })
	}
	if !came {
		return errSelfTest
	}
	return nil
}

// OpenFiles is how many files and sockets this process may have open.
func OpenFiles() (limit uint64, known bool) {
	var l unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	return l.Cur, err == nil
}
