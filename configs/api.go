package configs

import (
	"net/netip"
	"slices"
	"time"

	"liandong/routing/category"
	"liandong/routing/desk"
)

// What somebody may do by HTTP.
const (
	RoleMonitor    = "monitor"    // reads the figures
	RoleDesk       = "desk"       // sees the calls of its lines, presses their keys, adds to their stubs
	RoleSupervisor = "supervisor" // and hears their recordings
	RoleAdmin      = "admin"      // everything
)

// API is what the HTTP interface needs. Its package is above this one and takes this as its config.
type API struct {
	Lang   string // "zh" or "en"
	Listen []Listener
	Grants []Grant
	Hosts  []string              // names by which it may be asked
	People []Person              // who signs in to the console
	Idle   time.Duration         // after so long without a sign of them they are signed out
	Seats  map[string]*desk.Seat // whose phones may press their own keys
	Lines  map[string]*desk.Hotline
	Keys   map[string]string // key code → verb

	Services map[string]string // number that phones dial → verb
	Reasons  []string          // why a desk is not ready

	Categories category.List // what desk applications look up
	Emergency  string        // the hotline that is told of danger
	Advice     Problems      // why calls will go wrong
}

// Listener is one address of the HTTP interface.
type Listener struct {
	Key               string // of the config, for errors
	Address           netip.AddrPort
	CertFile, KeyFile string   // given: by HTTPS
	Network           string   // whose it is; "": of all
	Lines             []string // of the network
	Console           bool     // of the console
}

// Grant is what somebody may do who is known by a token, by the address, or by both.
type Grant struct {
	Name  string // for the log: the key of the config
	Role  string
	Token desk.Secret    // zero: the address is enough
	From  []netip.Prefix // none: from anywhere
	Lines []string       // of desk and supervisor
}

// API is the HTTP interface's part.
func (c *Config) API() API { return c.APIOf(c.Directory()) }

// APIOf is that part with the lines and seats of a directory of this config.
func (c *Config) APIOf(d *desk.Directory) API {
	emergency := c.Emergency
	if _, ok := c.Hotlines[emergency]; !ok { // a switch between other lines
		emergency = ""
	}
	return API{
		Lang: c.Lang, Listen: c.Listeners(), Grants: c.grants(), Hosts: slices.Clone(c.HTTP.Hosts),
		Seats: d.Seats, Lines: d.Hotlines, Keys: d.Keys, Services: d.Services,
		Reasons: slices.Clone(c.NotReadyReasons),
		People:  c.people(), Idle: c.HTTP.Console.Idle,
		Categories: c.Known(), Emergency: emergency, Advice: c.advised,
	}
}

// Listeners are the addresses of the HTTP interface.
func (c *Config) Listeners() (all []Listener) {
	for i, at := range c.HTTP.Listen {
		all = append(all, Listener{
			Key: c.listenKey(i), Address: at, CertFile: c.files.path(c.HTTP.CertFile),
			KeyFile: c.files.path(c.HTTP.KeyFile),
		})
	}
	for i, at := range c.HTTP.Console.Listen {
		all = append(all, Listener{
			Key: c.consoleKey(i), Address: at, CertFile: c.files.path(c.HTTP.Console.CertFile),
			KeyFile: c.files.path(c.HTTP.Console.KeyFile), Console: true,
		})
	}
	for _, name := range sorted(c.Networks) {
		if w := c.Networks[name].HTTP; w.Listen.IsValid() {
			all = append(all, Listener{
				Key: join("networks", name) + ".http.listen", Address: w.Listen, Network: name, Lines: c.linesIn(name),
				CertFile: c.files.path(w.CertFile), KeyFile: c.files.path(w.KeyFile),
			})
		}
	}
	return all
}

// listenKey is the key of one address: a single one stands without brackets.
func (c *Config) listenKey(i int) string {
	if len(c.HTTP.Listen) == 1 {
		return "http.listen"
	}
	return index("http.listen", i)
}

func (c *Config) grants() (all []Grant) {
	if !c.HTTP.Token.IsZero() {
		all = append(all, Grant{Name: "http.token", Role: RoleAdmin, Token: c.HTTP.Token})
	}
	if len(c.HTTP.Allow) > 0 {
		all = append(all, Grant{Name: "http.allow", Role: RoleAdmin, From: slices.Clone(c.HTTP.Allow)})
	}
	for _, name := range sorted(c.HTTP.Access) {
		a := c.HTTP.Access[name]
		all = append(all, Grant{
			Name: join("http.access", name), Role: a.Role, Token: a.Token, From: slices.Clone(a.From),
			Lines: slices.Clone(a.Hotlines),
		})
	}
	return all
}
