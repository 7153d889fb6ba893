package cmd_test

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"liandong/cmd/internal/phone"
	"liandong/configs"
	"liandong/routing/matter"
	"liandong/routing/ticket"
)

// Every command, config and example output on the front page and on the pages of configs/docs is run or compared here.
// The pages of a language are walked one after the other from top to bottom, as a newcomer would: a yaml block is saved
// under the name it bears, each line of a sh block is carried out, and a text, json or sip block is what the line
// before it must have printed. Addresses and ports are overruled with --set, so that pages and other tests do not meet;
// numbers, ids and times are masked before they are compared.

// book is the pages of one language, in the order in which they are walked: what a page has started the next ones use.
type book []string

// readers have a page each.
var readers = []string{"taker", "tickets", "admin", "operations", "security", "developer"}

var books = []book{bookIn(""), bookIn(".zh")}

func bookIn(suffix string) book {
	b := book{"README" + suffix + ".md"}
	for _, r := range readers {
		b = append(b, "configs/docs/"+r+suffix+".md")
	}
	return b
}

// String is the name of the front page.
func (b book) String() string { return b[0] }

// text is all pages, one after the other.
func (b book) text(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, page := range b {
		all.WriteString(source(t, page) + "\n")
	}
	return all.String()
}

// patience is for anything that should happen at once.
const patience = 20 * time.Second

// Lines of the pages that are carried out elsewhere: go test is the run that this test is part of, go build makes the
// binary before the walk, the demo is played once for all pages, a release is made by the tests of its command.
const (
	testLine  = "go test ./..."
	buildLine = "CGO_ENABLED=0 go build -o liandong ./cmd/liandong"
	loadLine  = "CGO_ENABLED=0 go build -o liandong-load ./cmd/liandong-load"
	demoLine  = "go run ./cmd/liandong demo"
	makeLine  = "go run ./cmd/liandong-release"
)

// TestMain lets the demo and both pages run beside each other on two cores, too: they wait, for rings and for speech.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		if err := f.Value.Set("4"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestReadme(t *testing.T) {
	t.Parallel()
	binary, load := build(t, buildLine), build(t, loadLine)
	t.Run("demo", func(t *testing.T) { t.Parallel(); playDemo(t, binary) })
	for _, book := range books {
		t.Run(book.String(), func(t *testing.T) { t.Parallel(); newWalk(t, book, binary, load).all() })
	}
}

// TestReadmePagesAgree: whoever reads the other language is told to do the same.
func TestReadmePagesAgree(t *testing.T) {
	all := commandsOf(t, books[0])
	for _, line := range []string{testLine, buildLine, loadLine, demoLine} {
		if !slices.Contains(all, line) {
			t.Errorf("%s: %q is gone", books[0], line)
		}
	}
	for i, page := range books[0] {
		first := commandsOf(t, book{page})
		for _, other := range books[1:] {
			if lines := commandsOf(t, book{other[i]}); !slices.Equal(first, lines) {
				t.Errorf("%s has\n%s\n%s has\n%s", page, strings.Join(first, "\n"), other[i], strings.Join(lines, "\n"))
			}
		}
	}
}

// inline is a command in running text.
var inline = regexp.MustCompile("`((?:go (?:run|test|build)|\\./liandong|liandong |curl|redis-cli)[^`]*)`")

// TestReadmeRunningText: a command named in a sentence is the beginning of one that is run, and Go is the version that
// go.mod asks for.
func TestReadmeRunningText(t *testing.T) {
	mod := source(t, "go.mod")
	need := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(mod)
	for _, book := range books {
		text := book.text(t)
		if len(need) != 2 || !strings.Contains(text, "Go ("+need[1]) && !strings.Contains(text, "Go（"+need[1]) {
			t.Errorf("%s does not name the Go version of go.mod, %v", book, need)
		}
		run := commandsOf(t, book)
		for _, m := range inline.FindAllStringSubmatch(text, -1) {
			line := regexp.MustCompile(`^liandong `).ReplaceAllString(m[1], "./liandong ")
			if !slices.ContainsFunc(run, func(s string) bool { return strings.HasPrefix(s+" ", line+" ") }) {
				t.Errorf("%s: `%s` stands in the text and is not run", book, m[1])
			}
		}
	}
}

// TestReadmeFields: the table of stream fields is the whole of an entry, in its order.
func TestReadmeFields(t *testing.T) {
	var e ticket.Entry
	for i, v := 0, reflect.ValueOf(&e).Elem(); i < v.NumField(); i++ {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		default:
			f.Set(reflect.ValueOf(time.Now()))
		}
	}
	var want, always []string
	for f := range slices.Chunk(e.Fields(), 2) {
		want = append(want, f[0])
	}
	for f := range slices.Chunk(ticket.Entry{}.Fields(), 2) {
		always = append(always, f[0])
	}
	for _, book := range books {
		var got, stars []string
		for _, row := range table(t, book, "fields") {
			got = append(got, words(row[0])...)
			if strings.HasPrefix(row[0], "★") {
				stars = append(stars, words(row[0])...)
			}
		}
		same(t, book.String()+": fields", got, want)
		same(t, book.String()+": fields with a star", stars, always)
	}
}

// TestReadmeMatters: the tables on the way back are the whole of it, and so is the life of a matter.
func TestReadmeMatters(t *testing.T) {
	for _, book := range books {
		tables := map[string][]string{"updates": matter.UpdateFields(), "state": append(matter.FieldNames(), "version")}
		for name, want := range tables {
			var got []string
			for _, row := range table(t, book, name) {
				got = append(got, words(row[0])...)
			}
			slices.Sort(got)
			slices.Sort(want)
			same(t, book.String()+": "+name, got, want)
		}
		states := 0
		for _, row := range table(t, book, "life") {
			told := slices.DeleteFunc(words(row[1]), func(s string) bool { return strings.ToUpper(s) == s })
			slices.Sort(told)
			for _, state := range words(row[0]) {
				states++
				possible := slices.DeleteFunc(matter.Possible(matter.State(state)),
					func(s string) bool { return s == "supervised" })
				same(t, book.String()+": "+state, told, possible)
			}
		}
		if states != 11 {
			t.Errorf("%s tells of %d states, want 11", book, states)
		}
	}
}

// TestReadmeRights: the pages show the user that was tested.
func TestReadmeRights(t *testing.T) {
	acl := source(t, "configs/redis/liandong.acl")
	for _, book := range books {
		if !strings.Contains(book.text(t), "```\n"+acl+"```\n") {
			t.Errorf("%s does not show configs/redis/liandong.acl", book)
		}
	}
}

func TestReadmeKeys(t *testing.T) {
	var want []string
	for code, verb := range configs.Default().Keys {
		want = append(want, code+" "+verb)
	}
	slices.Sort(want)
	for _, book := range books {
		var got []string
		for _, row := range table(t, book, "keys") {
			got = append(got, words(row[0])[0]+" "+words(row[1])[0])
		}
		same(t, book.String()+": keys", got, want)
	}
}

// ---- the pages

// block is one fenced block of a page.
type block struct {
	page       string
	line       int
	lang, file string // ```yaml liandong.yaml
	text       string
}

func source(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func blocksOf(t *testing.T, pages book) (all []block) {
	t.Helper()
	for _, page := range pages {
		all = append(all, blocksOn(t, page)...)
	}
	return all
}

func blocksOn(t *testing.T, page string) (all []block) {
	t.Helper()
	var open *block
	for i, line := range strings.SplitAfter(source(t, page), "\n") {
		info, fence := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "```")
		switch {
		case fence && open != nil:
			all, open = append(all, *open), nil
		case fence:
			lang, file, _ := strings.Cut(info, " ")
			open = &block{page: page, line: i + 1, lang: lang, file: file}
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", page, open.line)
	}
	return all
}

func commandsOf(t *testing.T, pages book) (lines []string) {
	for _, b := range blocksOf(t, pages) {
		if b.lang == "sh" {
			lines = append(lines, b.commands()...)
		}
	}
	return lines
}

func (b block) commands() (lines []string) {
	for line := range strings.Lines(b.text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// table is the rows, without their head, of the table below the comment that names it. On whichever pages it stands,
// it is the same.
func table(t *testing.T, pages book, name string) (rows [][]string) {
	t.Helper()
	for _, page := range pages {
		_, rest, ok := strings.Cut(source(t, page), "<!-- table: "+name+" -->\n")
		if !ok {
			continue
		}
		found := rowsBelow(rest)
		if len(found) < 3 {
			t.Fatalf("%s: the table %s is empty", page, name)
		}
		if rows != nil && !reflect.DeepEqual(rows, found[2:]) {
			t.Errorf("%s: the table %s is another than that on a page before", page, name)
		}
		rows = found[2:]
	}
	if rows == nil {
		t.Fatalf("%s and its pages have no table %s", pages, name)
	}
	return rows
}

func rowsBelow(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		inner, ok := strings.CutPrefix(strings.TrimSpace(line), "|")
		if !ok {
			break
		}
		var cells []string
		for _, c := range strings.Split(strings.TrimSuffix(inner, "|"), "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		rows = append(rows, cells)
	}
	return rows
}

var quotedWord = regexp.MustCompile("`([^`]+)`")

func words(cell string) (all []string) {
	for _, m := range quotedWord.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the page has\n%q\nthe program\n%q", what, got, want)
	}
}

// ---- comparing

var ulid = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)

// masks are what differs from run to run.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{ulid, "<ulid>"},
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\b[0-9a-f]{60,}\b`), "<hex>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`), "<time>"},
	{regexp.MustCompile(`\b\d{13}-\d+\b`), "<stream-id>"},
	{regexp.MustCompile(`;tag=[^;\s]+`), ";tag=<tag>"},
	{regexp.MustCompile(`\b\d+(\.\d+){3}\b`), "<ip>"},
	{regexp.MustCompile(`\b\d+ ms\b`), "<n> ms"},
}

func masked(s string) []string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.with)
	}
	return strings.Split(strings.TrimSpace(s), "\n")
}

// excerpt says which line of a page is not in an output, lines in order, … standing for whatever was left out.
func excerpt(out, page string) (missing string, ok bool) {
	rest := masked(out)
	for _, line := range masked(page) {
		if strings.TrimSpace(line) == "…" {
			continue
		}
		i := slices.IndexFunc(rest, func(s string) bool { return strings.TrimRight(s, " ") == line })
		if i < 0 {
			return line, false
		}
		rest = rest[i+1:]
	}
	return "", true
}

// ---- programs

// build makes a binary as the pages say, in a folder of its own, and sees that it is static.
func build(t *testing.T, line string) string {
	t.Helper()
	env, rest, _ := strings.Cut(line, " go ")
	args := strings.Fields(rest) // build -o NAME FOLDER
	args[2] = filepath.Join(t.TempDir(), args[2])
	binary := args[2]
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if runtime.GOOS == "linux" {
		static(t, binary)
	}
	return binary
}

func static(t *testing.T, binary string) {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary asks for a dynamic linker")
		}
	}
}

// playDemo runs the demo, once for all pages; --wav DIR leaves it as it is otherwise.
func playDemo(t *testing.T, binary string) {
	if testing.Short() {
		t.Skip("the demo takes most of a minute; -short leaves it out")
	}
	cmd := exec.CommandContext(t.Context(), binary, "demo", "--wav", "heard")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("demo: %v\n%s", err, out)
	}
	if wavs, _ := filepath.Glob(filepath.Join(cmd.Dir, "heard", "*.wav")); len(wavs) != 12 {
		t.Errorf("4 cases with 3 parties each left %q", wavs)
	}
	for _, book := range books {
		shown := 0
		last := ""
		for _, b := range blocksOf(t, book) {
			if b.lang == "text" && strings.Contains(last, demoLine) {
				shown++
				if line, ok := excerpt(string(out), b.text); !ok {
					t.Errorf("%s:%d: the demo does not print, or not there: %s\n%s", b.page, b.line, line, out)
				}
			}
			last = b.text
		}
		if shown == 0 {
			t.Errorf("%s shows nothing of the demo", book)
		}
	}
}

// program is a command that goes on until the test ends or stop.
type program struct {
	*exec.Cmd
	lines chan string // of stdout and stderr; what nobody waits for is left out when it is full
	ended chan struct{}
	err   error // once it has ended
	stop  context.CancelFunc
}

// start runs a command in the walk's folder; it is told to stop, and waited for, when the test ends.
func (w *walk) start(args []string) *program {
	w.Helper()
	ctx, stop := context.WithCancel(w.Context())
	p := &program{Cmd: exec.CommandContext(ctx, args[0], args[1:]...), lines: make(chan string, 1000),
		ended: make(chan struct{}), stop: stop}
	p.Dir, p.Env = w.dir, []string{"LANG=C"}
	p.Cancel = func() error { return p.Process.Signal(syscall.SIGTERM) }
	p.WaitDelay = patience
	out, err := p.StdoutPipe()
	w.must(err)
	p.Stderr = p.Stdout
	w.must(p.Start())
	go p.follow(out)
	w.Cleanup(func() {
		stop()
		if <-p.ended; p.err != nil && !errors.Is(p.err, context.Canceled) {
			w.Errorf("%s: %v", strings.Join(args, " "), p.err)
		}
	})
	return p
}

// follow hands on the lines until the program ends.
func (p *program) follow(out io.Reader) {
	defer close(p.ended)
	for s := bufio.NewScanner(out); s.Scan(); {
		select {
		case p.lines <- s.Text():
		default:
		}
	}
	_, _ = io.Copy(io.Discard, out) // after a line that is too long to be one
	p.err = p.Wait()
}

// next waits for a line that holds a word.
func (w *walk) next(p *program, word string) string {
	w.Helper()
	late := time.After(patience)
	var seen []string
	for {
		select {
		case line := <-p.lines:
			if strings.Contains(line, word) {
				return line
			}
			seen = append(seen, line)
		case <-p.ended:
			w.Fatalf("%s has ended; no line with %q in\n%s", p.Path, word, strings.Join(seen, "\n"))
		case <-late:
			w.Fatalf("%s prints no line with %q, but\n%s", p.Path, word, strings.Join(seen, "\n"))
		}
	}
}

// run is a command that ends by itself; its exit code must be as said.
func (w *walk) run(args []string, code int) string {
	w.Helper()
	ctx, stop := context.WithTimeout(w.Context(), 3*patience) // the longest measure for half a minute
	defer stop()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = w.dir, []string{"LANG=C"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		w.Errorf("%s: %v, want exit code %d\n%s", strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

// ---- walking

// walk is one book on its way.
type walk struct {
	*testing.T
	book  book
	dir   string // where the commands run: ./liandong and configs are there
	redis *miniredis.Miniredis
	sip   netip.AddrPort
	web   netip.AddrPort

	big    netip.AddrPort // the lab with many seats
	bigPID int

	out     string // what the last command printed
	rows    bool   // it is a table of figures, whose rows alone are compared
	made    bool   // a command ran whose output can be compared
	saved   map[string]bool
	asked   []string // GET /v1/calls
	metrics string

	citizen, taker, partner *phone.Phone
	call                    *phone.Call // the citizen's, while it is on
	invite                  *phone.Message
	id                      string // of the call that HTTP named last
	recording               string // of the recording that began last
}

var (
	here = netip.MustParseAddr("127.0.0.1")
	away = netip.MustParseAddr("127.0.0.10") // the PBX
)

func newWalk(t *testing.T, book book, binaries ...string) *walk {
	w := &walk{T: t, book: book, dir: t.TempDir(), redis: miniredis.RunT(t), saved: map[string]bool{}}
	for _, binary := range binaries {
		w.must(os.Symlink(binary, filepath.Join(w.dir, filepath.Base(binary))))
	}
	configs, err := filepath.Abs(filepath.Join("..", "configs"))
	w.must(err)
	w.must(os.Symlink(configs, filepath.Join(w.dir, "configs")))
	return w
}

func (w *walk) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *walk) all() {
	for _, b := range blocksOf(w.T, w.book) {
		w.block(b)
	}
	for file, checked := range w.saved {
		if !checked {
			w.Errorf("%s: %s is never checked", w.book, file)
		}
	}
	w.tables()
	w.events()
}

func (w *walk) block(b block) {
	bad := func(format string, args ...any) {
		w.Errorf("%s:%d: %s", b.page, b.line, fmt.Sprintf(format, args...))
	}
	switch b.lang {
	case "yaml":
		if b.file == "" || filepath.Base(b.file) != b.file {
			bad("a yaml block bears the name of a file, as ```yaml liandong.yaml")
			return
		}
		w.must(os.WriteFile(filepath.Join(w.dir, b.file), []byte(b.text), 0o600))
		w.saved[b.file] = false
	case "sh":
		for _, line := range b.commands() {
			if w.made = w.command(line); !w.made && w.out == "" {
				bad("%q is not a command that this test knows", line)
			}
		}
	case "text", "json":
		if b.file == "example" { // of what nobody on the page is sent
			return
		}
		if w.rows {
			if got, want := rows(w.out), rows(b.text); !slices.Equal(got, want) {
				bad("the page shows the rows %q and there are %q in\n%s", want, got, w.out)
			}
			return
		}
		if got, want := masked(w.out), masked(b.text); w.made && !slices.Equal(got, want) {
			bad("the page shows\n%s\nand there is\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
	case "sip":
		w.sipLines(b, bad)
	case "mermaid", "": // pictures and lists
	default:
		bad("a block of %q: this test does not know what to do with it", b.lang)
	}
}

// elsewhere stands for the output of a line that another test compares.
const elsewhere = "elsewhere"

// command carries out one line. false with no output: it is not known.
func (w *walk) command(line string) bool {
	w.out, w.rows = "", false
	switch line {
	case testLine, buildLine, loadLine, demoLine, makeLine:
		w.out = elsewhere
		return false
	}
	line, file, _ := strings.Cut(line, " > ")
	args, ok := shell(line)
	if !ok {
		return false
	}
	if args[0] == "./liandong-load" {
		w.load(args, file)
		return true
	}
	switch args[0] + " " + args[1] {
	case "./liandong version":
		if w.out = w.run(args, 0); !strings.HasPrefix(w.out, "liandong ") {
			w.Errorf("%s: %s", line, w.out)
		}
	case "./liandong check":
		w.check(args)
	case "./liandong serve":
		w.serve(args)
	case "./liandong tickets":
		w.tickets(args)
	case "./liandong report":
		w.report(args)
	case "./liandong trace":
		w.trace(args)
	case "./liandong completion", "./liandong man":
		if w.out = w.run(args, 0); file == "" || !strings.Contains(w.out, "liandong") {
			w.Errorf("%s: %q", line, w.out)
		}
	case "./liandong categories":
		if w.out = w.run(args, 0); args[2] != "find" {
			w.Errorf("%s: what is this?", line)
		}
	default:
		switch args[0] {
		case "curl":
			w.curl(args[1:])
		case "redis-cli":
			w.redisCLI(args[1:])
		default:
			return false
		}
	}
	return true
}

// shell takes a line apart as a shell does that is asked for nothing but words and single quotes.
func shell(line string) (args []string, ok bool) {
	for i, part := range strings.Split(line, "'") {
		switch {
		case i%2 == 1:
			args = append(args, part)
		case strings.ContainsAny(part, "$|;&<>`\"\\*?()#"):
			return nil, false
		default:
			args = append(args, strings.Fields(part)...)
		}
	}
	return args, len(args) > 1 && strings.Count(line, "'")%2 == 0
}

// check: of the files on the pages just the one that is called so is wrong.
func (w *walk) check(args []string) {
	code := 0
	if args[2] == "wrong.yaml" {
		code = 1
	}
	w.out = w.run(args, code)
	w.saved[args[2]] = true
}

// labs are the names in a config that have to do with this machine.
var labs = map[string]struct{ network, trunk string }{
	"liandong.yaml":    {"office", "pbx"},
	"configs/lab.yaml": {"lab", "pstn"},
	loadLab:            {"lab", "pstn"},
}

func (w *walk) serve(args []string) {
	l, ok := labs[args[3]]
	if !ok {
		w.Fatalf("%s: no such config", args[3])
	}
	sip, web := freePort(w.T), freePort(w.T)
	for _, set := range []string{
		"networks." + l.network + ".sip.udp=" + sip.String(), "networks." + l.network + ".sip.tcp=" + sip.String(),
		"networks." + l.network + ".rtp.address=" + here.String(), "networks." + l.network + ".allow=" + here.String(),
		"trunks." + l.trunk + ".match=" + away.String(),
		"http.listen=" + web.String(), "redis.url=redis://" + w.redis.Addr() + "/0",
		"outbox.path=" + filepath.Join(w.dir, l.network+".db"),
	} {
		args = append(args, "--set", set)
	}
	keys := freePort(w.T)
	if l.network == "office" {
		args = append(args, "--set", "networks.office.http="+keys.String())
	}
	p := w.start(args)
	w.out = w.next(p, "msg=ready")
	if args[3] == loadLab {
		w.big, w.bigPID = sip, p.Process.Pid // it goes on until the page ends
		return
	}
	if args[3] != "liandong.yaml" {
		p.stop()
		return
	}
	w.sip, w.web = sip, web
	w.phones()
	w.pressed("http://" + keys.String() + "/v1/keys/ready?user=1101")
}

// pressed takes an action URL of the pages as a phone does that is registered.
func (w *walk) pressed(url string) {
	answer, err := http.Get(url)
	w.must(err)
	if answer.StatusCode != http.StatusOK {
		w.Errorf("%s: %s", url, answer.Status)
	}
	_ = answer.Body.Close()
}

// loadLab is the file that liandong-load makes.
const loadLab = "lab-big.yaml"

// load lets the load generator make its lab, or measure the switch that was started with it.
func (w *walk) load(args []string, file string) {
	if file != "" {
		w.must(os.WriteFile(filepath.Join(w.dir, file), []byte(w.run(args, 0)), 0o600))
		w.out = elsewhere
		return
	}
	if i := slices.Index(args, "--pid"); i >= 0 {
		args[i+1] = strconv.Itoa(w.bigPID)
	}
	w.rows, w.out = true, w.run(append(args, "--server", w.big.String()), 0)
	if !strings.Contains(w.out, "failed 0") {
		w.Errorf("%s:\n%s", strings.Join(args, " "), w.out)
	}
}

// rows is the names of a table's rows. What the generator remarks about a busy machine is none.
func rows(table string) (names []string) {
	for line := range strings.Lines(table) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if name != "" && !strings.HasPrefix(name, "!") {
			names = append(names, name)
		}
	}
	return names
}

// freePort is a port of loopback that is free for UDP and TCP.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", netip.AddrPortFrom(here, 0).String())
		if err != nil {
			t.Fatal(err)
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return at
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return netip.AddrPort{}
}

// phones are the citizen behind the PBX, and a desk of each line.
func (w *walk) phones() {
	make := func(cfg phone.Config) *phone.Phone {
		cfg.Server, cfg.Policy, cfg.Speech = w.sip, phone.AnswerAfter(0), phone.Tone(440, time.Second)
		p, err := phone.New(cfg)
		w.must(err)
		w.Cleanup(p.Close)
		return p
	}
	desk := func(user string) *phone.Phone {
		p := make(phone.Config{Listen: netip.AddrPortFrom(here, 0), User: user, Password: "calm-heron-" + user,
			Domain: "hotline.example.cn"})
		w.must(p.Register(w.soon()))
		return p
	}
	w.citizen = make(phone.Config{Name: "citizen", Listen: netip.AddrPortFrom(away, 0)})
	w.taker, w.partner = desk("1101"), desk("2101")
}

func (w *walk) soon() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	w.Cleanup(cancel)
	return ctx
}

func (w *walk) coming(p *phone.Phone) *phone.Call {
	w.Helper()
	select {
	case c := <-p.Incoming():
		w.must(c.WaitState(w.soon(), phone.Confirmed))
		return c
	case <-time.After(patience):
		w.Fatalf("%s does not ring", p.Name())
		return nil
	}
}

// talk lets the citizen talk with the 110 desk.
func (w *walk) talk() (desk *phone.Call) {
	w.Helper()
	if w.citizen == nil {
		w.Fatal("no switch runs yet")
	}
	var err error
	w.call, err = w.citizen.Call("sip:110@"+w.sip.String(),
		phone.CallOptions{From: "13812345678", PAI: []string{"tel:+8613812345678"}})
	w.must(err)
	desk = w.coming(w.taker)
	w.must(w.call.WaitState(w.soon(), phone.Confirmed))
	return desk
}

// tickets reads the streams; --follow sees a hand-over as it happens.
func (w *walk) tickets(args []string) {
	if args[2] == "add" {
		args[3] = w.entries()[0].Values["stub_id"].(string)
		if w.out = w.run(append(args, "--set", "http.listen="+w.web.String()), 0); !strings.Contains(w.out, args[3]) {
			w.Errorf("%v prints %q", args, w.out)
		}
		return
	}
	args = append(args, "--set", "redis.url=redis://"+w.redis.Addr()+"/0")
	if !slices.Contains(args, "--follow") {
		if w.out = w.run(args, 0); !strings.Contains(w.out, "event=answered") {
			w.Errorf("%v prints %q", args, w.out)
		}
		return
	}
	p := w.start(args)
	w.must(w.talk().SendDTMF(w.soon(), "*1", phone.RFC4733))
	w.invite = w.coming(w.partner).Invite()
	w.out = w.next(p, "event=opened") + "\n" + w.next(p, "event=answered")
	w.must(w.call.Hangup(w.soon()))
	p.stop()
}

// trace looks at the call that HTTP has named last.
func (w *walk) trace(args []string) {
	args[2] = w.id
	w.out = w.run(append(args, "--set", "http.listen="+w.web.String()), 0)
	if i := slices.Index(args, "--pcap"); i > 0 {
		if info, err := os.Stat(filepath.Join(w.dir, args[i+1])); err != nil || info.Size() < 1000 {
			w.Errorf("%v has written nothing: %v", args, err)
		}
		w.out = elsewhere
	} else if !strings.Contains(w.out, "INVITE") || !strings.Contains(w.out, w.id) {
		w.Errorf("%v prints %q", args, w.out)
	}
}

// report waits until what the page has done is counted: numbers differ from run to run, indicators do not.
func (w *walk) report(args []string) {
	args = append(args, "--set", "redis.url=redis://"+w.redis.Addr()+"/0")
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(100 * time.Millisecond) {
		if w.out = w.run(args, 0); strings.Contains(w.out, "100.0 %    1/1\n  caller hung up") {
			break
		}
	}
	w.rows = true
}

// entries are those of the matter that the page has made.
func (w *walk) entries() []redis.XMessage {
	w.Helper()
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	list, err := client.XRange(w.soon(), "liandong:tickets:12345", "-", "+").Result()
	w.must(err)
	return list
}

// redisCLI sends a command as redis-cli does; the id of an entry on the page is that of the first real one.
func (w *walk) redisCLI(words []string) {
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	entries := w.entries()
	args := make([]any, len(words))
	for i, word := range words {
		if len(entries) > 0 {
			word = ulid.ReplaceAllString(word, entries[0].Values["stub_id"].(string))
		}
		if masked(word)[0] == "<stream-id>" && len(entries) > 0 {
			word = entries[0].ID
		}
		args[i] = word
	}
	answer, err := client.Do(w.soon(), args...).Result()
	w.must(err)
	w.out = fmt.Sprint(answer)
	switch words[0] {
	case "HGETALL": // the update before it is taken in
		for late := time.Now().Add(patience); !strings.Contains(w.out, "RECEIVED") &&
			time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
			answer, err = client.Do(w.soon(), args...).Result()
			w.must(err)
			w.out = fmt.Sprint(answer)
		}
		if !strings.Contains(w.out, "RECEIVED") {
			w.Errorf("%v: %s", words, w.out)
		}
	case "XREADGROUP":
		if !strings.Contains(w.out, "event_id") {
			w.Errorf("%v: %s", words, w.out)
		}
	case "XACK":
		if w.out != "1" {
			w.Errorf("%v: %s entries acknowledged, want 1", words, w.out)
		}
	}
}

// curl asks the switch that the page has started, about a call that is on.
func (w *walk) curl(args []string) {
	method, url, data := http.MethodGet, args[len(args)-1], ""
	if len(args) > 2 && args[0] == "-X" {
		method, args = args[1], args[2:]
	}
	stream := args[0] == "-N"
	if stream {
		args = args[1:]
	}
	if len(args) == 3 && args[0] == "-d" {
		data = args[1]
	} else if len(args) != 1 && args[0] != "--output" {
		w.Errorf("curl %v: only -X, -N, -d and --output are understood", args)
		return
	}
	if strings.Contains(url, "/v1/") && (w.call == nil || w.call.State() == phone.Ended) {
		w.talk()
	}
	url = strings.Replace(url, "//127.0.0.1:8080/", "//"+w.web.String()+"/", 1)
	url = callID.ReplaceAllString(url, w.id)
	url = recordingPath.ReplaceAllString(url, "/v1/recordings/"+w.recording)
	if strings.Contains(url, "/v1/stubs/") || strings.Contains(url, "/v1/matters/") {
		url = ulid.ReplaceAllString(url, w.entries()[0].Values["stub_id"].(string))
	}
	req, err := http.NewRequestWithContext(w.soon(), method, url, strings.NewReader(data))
	w.must(err)
	answer, err := http.DefaultClient.Do(req)
	w.must(err)
	defer answer.Body.Close()
	from := io.Reader(answer.Body)
	if stream { // it has no end
		from = io.LimitReader(from, 64)
	}
	body, err := io.ReadAll(from)
	w.must(err)
	want := http.StatusOK
	if strings.Contains(url, "/v1/missed/") { // nobody is missed here
		want = http.StatusNotFound
	}
	if w.out = string(body); answer.StatusCode != want {
		w.Errorf("%s %s: %s: %s", method, url, answer.Status, body)
	}
	w.answered(method, req.URL.Path)
}

// counted are the metrics once the matters have been counted, which takes a moment after the first.
func (w *walk) counted() (text string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + w.web.String() + "/metrics")
		w.must(err)
		body, err := io.ReadAll(answer.Body)
		w.must(err)
		_ = answer.Body.Close()
		if text = string(body); strings.Contains(text, "liandong_matters_open") {
			break
		}
	}
	return text
}

var recordingPath = regexp.MustCompile(`/v1/recordings/[0-9A-Z]{26}`)

// recorded waits for the event that a recording has begun, and for its file, which is made in the background.
func (w *walk) recorded() {
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		entries, err := client.XRange(w.soon(), "liandong:calls", "-", "+").Result()
		w.must(err)
		for _, e := range entries {
			if e.Values["event"] == "recording" {
				w.recording = e.Values["recording_ref"].(string)
			}
		}
		if files, _ := filepath.Glob(filepath.Join(w.dir, "data/recordings/*",
			w.recording+".wav")); w.recording != "" && len(files) == 1 {
			return
		}
	}
	w.Error("no recording begins")
}

var callID = regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)

// answered looks at what an answer promises.
func (w *walk) answered(method, path string) {
	w.asked = append(w.asked, method+" "+path)
	switch {
	case path == "/v1/calls":
		w.id = callID.FindString(w.out)
	case strings.HasPrefix(path, "/v1/stubs/"):
		if !strings.Contains(w.out, `"stream":"liandong:tickets:12345"`) {
			w.Errorf("%s %s: %q", method, path, w.out)
		}
	case path == "/v1/events":
		if !strings.Contains(w.out, "event: hello") {
			w.Errorf("%s %s: %q", method, path, w.out)
		}
	case path == "/metrics":
		w.metrics = w.counted()
	case strings.HasSuffix(path, "/handover"):
		w.coming(w.partner)
		fallthrough
	case path == "/v1/keys/record":
		w.recorded()
	case strings.Contains(path, "/verbs/"), strings.Contains(path, "/keys/"), path == "/healthz":
		if !slices.Contains([]string{"ok\n", "好的\n"}, w.out) {
			w.Errorf("%s %s: %q", method, path, w.out)
		}
	}
}

// sipLines: the headers on the page stood in the INVITE that rang the partner's phone.
func (w *walk) sipLines(b block, bad func(string, ...any)) {
	if w.invite == nil {
		bad("no hand-over before this block")
		return
	}
	var all bytes.Buffer
	for _, h := range w.invite.Headers {
		fmt.Fprintf(&all, "%s: %s\n", h.Name, h.Value)
	}
	got := masked(all.String())
	for _, line := range masked(b.text) {
		if !slices.Contains(got, line) {
			bad("no line\n%s\nin\n%s", line, all.String())
		}
	}
}

// tables: every endpoint was asked, every metric is there, and none is left out.
func (w *walk) tables() {
	for _, row := range table(w.T, w.book, "http") {
		request, _, _ := strings.Cut(words(row[0])[0], "?")
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(request, "[^/]+") + "$")
		if !slices.ContainsFunc(w.asked, pattern.MatchString) {
			w.Errorf("%s: %s is never asked", w.book, request)
		}
	}
	var got, want []string
	for _, row := range table(w.T, w.book, "metrics") {
		for _, name := range words(row[0]) {
			got = append(got, "liandong_"+name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (liandong_\w+)`).FindAllStringSubmatch(w.metrics, -1) {
		want = append(want, m[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	same(w.T, w.book.String()+": metrics", got, want)
}

// events: the paragraph on call events names each field and each event that this walk has caused.
func (w *walk) events() {
	client := redis.NewClient(&redis.Options{Addr: w.redis.Addr()})
	defer client.Close()
	entries, err := client.XRange(w.soon(), "liandong:calls", "-", "+").Result()
	w.must(err)
	if len(entries) == 0 {
		w.Error("there are no call events")
	}
	paragraphs := strings.Split(w.book.text(w.T), "\n\n")
	i := slices.IndexFunc(paragraphs, func(s string) bool { return strings.Contains(s, "`liandong:calls`") })
	if i < 0 {
		w.Fatalf("%s does not name liandong:calls", w.book)
	}
	told := words(paragraphs[i])
	for _, e := range entries {
		for field := range e.Values {
			if !slices.Contains(told, field) || !slices.Contains(told, e.Values["event"].(string)) {
				w.Errorf("%s does not tell of %s in %v", w.book, field, e.Values["event"])
			}
		}
	}
}
