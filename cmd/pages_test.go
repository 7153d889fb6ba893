package cmd_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/verb"
)

// vendors each have a page under configs/phones, and these a page under configs/pbx.
var (
	vendors = []string{"yealink", "grandstream", "fanvil", "poly", "snom", "cisco", "escene", "flyingvoice"}
	pbxs    = []string{"kamailio", "asterisk", "freeswitch"}
)

// adminPages are the pages, by their path from the top.
func adminPages() []string {
	pages := []string{"configs/phones/README.md", "configs/pbx/README.md"}
	for _, v := range vendors {
		pages = append(pages, "configs/phones/"+v+".md")
	}
	for _, p := range pbxs {
		pages = append(pages, "configs/pbx/"+p+".md")
	}
	return pages
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every page is reached from the front pages, and every link of theirs leads somewhere.
func TestAdminPagesAreLinked(t *testing.T) {
	for _, front := range []string{"README.md", "README.zh.md"} {
		for _, over := range []string{"configs/phones", "configs/pbx"} {
			if !strings.Contains(readPage(t, front), "]("+over+"/README.md)") {
				t.Errorf("%s has no link to %s", front, over)
			}
		}
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`)
	for _, page := range adminPages() {
		text := readPage(t, page)
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", filepath.Dir(page), link[1])); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", page, err)
			}
		}
		dir, name := filepath.Split(page)
		if over := readPage(t, dir+"README.md"); name != "README.md" && !strings.Contains(over, "]("+name+")") {
			t.Errorf("%sREADME.md has no link to %s", dir, name)
		}
	}
}

// The pages of phones are all of one shape.
func TestPhonePagesHaveOneShape(t *testing.T) {
	want := []string{"## Register · 注册", "## One key · 一键", "## Other ways · 其他做法", "## Not certain · 尚未确认"}
	for _, v := range vendors {
		text := readPage(t, "configs/phones/"+v+".md")
		if got := regexp.MustCompile(`(?m)^## .*$`).FindAllString(text, -1); !slices.Equal(got, want) {
			t.Errorf("%s has the parts %q", v, got)
		}
		for _, what := range []string{"192.168.1.10", "1101", "*1", "12345", "未在真机上试过", "conference"} {
			if !strings.Contains(text, what) {
				t.Errorf("%s says nothing of %s", v, what)
			}
		}
	}
}

// Each code, service number and URL that a page names is one of ours.
func TestAdminPagesNameWhatThereIs(t *testing.T) {
	cfg := configs.Default()
	keys, err := verb.NewKeymap(cfg.Keys)
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`\*[0-9]+`)
	service := regexp.MustCompile(`\b([a-z_]+)@192\.168\.1\.10`)
	address := regexp.MustCompile("http://192\\.168\\.1\\.10:8080[^`<\"\\s]*")
	for _, page := range adminPages() {
		text := readPage(t, page)
		for _, c := range code.FindAllString(text, -1) {
			col := verb.Collector{Keys: keys, Gap: time.Second}
			var done []verb.Verb
			for _, d := range []byte(c) {
				verbs, _ := col.Press(time.Time{}, d, verb.ByRTP)
				done = append(done, verbs...)
			}
			if len(done) != 1 {
				t.Errorf("%s: %s is no key code", page, c)
			}
		}
		for _, s := range service.FindAllStringSubmatch(text, -1) {
			if cfg.Services[s[1]] == "" {
				t.Errorf("%s: %s is no service number", page, s[0])
			}
		}
		for _, a := range address.FindAllString(text, -1) {
			u, err := url.Parse(a)
			if err != nil || !strings.HasPrefix(u.Path, "/v1/keys/") || u.Query().Get("user") != "1101" ||
				!slices.Contains(verb.Names, verb.Name(strings.TrimPrefix(u.Path, "/v1/keys/"))) {
				t.Errorf("%s: %s is no action URL of ours", page, a)
			}
		}
	}
	overview := readPage(t, "configs/phones/README.md")
	for pattern, name := range cfg.Keys {
		if c := strings.ReplaceAll(pattern, "NN", "01"); !strings.Contains(overview, "| `"+c+"` | `"+name+"`") {
			t.Errorf("the overview of phones lacks %s, %s", c, name)
		}
	}
}

// The snippets: yaml passes check, XML is well formed, and every ini line is a section, a comment or has a value.
func TestSnippetsOfAdminPages(t *testing.T) {
	block := regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
	found := map[string]int{}
	for _, page := range adminPages() {
		for _, b := range block.FindAllStringSubmatch(readPage(t, page), -1) {
			found[b[1]]++
			var err error
			switch b[1] {
			case "yaml":
				_, err = configs.Parse(page, []byte(b[2]), configs.Options{Lang: "en"})
			case "xml":
				err = wellFormed(b[2])
			case "ini":
				err = iniLines(b[2])
			}
			if err != nil {
				t.Errorf("%s: %v in\n%s", page, err, b[2])
			}
		}
	}
	if found["yaml"] < 1 || found["xml"] < 8 || found["ini"] < 4 {
		t.Errorf("snippets found: %v", found)
	}
}

func wellFormed(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func iniLines(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '[' && line[len(line)-1] == ']' || strings.Contains(line, "=") {
			continue
		}
		return errors.New("a line that is no setting: " + line)
	}
	return nil
}
