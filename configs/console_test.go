package configs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// user is an entry of http.users whose hash stands in the tests.
const userHash = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$wVfvVnhsFWqVvKDQr6vxmkNIRLcjIqjPeHe7mLOHfmE"

// Users are people of the console; where a taker's lines are not named they are that of his phone. --set makes a
// table of users where the file has none.
func TestUsersOfTheConsole(t *testing.T) {
	c := parse(t, good, "http.console=127.0.0.1:8443", "http.console.idle=2h",
		"http.users.li={role: taker, phone: 1101, password: '"+userHash+"'}",
		"http.users.boss={role: manager, password: '"+userHash+"'}")
	api := c.API()
	if len(api.Listen) != 1 || !api.Listen[0].Console || api.Listen[0].Key != "http.console.listen" ||
		api.Idle != 2*time.Hour {
		t.Errorf("%+v", api.Listen)
	}
	if len(api.People) != 2 || api.People[1].Name != "li" || !slices.Equal(api.People[1].Lines, []string{"110"}) ||
		len(api.People[0].Lines) != 0 {
		t.Errorf("%+v", api.People)
	}
	if w := warned(c); len(w) != 0 {
		t.Errorf("%v", w)
	}
}

// Passwords that pass in the clear, and users who can sign in nowhere, are warnings.
func TestConsoleWarnings(t *testing.T) {
	for set, want := range map[string]string{"http.console=10.0.0.1:8443": "cert_file", "lang=en": "nowhere"} {
		c := parse(t, good, "lang=en", set, "http.users.boss={role: manager, password: '"+userHash+"'}")
		if w := warned(c); len(w) != 1 || !strings.Contains(w[0].Text, want) && want != "nowhere" {
			t.Errorf("%s: %v", set, w)
		}
	}
}

func TestPasswords(t *testing.T) {
	hash := HashPassword("a long password", []byte("saltsaltsaltsalt"))
	if !PasswordFits(hash, "a long password") || PasswordFits(hash, "a long passwort") || PasswordFits("", "") {
		t.Error("a password fits what it should not, or not what it should")
	}
	for _, bad := range []string{
		"", "$argon2id$", strings.Replace(hash, "argon2id", "argon2i", 1), strings.Replace(hash, "v=19", "v=16", 1),
		strings.Replace(hash, "m=65536", "m=4294967295", 1), strings.Replace(hash, "m=65536", "m=1", 1),
		strings.Replace(hash, "t=3", "t=0", 1), strings.Replace(hash, "p=4", "p=0", 1), strings.Replace(hash, "p=4",
			"p=300", 1),
		hash[:len(hash)-40],
	} {
		if _, err := parseHash(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
