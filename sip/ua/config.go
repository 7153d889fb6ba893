package ua

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"liandong/sip/admission"
	"liandong/sip/auth"
	"liandong/sip/capture"
	"liandong/sip/leg"
	"liandong/sip/location"
)

// Secret is a password that does not show itself in logs or when printed.
type Secret string

func (Secret) String() string       { return "***" }
func (Secret) GoString() string     { return "***" }
func (Secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText keeps it out of JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Strangers: what happens to requests of those who are neither a trunk nor a phone.
const (
	Drop   = "drop" // no answer at all: a scanner learns nothing
	Forbid = "403"
)

// Network is one foot of the switch. A zero AddrPort switches that transport off.
type Network struct {
	UDP, TCP  netip.AddrPort
	TLS       TLS
	Advertise string // host that others reach us by; empty: the address bound

	// Allow are the sources that are heard at all; empty: anybody. Trunks of this
	// network are heard from their Match and their Targets, but for those that are
	// names: then Match or Allow has to hold their addresses.
	Allow []netip.Prefix

	Strangers string // Drop or Forbid; "": as Config.Strangers
}

// Trunk is a peer that is known by its source address on one network; one that
// is reached by TLS is known on TLS only.
type Trunk struct {
	Network    string
	Match      []netip.Prefix
	Targets    []string // host[:port] that requests are sent to
	Contact    string   // user part of our Contact where we have registered: by it its calls are known; "": none
	Transport  string   // "udp", "tcp" or "tls"
	CAFile     string   // PEM: who has signed its certificate; "": as the system has it
	Trusted    bool     // what it says of callers and of priority is believed
	ServerName string   // that its certificate is made out to; "": the host of Target
}

// User is a phone's account; it may register on its own network only.
type User struct {
	Password Secret
	Network  string
	Digest   string // the one algorithm it is challenged with, auth.SHA256 or auth.MD5; "": both, the stronger first
	TLS      string // Required: it is heard by TLS only; Off: never; Preferred: by all, and called by TLS if it can be
}

// Config of the socket layer. Immutable after New.
type Config struct {
	Networks  map[string]Network
	Trunks    map[string]Trunk
	Users     map[string]User
	Realm     string
	Secret    []byte // signs nonces and tags; empty: a new one for each New
	UserAgent string
	Strangers string // Drop or Forbid

	MaxRate        int           // requests per second of one source that is not known (yet)
	MaxBurst       int           // that many at once
	MaxConnections int           // TCP and TLS, both ways; a quarter may be of unknown peers
	MaxContacts    int           // of one user; the oldest gives way
	MinExpires     time.Duration // shorter registrations are refused with 423
	MaxExpires     time.Duration // longer ones are cut to this
	MTU            int           // requests longer than this (bytes) go by TCP where the peer has it
	ReadBuffer     int           // SO_RCVBUF of a UDP socket, bytes
	DialTimeout    time.Duration // TCP and TLS, with the handshake; of a handshake alone when the peer has dialled
	ProbeTimeout   time.Duration // TCP attempt for a request over the MTU
	WriteTimeout   time.Duration // TCP peer that does not read
	IdleTimeout    time.Duration // TCP peer that has not shown who it is

	// Bindings is told of each change of a user's registrations, with those now
	// live. It runs on the reader's goroutine: it must not block, nor call Stop.
	Bindings func(user string, live []Binding)

	Another func(b Binding, phones int) // is told of a phone that takes a user's calls beside others; as Bindings
	// Share is told what other switches are to know of a REGISTER that was accepted; as Bindings. What they know comes
	// by [UA.Learn]. nil: each switch knows its own phones.
	Share func([]location.Binding)
	Node  string // this switch, for the others

	// Now is steady: it is not moved when the wall clock is set. nil: such a one of its own.
	Now func() time.Time

	// Keep is told each value that a process after this one has to know, and nil where there is none any more; it
	// must not block. nil: nothing outlives the process.
	Keep     func(key string, value []byte)
	SelfTest string // begins the names that the switch calls itself by; "": it does not
	Keeper   Keeper // of sockets; nil: they end with the process

	// Trace is given each message of a call, its secrets masked, from any goroutine; it must not block. nil: nobody
	// looks.
	Trace func(capture.Message)
	// Turns bound how much is done at once; new calls wait for one. nil: they do not.
	Turns *admission.Turns
	// Emergency says that a number is the emergency line's, whose calls come before others. nil: none is.
	Emergency func(dialled string) bool

	// TurnedAway is told of calls of trunks that were refused for want of time, once for a caller and an hour, when
	// there is time to read them; it must not block. nil: nobody is.
	TurnedAway func(o Origin, p leg.Packet, at time.Time)

	Silent func() bool // another machine carries the calls, nothing is to leave; nil: never
}

// Default is a configuration without networks, trunks and users.
func Default() Config {
	return Config{
		Realm: "liandong", UserAgent: "liandong", Strangers: Drop,
		MaxRate: 100, MaxBurst: 400, MaxConnections: 4096, MaxContacts: 8,
		MinExpires: 30 * time.Second, MaxExpires: time.Hour,
		MTU: 1300, ReadBuffer: 4 << 20,
		DialTimeout: 4 * time.Second, ProbeTimeout: 500 * time.Millisecond,
		WriteTimeout: 5 * time.Second, IdleTimeout: 30 * time.Second,
	}
}

// Validate names every setting that is wrong and what is allowed.
func (c Config) Validate() error {
	return errors.Join(append(c.checkPeers(), c.checkLimits()...)...)
}

func (c Config) checkPeers() []error {
	var errs []error
	if len(c.Networks) == 0 {
		errs = append(errs, errors.New("networks: at least one is needed"))
	}
	for _, name := range sortedKeys(c.Networks) {
		n := c.Networks[name]
		if !n.UDP.IsValid() && !n.TCP.IsValid() && !n.TLS.Listen.IsValid() {
			errs = append(errs, fmt.Errorf("networks.%s: an address for udp, tcp or tls", name))
		}
		if n.TLS.Listen.IsValid() && (n.TLS.CertFile == "" || n.TLS.KeyFile == "") {
			errs = append(errs, fmt.Errorf("networks.%s.tls: files of a certificate and its key", name))
		}
		if slices.ContainsFunc(n.Allow, func(p netip.Prefix) bool { return !p.IsValid() }) {
			errs = append(errs, fmt.Errorf("networks.%s.allow: ranges of addresses such as 10.1.0.0/16", name))
		}
	}
	for _, name := range sortedKeys(c.Trunks) {
		t := c.Trunks[name]
		if _, ok := c.Networks[t.Network]; !ok {
			errs = append(errs, c.noNetwork("trunks", name, t.Network))
		}
		if !slices.Contains([]string{"", "udp", "tcp", "tls"}, t.Transport) {
			errs = append(errs, fmt.Errorf("trunks.%s.transport: %q is not udp, tcp or tls", name, t.Transport))
		}
	}
	for _, name := range c.faulty() {
		if d := c.Users[name].Digest; d != "" && d != auth.SHA256 && d != auth.MD5 {
			errs = append(errs, fmt.Errorf("users.%s.digest: %q is not %q or %q", name, d, auth.SHA256, auth.MD5))
		}
		if p := c.Users[name].TLS; !slices.Contains([]string{"", Required, Preferred, Off}, p) {
			errs = append(errs, fmt.Errorf("users.%s.tls: %q is not %q, %q or %q", name, p, Required, Preferred, Off))
		}
		if _, ok := c.Networks[c.Users[name].Network]; !ok {
			errs = append(errs, c.noNetwork("users", name, c.Users[name].Network))
		}
	}
	return errs
}

// faulty are the users with a setting that is wrong, in order: there may be thousands of others.
func (c Config) faulty() (names []string) {
	for name, u := range c.Users {
		_, there := c.Networks[u.Network]
		if !there || !slices.Contains([]string{"", auth.SHA256, auth.MD5}, u.Digest) ||
			!slices.Contains([]string{"", Required, Preferred, Off}, u.TLS) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (c Config) noNetwork(of, name, network string) error {
	return fmt.Errorf("%s.%s.network: %q is not one of %v", of, name, network, sortedKeys(c.Networks))
}

func (c Config) checkLimits() []error {
	var errs []error
	positive := func(key string, ok bool) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: more than 0", key))
		}
	}
	for _, name := range sortedKeys(c.Networks) {
		if s := c.Networks[name].Strangers; s != "" && s != Drop && s != Forbid {
			errs = append(errs, fmt.Errorf("networks.%s.strangers: %q is not %q or %q", name, s, Drop, Forbid))
		}
	}
	if c.Strangers != Drop && c.Strangers != Forbid {
		errs = append(errs, fmt.Errorf("strangers: %q is not %q or %q", c.Strangers, Drop, Forbid))
	}
	if c.Realm == "" {
		errs = append(errs, errors.New("realm: a name that phones show, such as the domain"))
	}
	positive("max_rate", c.MaxRate > 0)
	positive("max_burst", c.MaxBurst > 0)
	positive("max_connections", c.MaxConnections > 0)
	positive("max_contacts", c.MaxContacts > 0)
	positive("min_expires", c.MinExpires > 0)
	positive("dial_timeout", c.DialTimeout > 0)
	positive("probe_timeout", c.ProbeTimeout > 0)
	positive("write_timeout", c.WriteTimeout > 0)
	positive("idle_timeout", c.IdleTimeout > 0)
	if c.MaxExpires < c.MinExpires {
		errs = append(errs, errors.New("max_expires: not less than min_expires"))
	}
	if c.MTU < 500 || c.MTU > 65000 {
		errs = append(errs, errors.New("mtu: 500 to 65000 bytes"))
	}
	return errs
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
