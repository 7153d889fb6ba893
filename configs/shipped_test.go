package configs

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/media/jitter"
	"liandong/media/pcm"
	"liandong/media/prompt"
	"liandong/routing/desk"
	"liandong/routing/verb"
)

// own are the secrets that the production example asks for, and the only variables that the files are given.
var own = []string{
	"LIANDONG_OPERATOR_PASSWORD", "LIANDONG_PHONE_1101", "LIANDONG_PHONE_1102", "LIANDONG_PHONE_2101",
	"LIANDONG_PHONE_2102",
	"LIANDONG_PHONE_2190", "LIANDONG_HTTP_TOKEN",
}

func ownSecrets(name string) (string, bool) { return "of " + name, slices.Contains(own, name) }

func load(t *testing.T, file string, set ...string) *Config {
	t.Helper()
	c, err := Load(file, Options{Lang: "en", Env: ownSecrets, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShippedFilesPass(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || !slices.Equal(files, []string{"lab.yaml", "liandong.yaml"}) {
		t.Fatalf("shipped files: %v %v", files, err)
	}
	for _, f := range files {
		c := load(t, f)
		if again := c.Validate(); again != nil {
			t.Errorf("%s passes once and not twice: %v", f, again)
		}
	}
}

// Outside tools are pointed at the lab: these values do not change.
func TestLabIsTheContract(t *testing.T) {
	c := load(t, "lab.yaml")
	d := c.Directory()
	for _, tt := range []struct {
		what string
		got  any
		want any
	}{
		{"networks", sorted(c.Networks), []string{"lab"}},
		{"SIP UDP", c.Networks["lab"].SIP.UDP, netip.MustParseAddrPort("127.0.0.1:5060")},
		{"SIP TCP", c.Networks["lab"].SIP.TCP, netip.MustParseAddrPort("127.0.0.1:5060")},
		{"RTP address", c.Networks["lab"].RTP.Address, netip.MustParseAddr("127.0.0.1")},
		{"RTP ports", c.Networks["lab"].RTP.Ports, Ports{20000, 29999}},
		{"trunks", sorted(d.Trunks), []string{"pstn"}},
		{"trunk match", d.Trunks["pstn"].Match, []netip.Prefix{netip.MustParsePrefix("127.0.0.10/32")}},
		{"trunk target", d.Trunks["pstn"].Target, "127.0.0.10:5060"},
		{"trunk trusted", d.Trunks["pstn"].Trusted, true},
		{"realm", c.Realm, "liandong.lab"},
		{"hotlines", sorted(d.Hotlines), []string{"110", "12345"}},
		{"numbers of 110", d.Hotlines["110"].Numbers, []string{"110"}},
		{"numbers of 12345", d.Hotlines["12345"].Numbers, []string{"12345"}},
		{"seats of 110", d.Hotlines["110"].Seats, []string{"1101", "1102"}},
		{"seats of 12345", d.Hotlines["12345"].Seats, []string{"2101", "2102"}},
		{"ring", d.Hotlines["110"].Ring, desk.All},
		{"ring", d.Hotlines["12345"].Ring, desk.All},
		{"no answer", d.Hotlines["110"].NoAnswer, 8 * time.Second},
		{"no answer", d.Hotlines["12345"].NoAnswer, 8 * time.Second},
		{"partner", d.Hotlines["110"].Partner, "12345"},
		{"partner", d.Hotlines["12345"].Partner, "110"},
		{"settle", d.Timers.Settle, 3 * time.Second},
		{"phones", sorted(c.Phones), []string{"1101", "1102", "2101", "2102"}},
		{"HTTP", c.HTTP.Listen, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}},
		{"HTTP open to", c.HTTP.Allow, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"),
			netip.MustParsePrefix("::1/128")}},
		{"Redis", c.Outbox().URL.Reveal(), "redis://127.0.0.1:6379/0"},
		{"emergency", d.Emergency, "110"},
		{"keys", d.Keys, map[string]string{
			"*1": "handover", "*2": "consult", "*3": "conference", "*4": "take_back",
			"*5": "accept", "*6": "other_accepts", "*7": "record", "*8NN": "category", "*9": "urgent",
		}},
	} {
		if fmt.Sprint(tt.got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, tt.got, tt.want)
		}
	}
	for user, p := range c.Phones {
		if got := p.Password.Reveal(); got != "lab-"+user {
			t.Errorf("password of %s: %q", user, got)
		}
	}
	if _, err := verb.NewKeymap(d.Keys); err != nil {
		t.Error(err)
	}
}

func TestProductionExample(t *testing.T) {
	c := load(t, "liandong.yaml")
	d := c.Directory()
	if got := sorted(d.Hotlines); !slices.Equal(got, []string{"110", "119", "120", "122", "12345"}) {
		t.Errorf("hotlines: %v", got)
	}
	if got := sorted(c.Networks); !slices.Equal(got, []string{"gov", "police"}) {
		t.Errorf("networks: %v", got)
	}
	for _, id := range []string{"119", "120", "122"} {
		h := d.Hotlines[id]
		if h.Trunk == "" || h.TrunkNumber != id || len(h.Seats) > 0 || h.Network != d.Trunks[h.Trunk].Network {
			t.Errorf("%s is not reached through a trunk: %+v", id, h)
		}
	}
	if got := d.Seats["2190"]; got.Network != "police" || got.Hotline != "12345" {
		t.Errorf("the police seat inside 12345: %+v", got)
	}
	if got := d.Seats["2101"].Network; got != "gov" {
		t.Errorf("a phone without a network is on %q, want its hotline's", got)
	}
	if got := d.Hotlines["12345"].Seats; !slices.Equal(got, []string{"2101", "2102", "2190"}) {
		t.Errorf("seats of a hotline that lists none: %v", got)
	}
}

// Nobody goes live with a secret of ours: the example has none, and those of examples are refused.
// TestUnit: with the unit's limit of open files the ports of the example beside it can all be used.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile("systemd/liandong.service")
	if err != nil {
		t.Fatal(err)
	}
	limit := 0
	for line := range strings.Lines(string(unit)) {
		_, _ = fmt.Sscanf(line, "LimitNOFILE=%d", &limit)
	}
	needed := 256
	for _, n := range load(t, "liandong.yaml").Engine().Networks {
		needed += int(n.PortMax-n.PortMin) + 1
	}
	if limit < needed {
		t.Errorf("LimitNOFILE=%d, the example's ports need %d", limit, needed)
	}
}

func TestProductionExampleNeedsSecrets(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  func(string) (string, bool)
		says string
	}{
		{"not set", func(string) (string, bool) { return "", false }, "未设置"},
		{"placeholder", func(name string) (string, bool) { return "change-me", slices.Contains(own, name) }, "占位"},
	} {
		_, err := Load("liandong.yaml", Options{Lang: "en", Env: tt.env})
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) != len(own) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for _, p := range problems {
			if !strings.Contains(p.Text, tt.says) {
				t.Errorf("%s: %v", tt.name, p)
			}
		}
	}
}

// Only 110 may say that a matter is none for the police.
func TestWhatIsSaidAtHandover(t *testing.T) {
	for _, file := range []string{"lab.yaml", "liandong.yaml"} {
		d := load(t, file).Directory()
		if a, b := d.Hotlines["110"].Prompts.Handover, d.Hotlines["12345"].Prompts.Handover; a != "transfer" ||
			b != "keep_waiting" {
			t.Errorf("%s: 110 says %q, 12345 says %q", file, a, b)
		}
	}
}

// Each network hears its own phones' addresses only.
func TestAllowReachesTheSockets(t *testing.T) {
	c := load(t, "liandong.yaml")
	u := c.UA()
	for network, want := range map[string]string{"police": "[10.1.0.0/16]", "gov": "[172.20.0.0/16]"} {
		if got := fmt.Sprint(u.Networks[network].Allow); got != want {
			t.Fatalf("%s: %s, want %s", network, got, want)
		}
	}
	u.Networks["gov"].Allow[0] = netip.Prefix{}
	if !c.Networks["gov"].Allow[0].IsValid() {
		t.Error("the sockets' config shares its list with the file's")
	}
}

// The names of rings and policies stand in a tag here and in package desk: they are the same.
func TestTagsFollowDesk(t *testing.T) {
	for _, tt := range []struct {
		in   any
		key  string
		want []string
	}{{Hotline{}, "ring", desk.RingNames()}, {Trunk{}, "from", desk.FromNames()},
		{LineRecording{}, "mode", desk.RecordNames()}} {
		f, ok := fieldOf(typeOf(tt.in), tt.key)
		if got := strings.Fields(f.Tag.Get("oneof")); !ok || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.key, got, tt.want)
		}
	}
}

// A role's default, a tone or a shipped announcement, is there.
func TestEveryDefaultRoleHasAClip(t *testing.T) {
	c := load(t, "lab.yaml")
	for _, h := range c.Directory().Hotlines {
		for _, name := range append(h.Prompts.Names(), h.Recording.Announce) {
			if _, ok := c.library.Get(name); !ok {
				t.Errorf("hotline %s: no clip %q", h.ID, name)
			}
		}
	}
}

func TestDirectoryIsACopy(t *testing.T) {
	c := load(t, "lab.yaml")
	d := c.Directory()
	d.Keys["*7"] = "handover"
	d.Hotlines["110"].Seats[0] = "nobody"
	d.Trunks["pstn"].Match[0] = netip.Prefix{}
	if got := c.Directory(); maps.Equal(got.Keys, d.Keys) || got.Hotlines["110"].Seats[0] == "nobody" ||
		!got.Trunks["pstn"].Match[0].IsValid() {
		t.Error("a change in one directory shows in the next")
	}
}

func TestSilenceIsAnEmptyName(t *testing.T) {
	c := load(t, "lab.yaml", "prompts.music=none", "hotlines.110.prompts.wait=none",
		"hotlines.110.prompts.sorry=transfer")
	p, other := c.Directory().Hotlines["110"].Prompts, c.Directory().Hotlines["12345"].Prompts
	if p.Music != "" || p.Wait != "" || p.Sorry != "transfer" || other.Wait == "" || other.Sorry == "transfer" {
		t.Errorf("110: %+v\n12345: %+v", p, other)
	}
}

// TestJitter: one bound alone leaves the other as it is, and min is not above max.
func TestJitter(t *testing.T) {
	c := load(t, "lab.yaml", "networks.lab.rtp.jitter.min=60ms")
	if got := c.Engine().Networks["lab"].Jitter; got != (jitter.Config{Min: 60 * time.Millisecond,
		Max: 120 * time.Millisecond}) {
		t.Errorf("jitter %+v", got)
	}
	_, err := Load("lab.yaml", Options{Lang: "en", Set: []string{"networks.lab.rtp.jitter.min=200ms"}})
	if err == nil || !strings.Contains(err.Error(), "networks.lab.rtp.jitter: min 200ms is more than max 120ms") {
		t.Errorf("min above max: %v", err)
	}
}

// TestLatch: sound is taken from whom SIP names alone, or from the addresses that allow names, and never from anybody.
func TestLatch(t *testing.T) {
	if got := load(t, "lab.yaml").Engine().Networks["lab"].Latch; got != nil {
		t.Errorf("sound is taken from %v without a word of it", got)
	}
	c := load(t, "lab.yaml", "networks.lab.rtp.latch=allow", "networks.lab.allow=10.1.0.0/16")
	if got := fmt.Sprint(c.Engine().Networks["lab"].Latch); got != "[10.1.0.0/16]" {
		t.Errorf("sound is taken from %s", got)
	}
	_, err := Load("lab.yaml", Options{Lang: "en", Set: []string{"networks.lab.rtp.latch=allow",
		"networks.lab.allow="}})
	if err == nil || !strings.Contains(err.Error(), "networks.lab.rtp.latch: latch: allow needs the network's allow") {
		t.Errorf("from anybody: %v", err)
	}
}

// TestBareG711: an announcement may be a file of A-law and nothing else.
func TestBareG711(t *testing.T) {
	file := filepath.Join(t.TempDir(), "welcome.al")
	if err := os.WriteFile(file, make([]byte, 8000), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, "lab.yaml", "prompts.files.welcome="+file)
	if clip, ok := c.Engine().Prompts.Get("welcome"); !ok || clip.Duration() != time.Second {
		t.Errorf("clip %v of %v", ok, clip.Duration())
	}
}

// TestPlaceholders: it is said which announcements are still the shipped ones, and no more once an admin has put his
// own in their place or has them played to nobody. At each comma of the shipped ones there is a pause.
func TestPlaceholders(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.al")
	if err := os.WriteFile(own, make([]byte, 8000), 0o600); err != nil {
		t.Fatal(err)
	}
	what, ok := load(t, "lab.yaml").Placeholders()
	if !ok || !strings.Contains(what, "transfer, transfer_failed") {
		t.Errorf("the lab: %q", what)
	}
	if what, _ = load(t, "lab.yaml", "prompts.files.transfer="+own).Placeholders(); strings.Contains(what,
		"transfer,") {
		t.Errorf("with a transfer of his own: %q", what)
	}
	var set []string
	for name := range shipped() {
		set = append(set, "prompts.files."+name+"="+own)
	}
	if what, ok := load(t, "lab.yaml", set...).Placeholders(); ok {
		t.Errorf("with all of his own: %q", what)
	}
	clips := load(t, "lab.yaml").Engine().Prompts
	for name, commas := range map[string]int{"transfer": 3, "queue": 2, "keep_waiting": 1, "all_busy": 1,
		"transfer_failed": 1} {
		clip, _ := clips.Get(name)
		pauses, quiet := 0, 0
		if level := loudness(clip); math.Abs(level+20) > 0.5 {
			t.Errorf("%s: its level is %.1f dBFS, want -20 as of all", name, level)
		}
		for i := range clip.Len() {
			if pcm.Level(clip.Frame(i)[:]) > -34 {
				quiet = 0
			} else if quiet++; quiet == 6 && i > 10 && i < clip.Len()-10 {
				pauses++
			}
		}
		if pauses < commas {
			t.Errorf("%s: %d pauses at %d commas", name, pauses, commas)
		}
	}
	if clip, _ := clips.Get("transfer"); (clip.Duration() - 8620*time.Millisecond).Abs() > time.Second {
		t.Errorf("the voice takes %v for the transfer, want 8.6 s", clip.Duration())
	}
}

// loudness is the mean level of a clip, in dB of full scale.
func loudness(clip prompt.Clip) float64 {
	var sound []int16
	for i := range clip.Len() {
		sound = append(sound, clip.Frame(i)[:]...)
	}
	return pcm.Level(sound)
}
