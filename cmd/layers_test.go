// Package cmd_test keeps the house's walls: which package may import which.
package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// order is the total order of the house: a package imports its own layer and those after it.
var order = []string{"cmd", "configs", "routing", "sip", "media"}

// owners are the libraries that only some packages name, and where tests may name them too: those that play the world
// outside speak its language.
var owners = []struct {
	lib          string
	named, tests []string
}{
	{gosip, []string{"sip"}, []string{"routing/exchange", "cmd"}},
	{"github.com/emiago/sipgo", nil, nil}, // its server, client and dialogs are not built on
	{"github.com/redis/go-redis", []string{"routing/link", "routing/outbox", "routing/ledger", "routing/whereabouts",
		"routing/claims", "configs/consumers/go"},
		[]string{"routing/spool", "cmd"}},
	{"github.com/alicebob/miniredis", []string{"cmd/internal/demo"},
		[]string{"routing/outbox", "routing/ledger", "cmd"}},
	{"github.com/goccy/go-yaml", []string{"configs"}, nil},
	{"github.com/alecthomas/kong", []string{"cmd"}, nil},
	{"github.com/pion/rtp", []string{"media/engine", "media/report", "media/srtp", "cmd/internal/phone"},
		[]string{"cmd"}},
	{"github.com/pion/rtcp", []string{"media/engine", "media/report", "media/srtp", "cmd/internal/phone"},
		[]string{"cmd"}},
	{"github.com/pion/sdp", []string{"sip/sdp"}, nil},
	{"github.com/pion/srtp", []string{"media/srtp", "cmd/internal/phone"}, nil},
	{"github.com/cilium/ebpf", []string{"media/socket"}, nil},
}

const gosip = "github.com/emiago/sipgo/sip"

// file is what the rules look at of one Go file.
type file struct {
	dir  string // of the package, from the root of the module
	test bool
}

// objection says why a file may not import a package; "" it may.
func objection(f file, imported string) string {
	if inner, ok := strings.CutPrefix(imported, "liandong/"); ok {
		return layering(f, inner)
	}
	for _, o := range owners {
		if !within(imported, o.lib) {
			continue
		}
		here := func(dir string) bool { return within(f.dir, dir) }
		if slices.ContainsFunc(o.named, here) || f.test && slices.ContainsFunc(o.tests, here) {
			return ""
		}
		return "only " + strings.Join(o.named, ", ") + " may name it"
	}
	return ""
}

func layering(f file, imported string) string {
	from, to := slices.Index(order, top(f.dir)), slices.Index(order, top(imported))
	switch {
	case from < 0 || to < 0:
		return "the layers are " + strings.Join(order, " > ")
	case to < from:
		return "imports point to the right of " + strings.Join(order, " > ")
	case top(f.dir) == "sip" && top(imported) == "media" && imported != "media/codec":
		return "sip knows of media only the names of codecs"
	}
	return ""
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

// within says that a path is another or lies below it.
func within(p, above string) bool { return p == above || strings.HasPrefix(p, above+"/") }

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		dir, imported string
		test, ok      bool
	}{
		{"cmd/internal/app", "liandong/configs", false, true},
		{"configs", "liandong/media/engine", false, true},
		{"routing/call", "liandong/routing/desk", false, true},
		{"routing/call", "liandong/configs", false, false},
		{"sip/leg", "liandong/routing/number", true, false},
		{"media/engine", "liandong/sip/sdp", false, false},
		{"sip/sdp", "liandong/media/codec", false, true},
		{"sip/ua", "liandong/media/engine", false, false},
		{"util", "liandong/media/codec", false, false},
		{"sip/header", gosip, false, true},
		{"routing/exchange", gosip, false, false},
		{"routing/exchange", gosip, true, true},
		{"routing/call", gosip, true, false},
		{"cmd/internal/app", gosip, false, false},
		{"sip/ua", "github.com/emiago/sipgo", false, false},
		{"routing/outbox", "github.com/redis/go-redis/v9", false, true},
		{"cmd/internal/app", "github.com/redis/go-redis/v9", false, false},
		{"cmd/internal/tickets", "github.com/redis/go-redis/v9", false, false},
		{"cmd/liandong", "github.com/redis/go-redis/v9", true, true},
		{"routing/outboxes", "github.com/redis/go-redis/v9", false, false},
		{"routing/outbox", "github.com/alicebob/miniredis/v2", true, true},
		{"routing/outbox", "github.com/alicebob/miniredis/v2", false, false},
		{"sip/leg", "fmt", false, true},
	} {
		if got := objection(file{tt.dir, tt.test}, tt.imported); (got == "") != tt.ok {
			t.Errorf("%s imports %s: %q, want allowed %v", tt.dir, tt.imported, got, tt.ok)
		}
	}
}

func TestLayers(t *testing.T) {
	fset := token.NewFileSet()
	seen := map[string]int{}
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(p) != ".go":
			return nil
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		f := file{path.Dir(rel), strings.HasSuffix(rel, "_test.go")}
		seen[top(f.dir)]++
		tree, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return nil
		}
		imports(t, fset, f, tree)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range order {
		if seen[layer] == 0 {
			t.Errorf("no Go file found in %s: is the walk still right?", layer)
		}
	}
}

func imports(t *testing.T, fset *token.FileSet, f file, tree *ast.File) {
	for _, spec := range tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		if why := objection(f, name); why != "" {
			t.Errorf("%s: imports %s: %s", fset.Position(spec.Pos()), name, why)
		}
		if name != gosip {
			continue
		}
		if spec.Name == nil || spec.Name.Name != "gosip" {
			t.Errorf("%s: sipgo's messages are imported as gosip", fset.Position(spec.Pos()))
		}
		if !within(f.dir, "sip/ua") {
			transport(t, fset, tree)
		}
	}
}

// transport finds uses of sipgo's sockets, which belong to sip/ua alone. They are in the same package as its messages.
func transport(t *testing.T, fset *token.FileSet, tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "gosip" && socketName(sel.Sel.Name) {
			t.Errorf("%s: gosip.%s: only sip/ua holds sipgo's transport", fset.Position(sel.Pos()), sel.Sel.Name)
		}
		return true
	})
}

// socketName: TransportLayer, TransportUDP, NewTransactionLayer, UDPConnection … but not TransportToLower of a word.
func socketName(s string) bool {
	return strings.Contains(s, "TransportLayer") || strings.Contains(s, "TransactionLayer") ||
		strings.HasSuffix(s, "Connection") ||
		slices.Contains([]string{"TransportUDP", "TransportTCP", "TransportTLS", "TransportWS", "TransportWSS"}, s)
}
