package configs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commentedLine is a key in a comment: a remark in words has capitals or spaces before its colon.
var commentedLine = regexp.MustCompile(`^( *)# ( *(?:"?[a-z0-9_*-]+"?:( .*)?|- .*))$`)

// commentedBlocks are the runs of such lines, each as the numbers of its lines.
func commentedBlocks(lines []string) (blocks [][]int) {
	for i, line := range lines {
		switch last := len(blocks) - 1; {
		case !commentedLine.MatchString(line):
		case last >= 0 && blocks[last][len(blocks[last])-1] == i-1:
			blocks[last] = append(blocks[last], i)
		default:
			blocks = append(blocks, []int{i})
		}
	}
	return blocks
}

// What the shipped files have in comments works when its # are taken away: each block by itself, and all of them at
// once.
func TestCommentedBlocks(t *testing.T) {
	for name, least := range map[string]int{"liandong.yaml": 12, "lab.yaml": 0} {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(src), "\n")
		blocks := commentedBlocks(lines)
		if len(blocks) < least {
			t.Errorf("%s: %d blocks in comments, at least %d were expected", name, len(blocks), least)
		}
		for _, block := range append(blocks, slices.Concat(blocks...)) {
			if len(block) == 0 {
				continue
			}
			text := slices.Clone(lines)
			for _, i := range block {
				text[i] = commentedLine.ReplaceAllString(text[i], "$1$2")
			}
			o := Options{Lang: "en", Env: func(name string) (string, bool) {
				return strings.Repeat("0123456789abcdef", 4), name != "LIANDONG_REDIS_URL"
			}, Read: reading(t)}
			if _, err := Parse(name, []byte(strings.Join(text, "\n")), o); err != nil {
				t.Errorf("%s: line %d, %s: %v", name, block[0]+1, strings.TrimSpace(lines[block[0]]), err)
			}
		}
	}
}
