package load

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"liandong/configs"
)

// Of so many seats the users of the two lines stay apart: 1101 to 2000 and 2101 to 3000, of more 11001 to 20999 and
// 21001 to 30999.
const (
	MaxLabSeats = 9999
	shortUsers  = 900
)

// ErrLab is returned when the lab's config no longer has the shape that a larger one is made from.
var ErrLab = errors.New("load: configs/lab.yaml has changed its shape")

// Lab is the lab's config with n seats on each line: users from 1101 and from 2101, for more than 900 from 11001 and
// from 21001, password lab-<user>, rung one after the other by who has been idle longest. The rest is as in
// configs/lab.yaml.
func Lab(n int) (string, error) {
	if err := allowed(n > 0 && n <= MaxLabSeats, "seats", n, fmt.Sprintf("1 to %d", MaxLabSeats)); err != nil {
		return "", err
	}
	text := configs.LabFile()
	for _, change := range []struct {
		what *regexp.Regexp
		with string
		n    int
	}{
		{regexp.MustCompile(`(?m)^#.*\n`), "", -1},
		{regexp.MustCompile(`(?m)^    seats: .*\n`), "", 2}, // a line's phones are its seats
		{regexp.MustCompile(`(?m)^    ring: all\n`), "    ring: longest_idle\n", 2},
		{regexp.MustCompile(`(?m)^phones:\n(  .*\n)+`), labPhones(n), 1},
	} {
		if found := len(change.what.FindAllString(text, -1)); change.n >= 0 && found != change.n {
			return "", fmt.Errorf("%w: %d × %s", ErrLab, found, change.what)
		}
		text = change.what.ReplaceAllString(text, change.with)
	}
	return fmt.Sprintf("# The loopback lab with %d seats on each line, for liandong-load.\n", n) + text, nil
}

func labPhones(n int) string {
	var b strings.Builder
	b.WriteString("phones:\n")
	desk, partner := 1101, 2101
	if n > shortUsers {
		desk, partner = 11001, 21001
	}
	for _, line := range []struct{ first, hotline int }{{desk, 110}, {partner, 12345}} {
		for user := line.first; user < line.first+n; user++ {
			fmt.Fprintf(&b, "  %d: {hotline: %d, password: lab-%d}\n", user, line.hotline, user)
		}
	}
	return b.String()
}
