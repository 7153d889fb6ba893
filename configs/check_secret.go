package configs

import (
	"reflect"
	"slices"
	"strings"
	"unicode"

	"liandong/routing/desk"
)

// placeholders are what examples have in the place of a secret, in small letters and without marks.
var placeholders = []string{"changeme", "changethis", "changeit", "replaceme", "yourpassword", "yoursecret", "yourtoken"}

// secretsSet: nobody goes live with the password of an example, which every scanner tries first. The message names the
// key and does not quote the secret: more may be in it than the placeholder.
func (c *checker) secretsSet() {
	walk("", reflect.ValueOf(c.Config).Elem(), func(key string, field reflect.StructField, in reflect.Value) {
		if field.Type != secretType || !isPlaceholder(in.FieldByIndex(field.Index).Interface().(desk.Secret)) {
			return
		}
		key = join(key, field.Tag.Get("yaml"))
		if file := in.FieldByName(field.Name + "File"); file.IsValid() && file.String() != "" && !c.faulty(key+"_file") {
			key += "_file"
		}
		c.add(key, textPlaceholder.of())
	})
}

func isPlaceholder(s desk.Secret) bool {
	letters := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s.Reveal())
	return slices.ContainsFunc(placeholders, func(p string) bool { return strings.Contains(letters, p) })
}
