package configs

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"liandong/routing/desk"
)

// placeholders are what examples have in the place of a secret, in small letters and without marks.
var placeholders = []string{"changeme", "changethis", "changeit", "replaceme", "yourpassword", "yoursecret",
	"yourtoken"}

// secretsSet: nobody goes live with the password of an example, which every scanner tries first. The message names the
// key and does not quote the secret: more may be in it than the placeholder.
func (c *checker) secretsSet() {
	walk("", reflect.ValueOf(c.Config).Elem(), isSecret, func(at *walker, field *keyedField, in reflect.Value) {
		if !isPlaceholder(*in.FieldByIndex(field.Index).Addr().Interface().(*desk.Secret)) {
			return
		}
		key := join(at.key(), field.key)
		if fileOf(field, in) != "" && !c.faulty(key+"_file") {
			key += "_file"
		}
		c.add(key, textPlaceholder.of())
	})
}

func isPlaceholder(s desk.Secret) bool { return holdsPlaceholder(letters(s)) }

func holdsPlaceholder(letters string) bool {
	return slices.ContainsFunc(placeholders, func(p string) bool {
		return len(letters) >= len(p) && strings.Contains(letters, p)
	})
}

// letters are those of a secret, all of them small.
func letters(s desk.Secret) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s.Reveal())
}

// common are words that are tried first, in small letters and without digits and marks.
var common = []string{
	"", "password", "passwd", "pass", "pw", "pwd", "admin", "administrator", "root", "secret", "token", "test", "user",
	"phone", "sip", "voip",
	"qwerty", "qwertyuiop", "asdfgh", "abc", "abcd", "abcdef", "abcdefgh", "letmein", "welcome", "iloveyou", "guest",
	"default", "liandong", "mima",
}

// Shortest secrets that are taken.
const (
	minPassword = 8
	minToken    = 12
)

// strong checks what opens the switch to whoever guesses it: the passwords of phones and the tokens of HTTP. Those of
// trunks and of Redis are not ours to choose.
func (c *checker) strong() {
	for _, user := range c.inOrder() {
		if p := c.Phones[user]; isWeak(p.Password, user, minPassword) {
			c.add(c.secretKey(join("phones", user), "password", p.PasswordFile), textWeakPassword.of())
		}
	}
	if isWeak(c.HTTP.Token, "", minToken) {
		c.add(c.secretKey("http", "token", c.HTTP.TokenFile), textWeakToken.of())
	}
	for _, name := range sorted(c.HTTP.Access) {
		if a := c.HTTP.Access[name]; isWeak(a.Token, name, minToken) {
			c.add(c.secretKey(join("http.access", name), "token", a.TokenFile), textWeakToken.of())
		}
	}
}

// secretKey is where a secret was given.
func (c *checker) secretKey(at, key, file string) string {
	if file != "" {
		key += "_file"
	}
	return join(at, key)
}

// isWeak: no secret at all is another mistake.
func isWeak(s desk.Secret, user string, least int) bool {
	text := s.Reveal()
	if text == "" {
		return false
	}
	letters := letters(s)
	if holdsPlaceholder(letters) {
		return false
	}
	return len(text) < least || slices.Contains(common, letters) || strings.EqualFold(text, user) || repeats(text)
}

// repeats says that a text is one short piece over and over: aaaaaaaa, ababababab.
func repeats(s string) bool {
	for n := 1; n <= 3 && n < len(s); n++ {
		if s[n:] == s[:len(s)-n] {
			return true
		}
	}
	return false
}

// closed warns of files with secrets that every user of the machine can read.
func (c *checker) closed() {
	named := func(f *keyedField) bool {
		return f.Type.Kind() == reflect.String &&
			slices.Contains([]string{"key_file", "password_file", "token_file", "secret_file"}, f.key)
	}
	walk("", reflect.ValueOf(c.Config).Elem(), named, func(at *walker, field *keyedField, in reflect.Value) {
		path := c.files.path(in.FieldByIndex(field.Index).String())
		if path == "" {
			return
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 != 0 {
			c.warn(join(at.key(), field.key), textFileOpen.of(path, path))
		}
	})
}
