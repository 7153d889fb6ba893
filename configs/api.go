package configs

import (
	"net/netip"
	"slices"

	"liandong/routing/desk"
)

// API is what the HTTP interface needs. Its package is above this one and takes this as its config.
type API struct {
	Lang   string         // "zh" or "en"
	Listen netip.AddrPort // zero: off
	Token  desk.Secret    // zero: nobody gets in by token
	Allow  []netip.Prefix // who gets in without
}

// API is the HTTP interface's part.
func (c *Config) API() API {
	return API{Lang: c.Lang, Listen: c.HTTP.Listen, Token: c.HTTP.Token, Allow: slices.Clone(c.HTTP.Allow)}
}
