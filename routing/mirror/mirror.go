// Package mirror keeps on the partner's machine what a switch needs to go on there: the journal of its calls, and the
// entries that have not been shipped. A [Sender] streams what changes, a [Receiver] takes it in. Both carry the short
// messages by which two nodes agree on who carries the calls as well; what those say is nothing to this package.
//
// Nothing waits for the partner. A source is asked for all that has changed since it was asked last, so a partner that
// is slow gets larger cuts and not a longer queue, and one that was away begins with a whole one. What is in memory is
// one cut at most.
//
// A connection is TLS 1.3, and each side shows that it has the secret: both certificates are of a key that is made of
// it. Whoever has not can neither read nor write, nor is there anything to be played again.
package mirror

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"liandong/routing/journal"
)

// Source tells what changes, and Sink takes it: the journal, and the outbox with what it has yet to ship.
type (
	Source interface {
		Take() (journal.Cut, error) // all that has changed since the last time, or everything
		Again()                     // the next cut is a whole one
	}
	Sink interface {
		Apply(journal.Cut) error // all of it or nothing
	}
)

// Named is a source by the name of its sink.
type Named struct {
	Name string
	Source
}

// Config of both ends. Immutable.
type Config struct {
	Node     string         // the switch that both carry by turns
	Listen   netip.AddrPort // where the partner is heard, and from where it is called
	Partner  netip.AddrPort
	Secret   string
	Gather   time.Duration // what changes within so long goes together
	Patience time.Duration // for one step of a connection; then it is made anew
	Log      *slog.Logger
}

// Times that a config has if nothing else is said.
const (
	DefaultGather   = 3 * time.Millisecond
	DefaultPatience = 3 * time.Second
)

// Errors of a connection.
var (
	ErrSecret  = errors.New("mirror: the other side has another secret")
	ErrNode    = errors.New("mirror: the other side is of another switch")
	ErrMessage = errors.New("mirror: not understood")
)

// Stats are figures of both ends. Those of type uint64 only rise.
type Stats struct {
	Connected bool          // to the partner's receiver
	Lag       time.Duration // since the oldest change that the partner has not confirmed; 0: it has all
	Behind    bool          // it lacks something
	Cuts      uint64        // sent
	Wholes    uint64        // of them those that begin anew
	Bytes     uint64        // of them
	Breaks    uint64        // connections that ended
	Applied   uint64        // cuts that were taken in
	Copied    bool          // a whole copy has been taken in from the partner as it is now
	Last      string        // why the last connection ended
}

// hello is what either side says first.
type hello struct {
	Format int    `json:"format"`
	Node   string `json:"node"`
}

// streamFormat changes when a reader of the one before would go wrong by it.
const streamFormat = 1

func (h hello) check(node string) error {
	switch {
	case h.Format != streamFormat:
		return fmt.Errorf("%w: format %d, this side speaks %d", ErrMessage, h.Format, streamFormat)
	case h.Node != node:
		return fmt.Errorf("%w: %q, this side is of %q", ErrNode, h.Node, node)
	}
	return nil
}
