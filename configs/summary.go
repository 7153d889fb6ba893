package configs

import (
	"slices"
	"strings"
)

var textSummary = text{
	"没有错误：网络 %s；中继 %s；热线 %s；话机 %d 部；按键 %d 个",
	"no mistakes: networks %s; trunks %s; hotlines %s; %d phones; %d keys",
}

var textShares = text{
	"；本机 %s 与其他交换机共用注册：经代理（Path）注册的话机各台都能振铃，直接注册的只有所注册的一台能振铃",
	"; %s shares registrations: phones that come by a proxy (Path) are rung by every switch, others by the one they registered with",
}

// Summary says in one line what a good config holds, so that an admin sees it was the right file.
func (c *Config) Summary() string {
	what := textSummary.of(sorted(c.Networks), sorted(c.Trunks), strings.Join(c.HotlineIDs(), ", "), len(c.Phones),
		len(c.Keys)).in(c.Lang)
	if c.Shares() {
		what += textShares.of(c.Node).in(c.Lang)
	}
	return what
}

// Warnings are what does no harm yet: a certificate that expires soon.
func (c *Config) Warnings() Problems { return c.warnings }

// Advice are those of the warnings that say that calls will go wrong: a line without a partner, a trunk that leads
// back to us.
func (c *Config) Advice() Problems { return c.advised }

var textPlaceholders = text{
	"警告：prompts.files：提示音 %s 仍是合成语音的样例；接市民来电之前请换成真人录音",
	"warning: prompts.files: %s are the shipped placeholders of a speech synthesiser; put recordings of a human voice in before citizens call",
}

// Placeholders says which announcements are still the shipped ones; false: none that is heard.
func (c *Config) Placeholders() (what string, ok bool) {
	var names []string
	for _, name := range sorted(shipped()) {
		if _, own := c.Prompts.Files[name]; !own && c.plays(name) {
			names = append(names, name)
		}
	}
	return textPlaceholders.of(strings.Join(names, ", ")).in(c.Lang), len(names) > 0
}

// plays says that a clip is played to somebody.
func (c *Config) plays(clip string) bool {
	for id, h := range c.Hotlines {
		line := h.line(id)
		if slices.Contains(line.Prompts.Names(), clip) || line.Recording.Announce == clip {
			return true
		}
	}
	return false
}

// TrunkNames lists the trunks in a fixed order.
func (c *Config) TrunkNames() []string { return sorted(c.Trunks) }

// HotlineIDs lists the hotlines in a fixed order.
func (c *Config) HotlineIDs() []string { return sorted(c.Hotlines) }
