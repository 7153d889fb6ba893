package engine

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"liandong/media/jitter"
	"liandong/media/prompt"
	"liandong/media/socket"
)

// Config is what the engine needs to know at start; it is not changed later.
type Config struct {
	Networks       map[string]Network
	Shards         int           // threads that carry media; 0: one per core
	SilenceTimeout time.Duration // no sign of a party for so long: Silent
	MediaTimeout   time.Duration // nothing received for so long: MediaLost
	Checkpoint     time.Duration // a Checkpoint of each leg comes so often, beside those of changes; 0: none at all
	PortQuarantine time.Duration // a freed port pair rests so long before it is used again
	// so many packets in a row from one source lock a leg's stream to it, when it is not the signalled one; they are
	// not heard
	LatchPackets int
	Kernel       bool            // what needs nothing of us is relayed by the kernel, where it does that
	Driver       bool            // and by the drivers of the interfaces, where they can: see kernel.Open
	Keeper       socket.Keeper   // holds the ports for the process that comes after this one; nil: nobody does
	Prompts      *prompt.Library // what playlists name, at the start; nil: nothing can be played
	Silent       func() bool     // another machine carries the calls, nothing is to leave; nil: never

	clips *atomic.Pointer[prompt.Library] // what they name now; nil: as at the start
}

// library is what playlists name now.
func (c Config) library() *prompt.Library {
	if c.clips == nil {
		return c.Prompts
	}
	return c.clips.Load()
}

// Network is one side on which RTP is sent and received.
type Network struct {
	Address          netip.Addr     // bound locally
	Advertise        netip.Addr     // told to the peers; zero: Address
	PortMin, PortMax uint16         // even ports carry RTP, the odd one above each its RTCP
	Latch            []netip.Prefix // whence sound is taken though signalling names neither its address nor its host
	Jitter           jitter.Config  // of parties that are mixed, a relay has no buffer; zero: jitter.Default
}

const (
	lowestPort = 1024
	maxLatch   = 100

	shortestSilence = 500 * time.Millisecond
	mostCheckpoint  = 6 * time.Second // as long as reservedPackets last at 100 a second
	longestSilence  = 10 * time.Second
)

// Default gives a config that lacks only its networks and prompts.
func Default() Config {
	return Config{
		SilenceTimeout: 1500 * time.Millisecond,
		MediaTimeout:   10 * time.Second,
		Checkpoint:     5 * time.Second,
		PortQuarantine: 2 * time.Second,
		LatchPackets:   5,
	}
}

// Validate reports every error of c, each with its key and what is allowed.
func (c Config) Validate() error {
	var errs []error
	if len(c.Networks) == 0 {
		errs = append(errs, errors.New("networks: at least one is needed"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Networks)) {
		errs = append(errs, c.Networks[name].validate("networks."+name)...)
	}
	errs = append(errs, c.overlaps()...)
	if c.Shards < 0 || c.Shards > socket.MaxShards {
		errs = append(errs, fmt.Errorf("shards: %d is not allowed, 0 (one per core) to %d", c.Shards, socket.MaxShards))
	}
	if c.SilenceTimeout < shortestSilence || c.SilenceTimeout > longestSilence {
		errs = append(errs, fmt.Errorf("silence_timeout: %v is not allowed, %v to %v",
			c.SilenceTimeout, shortestSilence, longestSilence))
	}
	if c.MediaTimeout < time.Second {
		errs = append(errs, fmt.Errorf("media_timeout: %v is not allowed, 1s or more", c.MediaTimeout))
	}
	if c.Checkpoint != 0 && (c.Checkpoint < time.Second || c.Checkpoint > mostCheckpoint) {
		errs = append(errs, fmt.Errorf("checkpoint: %v is not allowed, 0s (none) or 1s to %v", c.Checkpoint,
			mostCheckpoint))
	}
	if c.PortQuarantine < 0 || c.PortQuarantine > time.Minute {
		errs = append(errs, fmt.Errorf("port_quarantine: %v is not allowed, 0s to 1m", c.PortQuarantine))
	}
	if c.LatchPackets < 1 || c.LatchPackets > maxLatch {
		errs = append(errs, fmt.Errorf("latch_packets: %d is not allowed, 1 to %d", c.LatchPackets, maxLatch))
	}
	return errors.Join(errs...)
}

// everyError takes an error of errors.Join apart.
func everyError(err error) []error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return nil
}

func (n Network) validate(key string) []error {
	var errs []error
	if !n.Address.IsValid() || n.Address.IsMulticast() {
		errs = append(errs, fmt.Errorf("%s.address: %v is not allowed, an IP address of this machine", key, n.Address))
	}
	if a := n.advertised(); a.IsValid() && (a.IsUnspecified() || a.IsMulticast()) {
		errs = append(errs, fmt.Errorf("%s.advertise: %v is not allowed, an IP address that peers can reach", key, a))
	}
	if n.PortMin < lowestPort {
		errs = append(errs, fmt.Errorf("%s.port_min: %d is not allowed, %d to 65534", key, n.PortMin, lowestPort))
	}
	if n.pairs() < 1 {
		errs = append(errs, fmt.Errorf(
			"%s.port_max: %d is not allowed, it must leave an even port and the one above it from port_min (%d) on",
			key, n.PortMax, n.PortMin))
	}
	for _, err := range everyError(n.jitter().Validate()) {
		errs = append(errs, fmt.Errorf("%s.jitter.%w", key, err))
	}
	return errs
}

func (n Network) jitter() jitter.Config {
	if n.Jitter == (jitter.Config{}) {
		return jitter.Default()
	}
	return n.Jitter
}

// advertised is the address that peers are told.
func (n Network) advertised() netip.Addr {
	if n.Advertise.IsValid() {
		return n.Advertise
	}
	return n.Address
}

// first is the lowest even port of the range.
func (n Network) first() int { return (int(n.PortMin) + 1) &^ 1 }

// pairs counts the even ports whose odd neighbour is in the range as well.
func (n Network) pairs() int { return max(0, (int(n.PortMax)-n.first()+1)/2) }

// overlaps finds networks that would take ports from each other.
func (c Config) overlaps() []error {
	var errs []error
	names := slices.Sorted(maps.Keys(c.Networks))
	for i, one := range names {
		for _, other := range names[i+1:] {
			a, b := c.Networks[one], c.Networks[other]
			if a.Address == b.Address && a.PortMin <= b.PortMax && b.PortMin <= a.PortMax {
				errs = append(errs, fmt.Errorf(
					"networks.%s.port_min: the range meets that of %s on the same address, ranges of one address must be apart", other, one))
			}
		}
	}
	return errs
}

func (c Config) shards() int {
	if c.Shards > 0 {
		return c.Shards
	}
	return cores
}
