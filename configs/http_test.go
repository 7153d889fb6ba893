package configs

import (
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/sip/ua/certtest"
)

// reading gives files that a config names: secrets, and a certificate with its key.
func reading(t *testing.T) func(path string, most int64) ([]byte, error) {
	t.Helper()
	cert, key := certtest.New(t).Pair("http", time.Now().Add(90*24*time.Hour), "127.0.0.1")
	return func(path string, most int64) ([]byte, error) {
		switch {
		case strings.HasPrefix(path, "categories/"):
			return readPlain(path, most)
		case strings.Contains(path, "spool"):
			return []byte(strings.Repeat("0123456789abcdef", 4)), nil
		case strings.HasSuffix(path, ".wav"):
			return shipped()["transfer"], nil
		case strings.HasSuffix(path, ".key"):
			return os.ReadFile(key)
		case strings.HasSuffix(path, ".pem"):
			return os.ReadFile(cert)
		}
		return []byte("secret of the file " + path), nil
	}
}

// What the admin pages say of HTTP can be written so.
func TestHTTPOnPages(t *testing.T) {
	block := regexp.MustCompile("(?s)```\n(http:\n  listen:.*?)```\n")
	for _, name := range []string{"docs/admin.md", "docs/admin.zh.md"} {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := block.FindSubmatch(page)
		if found == nil {
			t.Fatal("no block of http in ", name)
		}
		src := strings.Replace(good, "  110: {numbers: [110]}",
			"  110: {numbers: [110]}\n  12345: {numbers: [12345], seats: [2101]}", 1) +
			"  2101: {hotline: 12345, password: calm-heron-2101}\n" + string(found[1])
		c, err := Parse("x.yaml", []byte(src), Options{Lang: "en", Read: reading(t)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		api := c.API()
		if len(api.Listen) != 2 || api.Listen[1].CertFile == "" || len(api.Grants) != 3 || len(warned(c)) != 0 {
			t.Errorf("%s: %+v %v", name, api, warned(c))
		}
		if g := api.Grants[0]; g.Name != "http.access.chief" || g.Role != RoleSupervisor || g.Token.IsZero() ||
			len(g.From) != 1 || !slices.Equal(g.Lines, []string{"12345"}) {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

// The keys of before mean what they did: everything.
func TestTokenAndAllowAreAnAdmin(t *testing.T) {
	c := parse(t, good+"http: {listen: 127.0.0.1:8080, token: calm-heron-of-the-lake, allow: [10.0.0.1]}\n")
	var got []string
	for _, g := range c.API().Grants {
		got = append(got, g.Name+" "+g.Role)
	}
	if want := []string{"http.token admin", "http.allow admin"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A network's own listener is a bare address, or a group; it shows the network's lines.
func TestHTTPOfANetwork(t *testing.T) {
	for _, set := range []string{"networks.lab.http=127.0.0.1:8081", "networks.lab.http.listen=127.0.0.1:8081"} {
		got := parse(t, good, set).API().Listen
		want := []Listener{{
			Key: "networks.lab.http.listen", Address: netip.MustParseAddrPort("127.0.0.1:8081"), Network: "lab",
			Lines: []string{"110"},
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v", set, got)
		}
	}
	c := parse(t, strings.Replace(good, "ports: 20000-29999}", "ports: 20000-29999}\n    http: 127.0.0.1:8082", 1))
	if got := c.API().Listen; len(got) != 1 || got[0].Address.Port() != 8082 {
		t.Errorf("%+v", got)
	}
}

// Who may do everything at both sides of the boundary without a token is a warning.
func TestAllowAcrossNetworksIsAWarning(t *testing.T) {
	c := load(t, "liandong.yaml", "http.allow=172.20.0.30")
	if got := warned(c); len(got) != 1 || !strings.Contains(got[0].Text, "http.access") {
		t.Error(got)
	}
}
