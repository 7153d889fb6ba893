package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// branch is a command as man pages and completions tell of it.
type branch struct {
	path     []string // such as tickets, add; empty for the program
	help     string
	children []branch
	flags    []flag
	args     []argument
	leaf     bool
}

type flag struct {
	long, short, value, help string // short and value may be ""
	allowed                  []string
}

type argument struct {
	shown, help string
	allowed     []string
	file        bool
}

// isFile says by its placeholder that a value is a path.
func isFile(value string) bool {
	return strings.Contains(strings.ToUpper(value), "FILE") || strings.ToUpper(value) == "DIR"
}

// tree is what a program understands. A command whose default is one of its own has the flags of that, too.
func tree(n *kong.Node, above ...string) branch {
	b := branch{path: above, help: n.Help, leaf: n.Leaf()}
	for _, c := range n.Children {
		if !c.Hidden {
			b.children = append(b.children, tree(c, append(above[:len(above):len(above)], c.Name)...))
		}
	}
	b.take(n)
	if n.DefaultCmd != nil {
		b.take(n.DefaultCmd)
		b.leaf = true
	}
	return b
}

// take adds the flags and arguments of a node.
func (b *branch) take(n *kong.Node) {
	for _, f := range n.Flags {
		if f.Hidden {
			continue
		}
		one := flag{long: f.Name, help: f.Help, allowed: allowed(f.Value)}
		if f.Short != 0 {
			one.short = string(f.Short)
		}
		if !f.IsBool() {
			one.value = strings.Trim(f.FormatPlaceHolder(), `"`)
			if f.PlaceHolder != "" {
				one.value = f.PlaceHolder
			}
		}
		b.flags = append(b.flags, one)
	}
	for _, a := range n.Positional {
		b.args = append(b.args, argument{a.Summary(), a.Help, allowed(a), isFile(a.Name)})
	}
}

func allowed(v *kong.Value) []string {
	return slices.DeleteFunc(v.EnumSlice(), func(word string) bool { return word == "" })
}

// all is the branch and what is under it, from the top.
func (b branch) all() []branch {
	list := []branch{b}
	for _, c := range b.children {
		list = append(list, c.all()...)
	}
	return list
}

func (b branch) name() string { return strings.Join(b.path, " ") }

func (b branch) last() string { return b.path[len(b.path)-1] }
