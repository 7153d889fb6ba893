package configs

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// The parser's time and memory grow with the square of the entries of a table: 10 000 phones take it half a second and
// half a gigabyte. So the first entries of a table that stand one in a line are parsed some at a time.

// atOnce is how many.
const atOnce = 128

// batch is the text of some entries, below the head of their table, and the line before the first of them.
type batch struct {
	head  string
	text  []string
	lines []int // from 0, of each entry
}

// split takes entries out of a text, which keeps its lines: where they were there is nothing.
func split(src string) (rest string, out []batch) {
	if strings.Count(src, "\n") < 2*atOnce {
		return src, nil
	}
	lines := strings.SplitAfter(src, "\n")
	head, own := "", 0 // the table that a line may belong to, "" when it is not certain; entries of it that stay
	var now *batch
	for i, line := range lines {
		switch {
		case isHead(line):
			head, own, now = line, 0, nil
		case head == "" || blank(line):
		case !isEntry(line):
			head, now = "", nil
		case own == 0: // without any the table would be none
			own = 1
		default:
			if now == nil || len(now.lines) >= atOnce {
				out = append(out, batch{head: head})
				now = &out[len(out)-1]
			}
			now.text = append(now.text, line)
			now.lines = append(now.lines, i)
			lines[i] = "\n"
		}
	}
	return strings.Join(lines, ""), out
}

// isHead: a key in the first column, and nothing else.
func isHead(line string) bool {
	key, ok := strings.CutSuffix(strings.TrimRight(line, "\r\n"), ":")
	return ok && plainKey(key)
}

// isEntry: "  key: {…}", which begins and ends here whatever is in it.
func isEntry(line string) bool {
	rest, ok := strings.CutPrefix(line, "  ")
	if !ok || !strings.HasSuffix(rest, "}\n") {
		return false
	}
	key, group, ok := strings.Cut(rest[:len(rest)-2], ": {")
	return ok && plainKey(key) && !strings.ContainsAny(group, "{}[]#'\\\t\r") && strings.Count(group, `"`)%2 == 0
}

func plainKey(key string) bool {
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		default:
			return false
		}
	}
	return key != ""
}

// blank lines, and those of a comment, end nothing.
func blank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || line[0] == '#'
}

// parseSplit parses a text in parts; false: it is to be parsed as a whole, which also finds what is wrong with it.
func parseSplit(src string) (*ast.File, bool) {
	rest, parts := split(src)
	if len(parts) == 0 {
		return nil, false
	}
	file, err := parseWhole([]byte(rest))
	if err != nil || len(file.Docs) != 1 {
		return nil, false
	}
	grown := map[*ast.MappingNode]bool{}
	for _, part := range parts {
		table := tableOf(file, part.head)
		more, err := parseWhole([]byte(part.head + strings.Join(part.text, "")))
		if err != nil || table == nil {
			return nil, false
		}
		entries := tableOf(more, part.head)
		if entries == nil || len(entries.Values) != len(part.lines) {
			return nil, false
		}
		for _, entry := range entries.Values {
			ast.Walk(placer(part.lines), entry)
		}
		table.Values = append(table.Values, entries.Values...)
		grown[table] = true
	}
	for table := range grown {
		slices.SortStableFunc(table.Values, func(a, b *ast.MappingValueNode) int {
			return a.GetToken().Position.Line - b.GetToken().Position.Line
		})
	}
	return file, true
}

// placer gives an entry the line that it has in the file: each node of it has a place of its own.
type placer []int

func (p placer) Visit(n ast.Node) ast.Visitor {
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		if at := tk.Position.Line - 2; at >= 0 && at < len(p) {
			tk.Position.Line = p[at] + 1
		}
	}
	return p
}

// tableOf is the mapping under a head; nil: there is no such one, or it is there twice.
func tableOf(file *ast.File, head string) (table *ast.MappingNode) {
	if len(file.Docs) != 1 {
		return nil
	}
	root, ok := file.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return nil
	}
	head = strings.TrimRight(head, ":\r\n")
	for _, v := range root.Values {
		if v.Key.GetToken().Value != head {
			continue
		}
		is, ok := v.Value.(*ast.MappingNode)
		if !ok || table != nil {
			return nil
		}
		table = is
	}
	return table
}
