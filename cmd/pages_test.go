package cmd_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/configs"
	"liandong/routing/verb"
)

// vendors each have a page under configs/phones, and these a page under configs/pbx.
var (
	vendors = []string{"yealink", "grandstream", "fanvil", "poly", "snom", "cisco", "escene", "flyingvoice"}
	pbxs    = []string{"kamailio", "asterisk", "freeswitch", "huawei", "zte", "avaya", "genesys", "ims"}
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

var (
	links    = regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]+))?\)`)
	fences   = regexp.MustCompile("(?ms)^```.*?^```$")
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// Every link on every page, the front pages' included, leads to a file, and behind a # to a heading of it.
func TestLinksOfPages(t *testing.T) {
	pages, err := filepath.Glob("../configs/*/*.md")
	if err != nil || len(pages) < 30 {
		t.Fatal(len(pages), err)
	}
	for _, page := range append(pages, "../README.md", "../README.zh.md") {
		for _, link := range links.FindAllStringSubmatch(fences.ReplaceAllString(readPage(t, page[3:]), ""), -1) {
			if strings.HasPrefix(link[1], "https://") {
				continue
			}
			to := page[3:]
			if link[1] != "" {
				to = filepath.Join(filepath.Dir(to), link[1])
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", page, err)
			} else if link[2] != "" && !slices.Contains(anchors(readPage(t, to)), link[2]) {
				t.Errorf("%s: %s has no heading #%s", page, to, link[2])
			}
		}
	}
}

// anchors are the names of a page's headings, as forges make them.
func anchors(text string) (names []string) {
	for _, h := range headings.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		name := regexp.MustCompile(`[^\pL\pN\- _]`).ReplaceAllString(strings.ToLower(h[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// Each page begins with a list of what it has: its sections, in their order.
func TestContents(t *testing.T) {
	inPage, section := regexp.MustCompile(`\]\(#([^)]+)\)`), regexp.MustCompile(`(?m)^## (.+)$`)
	for _, book := range books {
		for _, page := range book {
			text := fences.ReplaceAllString(readPage(t, page), "")
			head, _, _ := strings.Cut(text, "\n## ")
			var listed, has []string
			for _, link := range inPage.FindAllStringSubmatch(head, -1) {
				listed = append(listed, link[1])
			}
			for _, h := range section.FindAllString(text, -1) {
				has = append(has, anchors(h)...)
			}
			same(t, page+": contents", listed, has)
		}
	}
}

// Both front pages are short enough to be read, and both languages have all pages by reader, each named in the
// contents.
func TestFrontPagesAreShort(t *testing.T) {
	for _, book := range books {
		if n := strings.Count(readPage(t, book[0]), "\n"); n > 200 {
			t.Errorf("%s has %d lines", book[0], n)
		}
		for _, page := range book[1:] {
			contents := readPage(t, "configs/docs/"+book[0])
			for _, text := range []string{contents, readPage(t, book[0])} {
				if !strings.Contains(text, filepath.Base(page)+")") {
					t.Errorf("no link to %s", page)
				}
			}
		}
	}
	for _, page := range []string{"configs", "README.zh.md"} {
		_ = filepath.WalkDir(filepath.Join("..", page), func(path string, d os.DirEntry, err error) error {
			if text, _ := os.ReadFile(path); err == nil && !d.IsDir() &&
				strings.Contains(string(text), "\u5ea7\u5e2d") {
				t.Errorf("%s: the word is \u5750\u5e2d", path)
			}
			return err
		})
	}
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
	for _, page := range adminPages() {
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

// Whatever nobody has confirmed on a PBX of that make bears a question mark, and the page says so.
func TestPBXPagesSayWhatIsNotConfirmed(t *testing.T) {
	for _, p := range []string{"huawei", "zte", "avaya", "genesys", "ims"} {
		text := readPage(t, "configs/pbx/"+p+".md")
		if !strings.Contains(text, "a **?** marks what nobody has confirmed") || strings.Count(text, "(?)") < 2 {
			t.Errorf("%s does not say what is not confirmed", p)
		}
	}
	// FreeSWITCH's external profile listens on 5080, and asks no gateway for the context of a call without gw+
	text := readPage(t, "configs/pbx/freeswitch.md")
	if !strings.Contains(text, "target: 192.168.1.2:5080") || strings.Contains(text, `name="context"`) {
		t.Error("the page of FreeSWITCH has its calls arrive at the wrong place")
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
			if _, _, ofSeat := verb.OfSeat(cfg.Services[c]); len(done) != 1 && !ofSeat {
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
			name := strings.TrimPrefix(u.Path, "/v1/keys/")
			_, _, ofSeat := verb.OfSeat(name)
			if err != nil || !strings.HasPrefix(u.Path, "/v1/keys/") || u.Query().Get("user") != "1101" ||
				!slices.Contains(verb.Names, verb.Name(name)) && !ofSeat {
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

// The sizing sheet is what the figures of the same page give: all seats talk, a third of the calls are three-way, half
// of the machine is left; recordings have three channels of 8 kB/s, six hours a day, 90 days long.
func TestSizingSheet(t *testing.T) {
	row := regexp.MustCompile(`(?m)^\| ([\d ]+) \| (\d+) \| (\d+) GB \| ([\d ]+) \| (\d+) TB \|$`)
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(strings.ReplaceAll(text, " ", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for file, words := range map[string][3]string{
		"configs/docs/operations.md": {`relay, no privileges \| ([\d.]+) µs`, `three-way, no privileges .* ([\d.]+) ms a`,
			`112 and ([\d.]+) KB`},
		"configs/docs/operations.zh.md": {
			`转发，无特权 \| 收发一个包 ([\d.]+) µs`, `三方，无特权 .* ([\d.]+) ms`, `112 KB 和 ([\d.]+) KB`,
		},
	} {
		page := readPage(t, file)
		var figures [3]float64 // µs a packet in and out of a relay; ms and KB of a three-way call
		for i, w := range words {
			found := regexp.MustCompile(w).FindStringSubmatch(page)
			if found == nil {
				t.Fatalf("%s has no %s", file, w)
			}
			figures[i] = number(found[1])
		}
		sheet := row.FindAllStringSubmatch(page, -1)
		if len(sheet) != 4 {
			t.Fatalf("%s: %d rows", file, len(sheet))
		}
		for _, r := range sheet {
			seats, cores, memory, ports, disk := number(r[1]), number(r[2]), number(r[3]), number(r[4]), number(r[5])
			need := 2 * seats * (figures[0]*1e-6*100*2/3 + figures[1]*1e-3/3)
			if cores < max(2, need) || cores > need+2 {
				t.Errorf("%s: %v seats take %.1f cores, the sheet has %v", file, seats, need, cores)
			}
			if need := 2 * (seats*figures[2]*1e3 + 132e6) / 1e9; memory < need || memory > need+2 {
				t.Errorf("%s: %v seats take %.1f GB, the sheet has %v", file, seats, need, memory)
			}
			if ports != 10*seats {
				t.Errorf("%s: %v ports for %v seats", file, ports, seats)
			}
			if need := math.Ceil(seats * 3 * 8e3 * 3600 * 6 * 90 / 1e12); disk != need {
				t.Errorf("%s: recordings of %v seats are %v TB, the sheet has %v", file, seats, need, disk)
			}
		}
	}
}
