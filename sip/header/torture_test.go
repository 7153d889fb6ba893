package header

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const torture = "../../../shared/testdata"

// fields lists the values of some header fields of a raw message, unfolded.
func fields(t *testing.T, file string, names ...string) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(torture, file))
	if err != nil {
		t.Skipf("the torture messages are not here: %v", err)
	}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	head = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head)
	var list []string
	for _, line := range strings.Split(head, "\r\n")[1:] {
		name, value, _ := strings.Cut(line, ":")
		for _, want := range names {
			if strings.EqualFold(strings.TrimSpace(name), want) {
				list = append(list, value)
			}
		}
	}
	return list
}

// RFC 4475 §3.1.1: parties that must be read, though they look strange.
func TestTortureGood(t *testing.T) {
	for _, c := range []struct {
		file, field      string
		display, user, h string
	}{
		{"rfc4475/wsinv.dat", "From", `J Rosenberg \"`, "jdrosen", "example.com"},
		{"rfc4475/intmeth.dat", "To", "BEL:  NUL:  DEL: ", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
			"example.com"},
		{"rfc4475/intmeth.dat", "From", "token1~` token2'+_ token3*%!.-", "mundane", "example.com"},
		{"rfc4475/esc01.dat", "To", "", "user", "example.com"},
		{"rfc4475/esc01.dat", "From", "", "I have spaces", "example.net"},
		{"rfc4475/esc01.dat", "Contact", "", "caller", "host5.example.net"},
		{"rfc4475/escnull.dat", "To", "", "null-\x00-null", "example.com"},
		{"rfc4475/lwsdisp.dat", "From", "caller", "caller", "example.com"},
		{"rfc4475/cparam01.dat", "Contact", "", "+19725552222", "gw1.example.net"},
		{"rfc4475/cparam02.dat", "Contact", "", "+19725552222", "gw1.example.net"},
		{"rfc4475/badaspec.dat", "To", "Watson, Thomas", "t.watson", "example.org"},
		{"rfc4475/inv2543.dat", "From", "", "+13035551111", "ift.client.example.net"},
		{"rfc5118/ipv6-good", "Contact", "Caller", "caller", "2001:db8::1"},
		{"rfc5118/ipv4-mapped-ipv6", "Contact", "T. desk phone", "ted", "::ffff:192.0.2.2"},
	} {
		list := fields(t, c.file, c.field)
		if len(list) == 0 {
			t.Errorf("%s has no %s", c.file, c.field)
			continue
		}
		n, err := ParseNameAddr(list[0])
		if err != nil || n.Display != c.display || n.URI.User != c.user || n.URI.Host != c.h {
			t.Errorf("%s %s: got %q %q %q %v", c.file, c.field, n.Display, n.URI.User, n.URI.Host, err)
		}
	}
}

// RFC 4475 §3.1.2: parties that must not be read as something they are not.
func TestTortureBad(t *testing.T) {
	for file, field := range map[string]string{
		"rfc4475/quotbal.dat": "To", "rfc4475/regbadct.dat": "Contact",
	} {
		for _, v := range fields(t, file, field) {
			if n, err := ParseNameAddr(v); err == nil && n.URI.Headers == "" {
				t.Errorf("%s %s %q: read as %#v", file, field, v, n)
			}
		}
	}
}

// Whatever the torture messages hold, what was read once reads the same again.
func TestTortureRoundTrip(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(torture, "rfc*", "*"))
	if files == nil {
		t.Skip("the torture messages are not here")
	}
	for _, file := range files {
		rel, _ := filepath.Rel(torture, file)
		for _, v := range fields(t, rel, "From", "To", "Contact", "F", "T", "M", "Route", "Record-Route", "Reply-To", "Warning", "Reason") {
			again(t, v)
		}
	}
}
