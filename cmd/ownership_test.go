package cmd_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page on who owns what names every type that has a lock, in both languages, and no other.
func TestOwnershipOfLocks(t *testing.T) {
	want := lockedTypes(t)
	for _, page := range []string{"configs/docs/ownership.md", "configs/docs/ownership.zh.md"} {
		var got []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+\\.[A-Za-z]+)` \\|").FindAllStringSubmatch(readPage(t,
			page), -1) {
			got = append(got, row[1])
		}
		slices.Sort(got)
		for _, lock := range want {
			if !slices.Contains(got, lock) {
				t.Errorf("%s does not say what the lock of %s guards", page, lock)
			}
		}
		for _, lock := range got {
			if !slices.Contains(want, lock) {
				t.Errorf("%s: %s has no lock", page, lock)
			}
		}
	}
}

// lockedTypes are the types of the switch that have a lock, with the names of their packages. What is for measuring and
// showing only is left out, and what is for tests.
func lockedTypes(t *testing.T) (all []string) {
	t.Helper()
	for _, root := range []string{"../sip", "../media", "../routing", "internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && slices.Contains([]string{"demo", "load", "phone", "tickets", "sockettest"},
				d.Name()) {
				return fs.SkipDir
			}
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok && hasLock(spec.Type) {
					all = append(all, file.Name.Name+"."+spec.Name.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func hasLock(t ast.Expr) bool {
	s, ok := t.(*ast.StructType)
	return ok && slices.ContainsFunc(s.Fields.List, func(f *ast.Field) bool {
		sel, ok := f.Type.(*ast.SelectorExpr)
		return ok && (sel.Sel.Name == "Mutex" || sel.Sel.Name == "RWMutex")
	})
}
