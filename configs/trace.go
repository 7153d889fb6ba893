package configs

import (
	"net/netip"
	"time"

	"liandong/media/record"
	"liandong/routing/desk"
	"liandong/sip/capture"
)

// Trace is what is kept of the SIP messages of calls, to be looked at afterwards.
type Trace struct {
	MemoryMB int `yaml:"memory_mb" min:"0" max:"65536"` // the newest in memory; 0: nothing is kept
	// what is no longer in memory, and outlives the process; "": nothing
	Dir   string        `yaml:"dir" is:"dir"`
	Keep  time.Duration `yaml:"keep" min:"1h" max:"87600h"` // older files go
	MaxMB int           `yaml:"max_mb" min:"16" max:"1048576"`
	HEP   HEP           `yaml:"hep"`
}

// Spill is where messages of calls are kept on disk, sealed as recordings are.
type Spill struct {
	Dir  string
	Keep time.Duration
	Max  int64 // bytes
	Keys []record.Key
}

// Spill is where they are kept; nil: they are not.
func (c *Config) Spill() *Spill {
	t := c.Trace
	if t.Dir == "" || t.MemoryMB == 0 {
		return nil
	}
	return &Spill{Dir: t.Dir, Keep: t.Keep, Max: int64(t.MaxMB) << 20, Keys: c.Record().Keys}
}

// HEP is a Homer that gets the messages of calls.
type HEP struct {
	Address      netip.AddrPort `yaml:"address"` // zero: there is none
	Transport    string         `yaml:"transport" oneof:"udp tcp"`
	ID           int            `yaml:"id" min:"0" max:"2147483647"` // of this switch among those that send there
	Password     desk.Secret    `yaml:"password"`
	PasswordFile string         `yaml:"password_file" is:"path"`
	Network      string         `yaml:"network" is:"name"` // whose messages it gets; "": of all
}

// bareKey: hep: 10.1.0.40:9060 is its address.
func (HEP) bareKey() string { return "address" }

// HEP is the Homer that gets the messages; nil: there is none.
func (c *Config) HEP() *capture.HEPConfig {
	h := c.Trace.HEP
	if !h.Address.IsValid() {
		return nil
	}
	return &capture.HEPConfig{
		Address: h.Address, Transport: h.Transport, ID: uint32(h.ID), Password: h.Password.Reveal(), Network: h.Network,
	}
}

// traces checks whom messages are sent to: of which network is to be said where there are several, one of which does
// not show its addresses to the other.
func (c *checker) traces() {
	refers(c, "audit.network", c.Audit.Network, c.Networks)
	h := c.Trace.HEP
	refers(c, "trace.hep.network", h.Network, c.Networks)
	if h.Address.IsValid() && h.Network == "" && len(c.Networks) > 1 {
		c.warn("trace.hep.network", textHEPNetworks.of())
	}
}
