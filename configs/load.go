package configs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of a file. They are far above what a city needs and keep the YAML parser, whose time grows with the square of
// the depth, from being led astray.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
	maxClip   = 64 << 20
	maxDepth  = 64
)

// Options is what a file is read with besides itself.
type Options struct {
	Set []string // "key.path=value", each over what the file says, in this order
	// "zh" or "en": of messages where the file names none; "": both until it is known, and then zh
	Lang string
	Env  func(name string) (string, bool)              // for ${NAME}; nil: os.LookupEnv
	Read func(path string, most int64) ([]byte, error) // secret and WAV files; nil: from disk, plain files only
}

// Load reads and checks a file. The error is of type Problems.
func Load(path string, o Options) (*Config, error) {
	sources := sources{}
	if o.Read == nil {
		o.Read = sources.readPlain
	}
	src, err := sources.readPlain(path, maxFile)
	if err != nil {
		f := newFindings(path)
		f.add("", textUnreadable.of(cause(err)))
		return nil, f.problems(cmp.Or(setLang(o.Set), o.Lang, bothLangs))
	}
	c, err := Parse(path, src, o)
	if err != nil {
		return nil, err
	}
	c.sources, c.read = sources, time.Now()
	return c, nil
}

// sources are the files that a config was read from.
type sources map[string]source

// source is a file as it was read.
type source struct {
	fs.FileInfo
	sum [sha256.Size]byte
}

func (s sources) readPlain(path string, most int64) ([]byte, error) {
	info, fault := os.Stat(path)
	b, err := readPlain(path, most)
	if fault == nil && err == nil {
		s[path] = source{info, sha256.Sum256(b)}
	}
	return b, err
}

// Source is a file that a config was read from.
type Source struct {
	Path    string
	Changed time.Time
	SHA256  string // in hexadecimal digits
}

// Sources are the files that the config was read from, and when. None: it was built in code.
func (c *Config) Sources() (all []Source, read time.Time) {
	for _, path := range slices.Sorted(maps.Keys(c.sources)) {
		s := c.sources[path]
		all = append(all, Source{path, s.ModTime(), hex.EncodeToString(s.sum[:])})
	}
	return all, c.read
}

// Unchanged says that reading the config's files again would give the same. A certificate is not among them: it is read
// when it is needed.
func (c *Config) Unchanged() bool {
	for path, was := range c.sources {
		now, err := os.Stat(path)
		if err != nil || !os.SameFile(now, was.FileInfo) ||
			now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime()) {
			return false
		}
	}
	return len(c.sources) > 0
}

// Parse reads and checks the text of a file; name is for messages, and paths in the text are relative to its directory.
// The error is of type Problems.
func Parse(name string, src []byte, o Options) (*Config, error) {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	if o.Read == nil {
		o.Read = readPlain
	}
	d := &decoder{findings: newFindings(name), env: o.Env}
	c := Default()
	c.Lang = cmp.Or(o.Lang, c.Lang)
	lang := cmp.Or(setLang(o.Set), spokenLang(src), o.Lang, bothLangs)
	go shippedClips() // as long as the rest of a usual config takes; it ends by itself, who needs them waits
	root, ok := d.parse(src)
	if !ok {
		return nil, d.problems(lang)
	}
	d.value("", root, reflect.ValueOf(c).Elem(), rule{})
	for _, arg := range o.Set {
		d.set(c, arg)
	}
	f := files{dir: filepath.Dir(name), read: o.Read}
	d.secrets(c, f)
	d.missing("", reflect.ValueOf(c).Elem())
	c.complete()
	c.files = f
	(&checker{d, c, f}).all()
	if err := d.problems(c.Lang); err != nil {
		return nil, err
	}
	c.warnings, c.advised = d.inWords(d.warned, c.Lang), d.inWords(d.grave, c.Lang)
	return c, nil
}

// Validate checks a config that was built in code. The error is of type Problems, without files and lines.
func (c *Config) Validate() error {
	d := &decoder{findings: newFindings(""), env: os.LookupEnv}
	f := files{dir: ".", read: readPlain}
	d.secrets(c, f)
	d.missing("", reflect.ValueOf(c).Elem())
	c.complete()
	(&checker{d, c, f}).all()
	return d.problems(c.Lang)
}

// byteOrderMark is what some editors put before a text in UTF-8. It means nothing.
var byteOrderMark = []byte("\ufeff")

// parse gives the syntax tree of the one document.
func (d *decoder) parse(src []byte) (ast.Node, bool) {
	src = bytes.TrimPrefix(src, byteOrderMark)
	if fault, at := unfit(src); fault != nil {
		d.addAt(at, "", *fault)
		return nil, false
	}
	file, err := d.tree(src)
	if err != nil {
		d.syntax(src, err)
		return nil, false
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if !isNull(doc.Body) {
			docs = append(docs, doc.Body)
		}
	}
	switch {
	case len(docs) == 0:
		d.addAt(place{line: 1, col: 1}, "", textEmptyFile.of())
		return nil, false
	case len(docs) > 1:
		d.addAt(d.placeOf(docs[1]), "", textSecondDoc.of())
	}
	return docs[0], true
}

// tree is a text as the parser sees it, but for what is read quickly. Further files are short.
func (d *decoder) tree(src []byte) (*ast.File, error) {
	if d.in == "" {
		rest, tables := quickRead(string(src), reflect.TypeFor[Config]())
		if file, err := parseYAML([]byte(rest)); err == nil && len(file.Docs) == 1 && merge(tables, file) {
			d.quick = tables
			return file, nil
		}
	}
	return parseYAML(src)
}

// parseYAML leaves repeated keys to us, who name both. A panic of the parser is a file it cannot read.
func parseYAML(src []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	if file, ok := parseSplit(string(src)); ok {
		return file, nil
	}
	return parseWhole(src)
}

func parseWhole(src []byte) (*ast.File, error) {
	return parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
}

// syntax reports the parser's one error. Its own text would quote the lines around, and a password with them.
func (d *decoder) syntax(src []byte, err error) {
	at, why := place{line: 1, col: 1}, shorten(err.Error())
	if y, ok := errors.AsType[yaml.Error](err); ok {
		why = y.GetMessage()
		if tk := y.GetToken(); tk != nil && tk.Position != nil {
			at = place{line: max(tk.Position.Line, 1), col: max(tk.Position.Column, 1)}
		}
	}
	lines := strings.Split(string(src), "\n")
	if mark, wide := wideNear(lines, at.line); mark != "" {
		d.addAt(wide, "", wideMark(mark))
		return
	}
	if at.line <= len(lines) {
		switch line := lines[at.line-1]; {
		case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
			d.addAt(at, "", textYAMLTab.of())
			return
		case starKey.MatchString(line):
			d.addAt(at, "", textStarKey.of())
			return
		case flowEnv.MatchString(line):
			d.addAt(at, "", textFlowEnv.of())
			return
		}
	}
	d.addAt(at, "", textSyntax.of(yamlFault(why)))
}

// starKey finds a key code without its quotes, which YAML takes for an alias: at the start of a line, or within { }.
var starKey = regexp.MustCompile(`(^|[{,])\s*\*`)

// flowEnv finds a ${NAME} without quotes within { } or [ ], where YAML takes its braces for its own.
var flowEnv = regexp.MustCompile(`[{\[,].*[:\[,]\s*\$\{`)

// unfit says what keeps a text from being given to the YAML parser at all.
func unfit(src []byte) (*message, place) {
	first := place{line: 1, col: 1}
	if len(src) > maxFile {
		return ptr(textTooLarge.of(maxFile)), first
	}
	odd := func(b []byte) bool { return !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 } // as of UTF-16
	if odd(src) {
		line := slices.IndexFunc(bytes.Split(src, []byte("\n")), odd)
		return ptr(textNotUTF8.of()), place{line: line + 1, col: 1}
	}
	if line := nesting(string(src)); line > 0 {
		return ptr(textTooDeep.of(maxDepth)), place{line: line, col: 1}
	}
	return nil, place{}
}

var openers = regexp.MustCompile(`^(\s*[-?:&!][^\s]*\s)+`)

// nesting gives the line at which a text goes too deep, 0 when it does not. Brackets are counted over the whole text,
// without regard to quotes, for which the limit leaves room; "- - - -" within a line.
func nesting(src string) int {
	open, i := 0, 0
	for line := range strings.SplitSeq(src, "\n") {
		i++
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
		}
		if open > maxDepth || len(line) > maxDepth && len(strings.Fields(openers.FindString(line))) > maxDepth {
			return i
		}
	}
	return 0
}

var langLine = regexp.MustCompile(`(?m)^(?:\x{feff})?lang:\s*["']?(zh|en)\b`)

// spokenLang finds the language of a file that cannot be parsed.
func spokenLang(src []byte) string {
	if m := langLine.FindSubmatch(src); m != nil {
		return string(m[1])
	}
	return ""
}

// setLang is the language that the command line sets.
func setLang(set []string) (lang string) {
	for _, arg := range set {
		if v, ok := strings.CutPrefix(arg, "lang="); ok && (v == "zh" || v == "en") {
			lang = v
		}
	}
	return lang
}

// errNotPlain keeps devices and pipes out: /dev/zero has no end.
var errNotPlain = errors.New("not a plain file")

func readPlain(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotPlain
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most+1))
}

// cause says what happened to a file, without its path, which the message has already.
func cause(err error) message {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return textNotThere.of()
	case errors.Is(err, fs.ErrPermission):
		return textForbidden.of()
	case errors.Is(err, errNotPlain):
		return textNotPlain.of()
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return text{"%s", "%s"}.of(err.Error())
}
