package configs

import (
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// wideMarks are the full-width marks that a Chinese keyboard gives where YAML wants its own, and what to write.
var wideMarks = map[string]string{
	"：": `": "`, "，": `", "`, "“": `"`, "”": `"`, "‘": "'", "’": "'", "【": "[", "】": "]", "｛": "{", "｝": "}", "＃": "#",
	"＊": "*", "－": "-",
}

var (
	wideAnywhere = regexp.MustCompile(`[：，“”‘’【】｛｝＃＊－` + blanks + `]`)
	wideKey      = regexp.MustCompile(`^\s*(?:- )?["“]?[\w*#.-]+["”]?(：)`)
)

// blanks look like a space, or like nothing, and are no space to YAML.
const blanks = "\u3000\u00a0\u2002\u2003\u2009\u200b\u2028\ufeff"

// wideMark says what stands in the file and what to write, where YAML stumbles over it.
func wideMark(mark string) message {
	if r := []rune(mark)[0]; strings.ContainsRune(blanks, r) {
		return textBlank.of(r)
	}
	return textWideMark.of(mark, wideMarks[mark])
}

// wideValue says it of a word that is not what is allowed, what.
func wideValue(word, mark string, what message) message {
	if r := []rune(mark)[0]; strings.ContainsRune(blanks, r) {
		return textBlank.of(r)
	}
	return textWideValue.of(shorten(word), mark, wideMarks[mark], what)
}

// wideName says it of a key or a name.
func wideName(name, mark string) message {
	if r := []rune(mark)[0]; strings.ContainsRune(blanks, r) {
		return textBlank.of(r)
	}
	return textWideName.of(shorten(name), mark, wideMarks[mark])
}

// wideNear finds such a mark in the line of an error or the one before, or behind a key in any line: what YAML stumbles
// over is often the line after.
func wideNear(lines []string, line int) (mark string, at place) {
	for _, n := range []int{line, line - 1} {
		if n < 1 || n > len(lines) {
			continue
		}
		text := withoutComment(lines[n-1])
		if m := wideAnywhere.FindStringIndex(text); m != nil {
			return text[m[0]:m[1]], place{line: n, col: len([]rune(text[:m[0]])) + 1}
		}
	}
	for i, text := range lines {
		if m := wideKey.FindStringSubmatchIndex(text); m != nil {
			return text[m[2]:m[3]], place{line: i + 1, col: len([]rune(text[:m[2]])) + 1}
		}
	}
	return "", place{}
}

func withoutComment(line string) string {
	if i := strings.Index(" "+line, " #"); i >= 0 {
		return line[:i]
	}
	return line
}

// wideIn is the first such mark in a word; "" when there is none.
func wideIn(word string) string { return wideAnywhere.FindString(word) }

// wideQuoted says that a value stands in quotes that are none to YAML: they would be part of it.
func wideQuoted(n ast.Node) bool {
	s, ok := n.(*ast.StringNode)
	if !ok || s.Token == nil || s.Token.Type != token.StringType {
		return false
	}
	return strings.HasPrefix(s.Value, "“") && strings.HasSuffix(s.Value, "”") ||
		strings.HasPrefix(s.Value, "‘") && strings.HasSuffix(s.Value, "’")
}

// yamlFault puts what the parser says into both languages, by what the admin has to look for.
func yamlFault(why string) message {
	for _, kind := range yamlFaults {
		for _, words := range kind.words {
			if strings.Contains(why, words) {
				return kind.say.of()
			}
		}
	}
	return textYAMLOther.of()
}

// yamlFaults are looked through in this order.
var yamlFaults = []struct {
	words []string
	say   text
}{
	{[]string{"reserved character", "directive value"}, textYAMLReserved},
	{[]string{"escape"}, textYAMLEscape},
	{[]string{"quote"}, textYAMLQuote},
	{[]string{"'}'", "']'", "'{'", "'['", "flow map", "','"}, textYAMLBracket},
	{[]string{"sequence", "block sequence"}, textYAMLList},
	{[]string{"key", "map", "value is not allowed", "scalar", "line break"}, textYAMLColon},
}
