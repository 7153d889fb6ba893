package configs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"liandong/media/codec"
	"liandong/routing/desk"
	"liandong/routing/verb"
	"liandong/sip/ua"
)

// Default is what holds where a file says nothing. It has no network and no hotline: those nobody can guess.
func Default() *Config {
	return &Config{
		Lang:      "zh",
		Node:      unnamed,
		Log:       Log{Level: "info", Format: "text"},
		Networks:  map[string]*Network{},
		Strangers: "drop",
		Codecs:    []codec.ID{codec.PCMA, codec.PCMU, codec.G722},
		Realm:     "liandong",
		Trunks:    map[string]*Trunk{},
		Hotlines:  map[string]*Hotline{},
		Phones:    map[string]*Phone{},
		Keys: map[string]string{
			"*1": "handover", "*2": "consult", "*3": "conference", "*4": "take_back",
			"*5": "accept", "*6": "other_accepts", "*7": "record", "*8NN": "category", "*9": "urgent",
		},
		Services: map[string]string{
			"handover": "handover", "consult": "consult", "conference": "conference", "take_back": "take_back",
			"accept": "accept", "other_accepts": "other_accepts", "urgent": "urgent", "pickup": verb.Pickup,
			"*81": verb.Ready, "*82": verb.NotReady,
			"monitor": verb.Monitor,
		},
		NotReadyReasons: []string{"break", "meal", "training"},
		SecondLine:      "move",
		Categories:      map[string]*Category{},
		Emergency:       "110",
		Prompts:         Prompts{Files: map[string]string{}, Roles: defaultRoles()},
		Redis:           Redis{URL: desk.NewSecret("redis://127.0.0.1:6379/0")},
		Store:           Outbox{Path: "data/outbox.db", MaxMB: 1024, Keep: 7 * 24 * time.Hour},
		Recording:       RecordingStore{Dir: "data/recordings", Days: 90, MaxShare: 80},
		Trace:           Trace{MemoryMB: 64, Keep: 7 * 24 * time.Hour, MaxMB: 1024, HEP: HEP{Transport: "udp", ID: 1}},
		CallRecords:     CallRecords{Days: 400},
		Audit:           Audit{Days: 400},
		Matters: Matters{
			KeepOpen: 365 * 24 * time.Hour, KeepClosed: 90 * 24 * time.Hour,
			Limits: Limits{FirstFeedback: 2 * time.Hour, Close: 48 * time.Hour},
			Remind: 30 * time.Minute, Supervise: 24 * time.Hour, Recheck: "08:00",
			Hotlines: map[string]*Limits{}, Categories: map[string]*Limits{},
		},
		Webhooks:   map[string]*Webhook{},
		Zone:       "local",
		Indicators: Indicators{Diversion: "calls", KeepDays: 400 * 24 * time.Hour, KeepHours: 40 * 24 * time.Hour},
		Hotspots:   Hotspots{Place: Reports{3, 5, 10}, Person: Reports{3, 5, 10}},
		HTTP:       HTTP{Console: Console{Idle: 30 * time.Minute}},
		Media:      Media{Timeout: 10 * time.Second, Silence: 1500 * time.Millisecond},
		SelfTest:   SelfTest{Every: time.Minute},
		Cluster:    Cluster{Witness: "vrrp", Share: "off"},
		Timers: Timers{
			KeyGap: 2 * time.Second, Settle: 3 * time.Second, TrunkRing: 30 * time.Second, MaxCall: 4 * time.Hour,
			Session: 30 * time.Minute, MinSE: 90 * time.Second,
		},
	}
}

func (t *Trunk) setDefaults() { *t = Trunk{From: "original", PAI: true, Options: 30 * time.Second} }

func (t *Target) setDefaults() { *t = Target{Weight: 1} }

func (h *Hotline) setDefaults() {
	*h = Hotline{
		Ring: "all", NoAnswer: 20 * time.Second, Queue: Queue{MaxWait: 2 * time.Minute, MaxCalls: 10},
		Recording: LineRecording{Mode: "off", Announce: "recorded"},
		Spool:     Spool{State: "data/spool"},
	}
}

// complete fills in what follows from the rest of the file: the only network there is, a phone's network from its
// hotline, the seats of a hotline from the phones that name it.
func (c *Config) complete() {
	c.users = sorted(c.Phones)
	only := c.onlyNetwork()
	for _, n := range c.Networks {
		n.complete()
	}
	for _, t := range c.Trunks {
		c.completeTrunk(t, only)
	}
	for id, h := range c.Hotlines {
		c.completeHotline(id, h, only)
	}
	for _, p := range c.Phones {
		if h, ok := c.Hotlines[p.Hotline]; ok {
			p.Network = cmp.Or(p.Network, h.Network)
		}
		p.Network = cmp.Or(p.Network, only)
		if n, ok := c.Networks[p.Network]; ok {
			p.TLS, p.SRTP = cmp.Or(p.TLS, n.TLS), cmp.Or(p.SRTP, n.SRTP)
		}
	}
}

// complete: who opens a port for TLS means it to be used.
func (n *Network) complete() {
	if n.TLS == "" && n.SIP.TLS.IsValid() {
		n.TLS = ua.Preferred
	}
	n.TLS, n.SRTP = cmp.Or(n.TLS, ua.Off), cmp.Or(n.SRTP, ua.Off)
}

// completeTrunk takes the transport that the network has, UDP where there is a choice.
func (c *Config) completeTrunk(t *Trunk, only string) {
	t.Network = cmp.Or(t.Network, only)
	n, ok := c.Networks[t.Network]
	switch {
	case !ok || t.Transport != "" || n.SIP.UDP.IsValid():
	case n.SIP.TCP.IsValid():
		t.Transport = "tcp"
	case n.SIP.TLS.IsValid():
		t.Transport = "tls"
	}
	t.Transport = cmp.Or(t.Transport, "udp")
	if ok {
		t.SRTP = cmp.Or(t.SRTP, n.SRTP)
	}
}

func (c *Config) completeHotline(id string, h *Hotline, only string) {
	if t, ok := c.Trunks[h.Trunk]; ok {
		h.Network = cmp.Or(h.Network, t.Network)
	}
	h.Network = cmp.Or(h.Network, only)
	h.Name = cmp.Or(h.Name, id)
	if h.Callback.Trunk != "" && len(h.Numbers) > 0 {
		h.Callback.Number = cmp.Or(h.Callback.Number, h.Numbers[0])
	}
	if h.NotReady == "" {
		h.NotReady = notReadySkip
		if id == c.Emergency || slices.ContainsFunc(h.Numbers, isEmergency) {
			h.NotReady = notReadyLast
		}
	}
	h.Prompts = h.Prompts.orFrom(c.Prompts.Roles)
	if h.Trunk != "" && len(h.Numbers) > 0 {
		h.TrunkNumber = cmp.Or(h.TrunkNumber, h.Numbers[0])
	}
	if h.Seats == nil && h.Trunk == "" {
		for _, user := range c.inOrder() {
			if c.Phones[user].Hotline == id && !slices.Contains(h.Supervisors, user) {
				h.Seats = append(h.Seats, user)
			}
		}
	}
}

// What becomes of a seat that is not ready when no ready one is free.
const (
	notReadySkip = "skip"        // it is not rung
	notReadyLast = "last_resort" // it rings rather than nobody
)

// isEmergency says that lives may depend on who calls a number: police, fire, ambulance, traffic police, RFC 5031.
func isEmergency(number string) bool {
	return slices.Contains([]string{"110", "119", "120", "122"}, number) || strings.HasPrefix(number, desk.SOS)
}

// inOrder are the users of all phones: with thousands of them it is well to do that once.
func (c *Config) inOrder() []string {
	if len(c.users) != len(c.Phones) { // built in code, and not yet complete
		return sorted(c.Phones)
	}
	return c.users
}

func (c *Config) onlyNetwork() string {
	if len(c.Networks) != 1 {
		return ""
	}
	return sorted(c.Networks)[0]
}
