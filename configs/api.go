package configs

import (
	"net/netip"
	"slices"

	"liandong/routing/category"
	"liandong/routing/desk"
)

// API is what the HTTP interface needs. Its package is above this one and takes this as its config.
type API struct {
	Lang   string         // "zh" or "en"
	Listen netip.AddrPort // zero: off
	Token  desk.Secret    // zero: nobody gets in by token
	Allow  []netip.Prefix // who gets in without

	Categories category.List // what desk applications look up
	Emergency  string        // the hotline that is told of danger
}

// API is the HTTP interface's part.
func (c *Config) API() API {
	emergency := c.Emergency
	if _, ok := c.Hotlines[emergency]; !ok { // a switch between other lines
		emergency = ""
	}
	return API{Lang: c.Lang, Listen: c.HTTP.Listen, Token: c.HTTP.Token, Allow: slices.Clone(c.HTTP.Allow),
		Categories: c.Known(), Emergency: emergency}
}
