package configs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

// good is the least that passes.
const good = `networks:
  lab:
    sip: {udp: 127.0.0.1:5060}
    rtp: {address: 127.0.0.1, ports: 20000-29999}
hotlines:
  110: {numbers: [110]}
phones:
  1101: {hotline: 110, password: calm-heron}
`

// warned are the warnings without those of lines that have no partner.
func warned(c *Config) Problems {
	return slices.DeleteFunc(c.Warnings(), func(p Problem) bool {
		return strings.Contains(p.Text, "partner") && strings.HasPrefix(p.Key, "hotlines.")
	})
}

func parse(t *testing.T, src string, set ...string) *Config {
	t.Helper()
	c, err := Parse("good.yaml", []byte(src), Options{Lang: "en", Env: environment, Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		arg  string
		got  func(c *Config) any
		want string
	}{
		{"node=north", func(c *Config) any { return c.Node }, "north"},
		{"networks.lab.sip.tcp=127.0.0.1:5062", func(c *Config) any { return c.Networks["lab"].SIP.TCP },
			"127.0.0.1:5062"},
		{"networks.lab.rtp.ports=30000-30999", func(c *Config) any { return c.Networks["lab"].RTP.Ports },
			"30000-30999"},
		{"hotlines.110.no_answer=750ms", nil, ""},
		{"hotlines.110.no_answer=7s", func(c *Config) any { return c.Hotlines["110"].NoAnswer }, "7s"},
		{"hotlines.110.queue.answer=true", func(c *Config) any { return c.Hotlines["110"].Queue.Answer }, "true"},
		{"hotlines.110.numbers=110,911", func(c *Config) any { return c.Hotlines["110"].Numbers }, "[110 911]"},
		{"hotlines.110.numbers=[110, ${NUMBER}]", nil, ""},
		{"hotlines.110.numbers=[0${NUMBER}]", func(c *Config) any { return c.Hotlines["110"].Numbers }, "[0110]"},
		{"http.allow=", func(c *Config) any { return c.HTTP.Allow }, "[]"},
		{"http.allow=::1,10.0.0.0/8", func(c *Config) any { return c.HTTP.Allow }, "[::1/128 10.0.0.0/8]"},
		{"http.allow=10.1.2.3/16", func(c *Config) any { return c.HTTP.Allow }, "[10.1.0.0/16]"},
		{"numbers.area_code=311", func(c *Config) any { return c.Directory().Plan.AreaCode }, "0311"},
		{"numbers.area_code=010", func(c *Config) any { return c.Directory().Plan.AreaCode }, "010"},
		{"keys.*7=handover", func(c *Config) any { return c.Keys["*7"] }, "handover"},
		{"keys.*1=urgent", func(c *Config) any { return c.Keys["*1"] }, "urgent"},
		{"outbox.max_mb=5", func(c *Config) any { return c.Store.MaxMB }, "5"},
		{"phones.1101.password=heron=b,c: d", func(c *Config) any { return c.Phones["1101"].Password.Reveal() },
			"heron=b,c: d"},
		{"phones.1101.password=heron-$${x}", func(c *Config) any { return c.Phones["1101"].Password.Reveal() },
			"heron-${x}"},
		{"timers.settle=4s", func(c *Config) any { return c.Timers.Settle }, "4s"},
		{"networks.lab.codecs=g722,PCMA", func(c *Config) any { return c.Directory().Offered("1101", "lab", false) },
			"[G722 PCMA]"},
		{"phones.1101.codecs=g722,PCMU", func(c *Config) any { return c.Directory().Offered("1101", "lab", false) },
			"[G722 PCMU]"},
		{"codecs=PCMA,g722,PCMU", func(c *Config) any { return c.Directory().Offered("", "lab", true) },
			"[G722 PCMA PCMU]"},
		{"codecs=g722,PCMA", func(c *Config) any { return c.Directory().Codecs }, "[G722 PCMA]"},
		{"codecs=", nil, ""},
		{"codecs=PCMA,G729", nil, ""},
		{"categories.07={name: \"a, b\", owner: \"110\"}",
			func(c *Config) any { return c.Categories["07"].Name + "/" + c.Categories["07"].Owner }, "a, b/110"},
		{"categories.07={name: a, nonsense: b}", nil, ""},
		{"categories.07={name: a", nil, ""},
		{"categories.07={name: [a}", nil, ""},
		{"services={}", func(c *Config) any { return len(c.Services) }, "0"},
		{"services={handover: urgent}", func(c *Config) any { return c.Services["handover"] }, "urgent"},
		{"categories.07={name: noise, owner: 110}", func(c *Config) any { return c.Categories["07"] },
			"&{noise 110 [] []  }"},
		{"categories.07=noise", func(c *Config) any { return c.Categories["07"].Name }, "noise"},
		{"categories={01: noise, 02: {name: light}}", func(c *Config) any { return sorted(c.Categories) }, "[01 02]"},
		{"categories.07={name: noise, oner: 110}", nil, ""},
		{"categories.07={name: noise", nil, ""},
		{"keys={}", func(c *Config) any { return c.Keys }, "map[]"},
		{"keys=", func(c *Config) any { return c.Keys }, "map[]"},
		{"keys=x", nil, ""},
		{`keys={"*1": handover}`, func(c *Config) any { return c.Keys }, "map[*1:handover]"},
		{"phones.1101={hotline: 110, password: calm-heron-9, name: x}",
			func(c *Config) any { return c.Phones["1101"].Name }, "x"},
		{"timers={settle: 4s}", func(c *Config) any { return c.Timers.Settle.String() + c.Timers.KeyGap.String() },
			"4s2s"},
		{"lang=zh", func(c *Config) any { return c.Lang }, "zh"},
	} {
		c, err := Parse("good.yaml", []byte(good), Options{Lang: "en", Env: environment, Set: []string{tt.arg}})
		if tt.got == nil {
			if p, ok := errors.AsType[Problems](err); !ok ||
				!strings.HasPrefix(p[0].Flag, "--set "+strings.Split(tt.arg, "=")[0]) {
				t.Errorf("%s: %v, want a problem that names the flag", tt.arg, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.arg, err)
			continue
		}
		if got := fmt.Sprint(tt.got(c)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.arg, got, tt.want)
		}
	}
}

// What an editor puts before a file means nothing.
func TestByteOrderMark(t *testing.T) {
	if c := parse(t, "\ufefflang: en\n"+good); c.Lang != "en" {
		t.Errorf("lang %q", c.Lang)
	}
	_, err := Parse("x.yaml", []byte("\ufefflang: en\nnode: [\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), "not valid YAML") || strings.Contains(err.Error(), "语法") {
		t.Errorf("the language behind the mark is not seen: %v", err)
	}
}

// While nobody knows in which language, both.
func TestErrorsBeforeTheLanguageIsKnown(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	for _, o := range []Options{{}, {Lang: "en"}, {Set: []string{"lang=zh"}}} {
		_, err := Load(missing, o)
		_, err2 := Parse("x.yaml", []byte("node: [\n"), o)
		zh, en := o.Lang != "en", len(o.Set) == 0
		for _, err := range []error{err, err2} {
			if strings.Contains(err.Error(), "文件") != zh && strings.Contains(err.Error(), "语法") != zh ||
				strings.Contains(err.Error(), "the file") != en && strings.Contains(err.Error(), "not valid") != en {
				t.Errorf("%+v: %v", o.Lang, err)
			}
		}
	}
}

// The key of a phone that every user of the machine can read is a warning, the one of its owner is not.
func TestSecretFilesThatOthersRead(t *testing.T) {
	for mode, want := range map[fs.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte("calm-heron"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		c := parse(t, strings.Replace(good, "password: calm-heron", "password_file: "+file, 1))
		if got := warned(c); len(got) != want || want == 1 &&
			(got[0].Key != "phones.1101.password_file" || !strings.Contains(got[0].Text, "chmod o=")) {
			t.Errorf("%v: %v", mode, got)
		}
	}
}

// What can be run and will disappoint is a warning.
func TestAdvice(t *testing.T) {
	c := parse(t, good, "trunks.loop.target=127.0.0.1:5060", "trunks.pstn.target=127.0.0.10:5060")
	var keys []string
	for _, p := range c.Warnings() {
		keys = append(keys, p.Key)
	}
	slices.Sort(keys)
	if want := []string{"hotlines.110", "trunks.loop"}; !slices.Equal(keys, want) {
		t.Errorf("%v, want %v", c.Warnings(), want)
	}
}

func TestSetMakesNewEntries(t *testing.T) {
	c := parse(t, good, "phones.1102.hotline=110", "phones.1102.password=calm-heron",
		"trunks.pstn.target=10.0.0.1:5060", "hotlines.119.trunk=pstn", "hotlines.119.numbers=119")
	if h := c.Hotlines["119"]; h.NoAnswer != 20*time.Second || h.Ring != "all" || h.TrunkNumber != "119" {
		t.Errorf("a new hotline has no defaults: %+v", h)
	}
	if got := fmt.Sprint(c.Hotlines["110"].Seats); got != "[1101 1102]" {
		t.Errorf("seats: %s", got)
	}
}

func TestSetOverrulesAMistake(t *testing.T) {
	parse(t, good+"node: A B\n", "node=a")
}

func TestExpand(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"plain $ { text":     "plain $ { text",
		"${NUMBER}":          "110",
		"a${NUMBER}b${PORT}": "a110b5062",
		"${NONE:-x}":         "x",
		"${NONE:-}":          "",
		"${SET_EMPTY:-x}":    "x",
		"${SET_EMPTY}":       "",
		"$${NUMBER}":         "${NUMBER}",
		"$$${NUMBER}":        "$${NUMBER}",
		"$NUMBER":            "$NUMBER",
	} {
		if got, fault := expand(in, environment); fault != nil || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, fault, want)
		}
	}
	for _, in := range []string{"${", "${}", "${1A}", "${NONE}", "${NUMBER", "${NUM BER}"} {
		if got, fault := expand(in, environment); fault == nil {
			t.Errorf("%q: %q, want a fault", in, got)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("phone", "calm heron\r\n")
	write("redis", "p@ss/word")
	write("c.yaml", strings.Replace(good, "password: calm-heron", "password_file: phone", 1)+
		"redis: {url: \"redis://user@10.0.0.1:6379/2\", password_file: "+filepath.Join(dir, "redis")+"}\n")
	c, err := Load(filepath.Join(dir, "c.yaml"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Phones["1101"].Password.Reveal(); got != "calm heron" {
		t.Errorf("password %q", got)
	}
	if o := c.Outbox(); o.URL.Reveal() != "redis://user@10.0.0.1:6379/2" || o.Password.Reveal() != "p@ss/word" {
		t.Errorf("Redis %q, password %q", o.URL.Reveal(), o.Password.Reveal())
	}
}

// Secrets are masked however a config is printed or logged.
func TestSecretsStayHidden(t *testing.T) {
	c := parse(t, strings.Replace(good, "password: calm-heron", "password: geheim-heron",
		1)+"redis: {url: \"redis://:geheim@h:1\"}\n")
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "phone", c.Phones["1101"], "secret", c.Phones["1101"].Password, "redis", c.Redis)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "phone", *c.Phones["1101"], "redis", c.Redis, "trunk",
		c.Directory().Trunks)
	fmt.Fprintf(&out, "%v %+v %#v %+v", *c.Phones["1101"], *c.Phones["1101"], *c.Phones["1101"], c.Redis)
	if strings.Contains(out.String(), "geheim") || !strings.Contains(out.String(), "******") {
		t.Error(out.String())
	}
}

func TestUnreadable(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		for lang, want := range map[string]string{"zh": "无法读取文件", "en": "cannot be read"} {
			_, err := Load(path, Options{Lang: lang})
			if err == nil || !strings.HasPrefix(err.Error(), path+":1:1: ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", lang, err)
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(path, bytes.Repeat([]byte("# much\n"), maxFile/7+2), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, Options{Lang: "en"}); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Error(err)
	}
}

// A file that is something else entirely is refused in reasonable time and words.
func TestManyProblems(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&b, "key%d: value\n", i)
	}
	_, err := Parse("other.yaml", []byte(b.String()), Options{Lang: "en"})
	if p, ok := errors.AsType[Problems](err); !ok || len(p) != maxFindings+1 ||
		!strings.Contains(p[0].Text, "may not be a config") {
		t.Errorf("%d problems, the first %q", len(p), p[:1])
	}
}

func TestValidateOfAConfigBuiltInCode(t *testing.T) {
	c := parse(t, good)
	c.Hotlines["110"].Partner = "999"
	c.Lang = "en"
	if err := c.Validate(); err == nil || err.Error() != `hotlines.110.partner: "999" is not defined; allowed: 110` {
		t.Error(err)
	}
}

// Both languages of a sentence take the same words.
func TestMessagesHaveBothLanguages(t *testing.T) {
	for _, path := range must(filepath.Glob("testdata/broken/*.txt")) {
		b, err := os.ReadFile(path)
		if err != nil || bytes.Contains(b, []byte("%!")) {
			t.Errorf("%s: %v %s", path, err, b)
		}
	}
}

func must(paths []string, err error) []string {
	if err != nil {
		panic(err)
	}
	return paths
}

// FuzzParse: no text makes the loader panic, and whatever it refuses it can point at.
func FuzzParse(f *testing.F) {
	for _, path := range append(must(filepath.Glob("testdata/broken/*.yaml")), "lab.yaml", "liandong.yaml") {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), "node=a")
	}
	f.Add(good, "hotlines.110.queue.overflow.hotline=119")
	f.Add("a: &a [*a]\n", "keys.*1=")
	f.Fuzz(func(t *testing.T, src, set string) {
		o := Options{Env: environment, Set: []string{set}, Read: func(path string, _ int64) ([]byte, error) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}}
		c, err := Parse("fuzz.yaml", []byte(src), o)
		if err == nil {
			c.Directory()
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 || c != nil {
			t.Fatalf("not problems: %v", err)
		}
		lines := strings.Count(src, "\n") + 2
		for _, p := range problems {
			if p.Text == "" || strings.Contains(p.Text, "%!") || strings.ContainsAny(p.String(), "\n\r") {
				t.Errorf("cannot be read: %q", p.String())
			}
			if p.Flag == "" && (p.File != "fuzz.yaml" || p.Line < 1 || p.Line > lines || p.Col < 1) {
				t.Errorf("no place: %+v", p)
			}
		}
	})
}

// A config knows whether what it was read from, itself and the files that it names, is as it was.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() *Config {
		t.Helper()
		c, err := Load(filepath.Join(dir, "liandong.yaml"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !c.Unchanged() {
			t.Error("changed, and nobody has touched it")
		}
		return c
	}
	write("secret", "a-long-password-of-a-desk")
	text := strings.Replace(good, "password: calm-heron", "password_file: secret", 1)
	if text == good {
		t.Fatal("the config has another phone than this test expects")
	}
	write("liandong.yaml", text)
	c := load()
	files, read := c.Sources()
	sum := sha256.Sum256([]byte(text))
	if len(files) != 2 || filepath.Base(files[0].Path) != "liandong.yaml" ||
		files[0].SHA256 != hex.EncodeToString(sum[:]) ||
		time.Since(files[1].Changed) > time.Hour || time.Since(read) > time.Hour {
		t.Errorf("%+v, read %v", files, read)
	}
	write("secret", "another-password-of-the-desk")
	if c.Unchanged() {
		t.Error("a file that it names is another one")
	}
	c = load()
	write("liandong.yaml", text+"\n")
	if c.Unchanged() {
		t.Error("it is another one")
	}
	if c = parse(t, good); c.Unchanged() {
		t.Error("a text is no file that could be asked")
	}
}
