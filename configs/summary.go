package configs

import "strings"

var textSummary = text{
	"没有错误：网络 %s；中继 %s；热线 %s；话机 %d 部；按键 %d 个",
	"no mistakes: networks %s; trunks %s; hotlines %s; %d phones; %d keys",
}

// Summary says in one line what a good config holds, so that an admin sees it was the right file.
func (c *Config) Summary() string {
	return textSummary.of(sorted(c.Networks), sorted(c.Trunks), strings.Join(c.HotlineIDs(), ", "), len(c.Phones), len(c.Keys)).in(c.Lang)
}

// Warnings are what does no harm yet: a certificate that expires soon.
func (c *Config) Warnings() Problems { return c.warnings }

// HotlineIDs lists the hotlines in a fixed order.
func (c *Config) HotlineIDs() []string { return sorted(c.Hotlines) }
