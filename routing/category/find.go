package category

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// What a match is worth, best first. A part of the query that is only in the answer counts little: answers speak of
// neighbouring matters too.
const (
	exactCode = 1000
	exactWord = 500 // the name or a keyword, as a whole
	inWord    = 200 // within the name or a keyword, or the other way round: "夜间施工噪音" for the keyword "施工噪音"
	inAnswer  = 40
	pairs     = 100 // all pairs of neighbouring letters stand in the name or the keywords
)

// Find looks for words, best match first. Chinese needs no spaces: what is not found as a whole is compared by pairs of
// neighbouring characters, of which at least a third must be there. Of several words with spaces between, each adds to
// the rank. An empty query finds all.
func (l List) Find(query string) List {
	words := strings.Fields(Fold(query))
	if len(words) == 0 {
		return l
	}
	ranks := map[string]int{}
	var found List
	for _, c := range l {
		total := 0
		for _, w := range words {
			total += c.rank(w)
		}
		if total > 0 {
			ranks[c.Code] = total
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b Category) int { return cmp.Compare(ranks[b.Code], ranks[a.Code]) })
	return found
}

// rank of one folded word.
func (c Category) rank(word string) int {
	if c.Code == word {
		return exactCode
	}
	best := 0
	heads := append([]string{c.Name}, c.Keywords...)
	for i, h := range heads {
		heads[i] = Fold(h)
		best = max(best, headRank(heads[i], word))
	}
	if best == 0 && strings.Contains(Fold(c.Answer), word) {
		best = inAnswer
	}
	if best == 0 {
		best = pairRank(heads, word)
	}
	return best
}

func headRank(head, word string) int {
	switch {
	case head == word:
		return exactWord
	case strings.Contains(head, word), len([]rune(head)) > 1 && strings.Contains(word, head):
		return inWord
	}
	return 0
}

// pairRank compares pairs of neighbouring characters; fewer than a third are chance.
func pairRank(heads []string, word string) int {
	letters := []rune(word)
	there, all := 0, len(letters)-1
	for i := range max(all, 0) {
		pair := string(letters[i : i+2])
		if slices.ContainsFunc(heads, func(h string) bool { return strings.Contains(h, pair) }) {
			there++
		}
	}
	if all < 1 || 3*there < all {
		return 0
	}
	return pairs * there / all
}

// Fold makes letters that look alike the same: small ones, and the wide forms of Chinese input methods as narrow ones.
// What is no letter or digit is a space.
func Fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '！' && r <= '～' {
			r -= '！' - '!'
		}
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return ' '
		}
		return unicode.ToLower(r)
	}, s)
}
