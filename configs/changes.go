package configs

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"liandong/routing/desk"
)

// Values are all values of a config by their key paths, as text. Secrets are digests that salt makes useless elsewhere:
// they can be compared and not read.
type Values map[string]string

// Values lists what holds.
func (c *Config) Values(salt string) Values {
	all := Values{}
	all.put("", reflect.ValueOf(c).Elem(), salt)
	return all
}

func (all Values) put(key string, v reflect.Value, salt string) {
	if v.Type() == secretType {
		if s := v.Interface().(desk.Secret); !s.IsZero() {
			sum := hmac.New(sha256.New, []byte(salt))
			sum.Write([]byte(key + "\x00" + s.Reveal()))
			all[key] = hiddenMark + hex.EncodeToString(sum.Sum(nil)[:8])
		}
		return
	}
	if _, single := scalars[v.Type()]; single {
		all[key] = fmt.Sprint(v.Interface())
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		all.put(key, v.Elem(), salt)
	case reflect.Map:
		for _, name := range v.MapKeys() {
			all.put(join(key, name.String()), v.MapIndex(name), salt)
		}
	case reflect.Slice:
		for i := range v.Len() {
			all.put(index(key, i), v.Index(i), salt)
		}
	case reflect.Struct:
		for _, f := range keyed(v.Type()) {
			all.put(join(key, f.key), v.FieldByIndex(f.Index), salt)
		}
	}
}

// hiddenMark begins the digest of a secret.
const hiddenMark = "secret:"

// Change is one value that is another one, or that is there or gone.
type Change struct {
	Key      string
	Old, New string // "" where there is none; secrets are not told
	Restart  bool   // the switch has to be started anew for it
}

// Changes compares what holds with what would. They come in the order of their keys.
func Changes(old, now Values) (list []Change) {
	keys := maps.Clone(old)
	maps.Copy(keys, now)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, had := old[key]
		b, has := now[key]
		if had == has && a == b {
			continue
		}
		list = append(list, Change{key, told(a), told(b), needsRestart(key, old, now)})
	}
	return list
}

// Differences compares two configs as [Changes] compares their values. Only what is not the same is written out.
func Differences(old, now *Config) []Change {
	a, b := Values{}, Values{}
	apart(a, b, "", reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem())
	return Changes(a, b)
}

// apart puts the values below a key that differ, or are in one of both, where they belong.
func apart(a, b Values, key string, v, w reflect.Value) {
	_, single := scalars[v.Type()]
	switch {
	case same(v, w):
	case v.Kind() == reflect.Pointer:
		apart(a, b, key, v.Elem(), w.Elem())
	case v.Kind() == reflect.Struct && !single:
		for _, f := range keyed(v.Type()) {
			apart(a, b, join(key, f.key), v.FieldByIndex(f.Index), w.FieldByIndex(f.Index))
		}
	case v.Kind() == reflect.Map:
		for all := v.MapRange(); all.Next(); {
			path := join(key, all.Key().String())
			if is := w.MapIndex(all.Key()); is.IsValid() {
				apart(a, b, path, all.Value(), is)
			} else {
				a.put(path, all.Value(), "")
			}
		}
		for all := w.MapRange(); all.Next(); {
			if !v.MapIndex(all.Key()).IsValid() {
				b.put(join(key, all.Key().String()), all.Value(), "")
			}
		}
	default:
		a.put(key, v, "")
		b.put(key, w, "")
	}
}

// same says that two values are, as far as they have keys.
func same(v, w reflect.Value) bool {
	if _, single := scalars[v.Type()]; single {
		return v.Equal(w)
	}
	switch v.Kind() {
	case reflect.Pointer:
		return v.Equal(w) || same(v.Elem(), w.Elem())
	case reflect.Struct:
		fields := keyed(v.Type())
		for i := range fields {
			if !same(v.FieldByIndex(fields[i].Index), w.FieldByIndex(fields[i].Index)) {
				return false
			}
		}
		return true
	case reflect.Map:
		for all := v.MapRange(); all.Next(); {
			if is := w.MapIndex(all.Key()); !is.IsValid() || !same(all.Value(), is) {
				return false
			}
		}
	case reflect.Slice:
		for i := range min(v.Len(), w.Len()) {
			if !same(v.Index(i), w.Index(i)) {
				return false
			}
		}
	}
	return v.Len() == w.Len()
}

func told(v string) string {
	if strings.HasPrefix(v, hiddenMark) {
		return "******"
	}
	return v
}

// live are the keys that a reload changes for new calls, by what they begin with; * is any name. What is not among them
// is made at the start: sockets, files, connections to Redis.
var live = []string{
	"lang", "strangers", "codecs", "trunks.*", "hotlines.*", "phones.*", "keys", "services", "second_line",
	"categories", "category_files",
	"numbers", "emergency", "prompts", "timers", "http.hosts", "http.token", "http.allow", "http.access",
	"http.users", "http.console.idle",
	"networks.*.allow", "networks.*.strangers", "networks.*.tls", "networks.*.srtp",
}

// started are exceptions: parts of what is live that are made at the start.
var started = []string{"trunks.*.ca_file", "hotlines.*.spool", "hotlines.*.network"}

func needsRestart(key string, old, now Values) bool {
	if id, ok := strings.CutPrefix(key, "hotlines."); ok { // the ledger keeps the matters of the lines that there were
		id, _, _ = strings.Cut(id, ".")
		_, was := old["hotlines."+id+".name"]
		_, is := now["hotlines."+id+".name"]
		if was != is {
			return true
		}
	}
	fits := func(pattern string) bool { return keyFits(key, pattern) }
	return !slices.ContainsFunc(live, fits) || slices.ContainsFunc(started, fits)
}

// keyFits says that a key is the one of a pattern, or below it.
func keyFits(key, pattern string) bool {
	head, rest, more := strings.Cut(pattern, ".")
	name, below, _ := strings.Cut(key, ".")
	name, _, _ = strings.Cut(name, "[")
	switch {
	case head != "*" && head != name:
		return false
	case !more:
		return true
	}
	return keyFits(below, rest)
}

// String is one line for an admin.
func (c Change) String() string {
	return fmt.Sprintf("%s: %s → %s", c.Key, cmp.Or(shorten(c.Old), "-"), cmp.Or(shorten(c.New), "-"))
}

var (
	textUnchanged = text{"没有变化", "nothing changes"}
	textAtOnce    = text{"对新的通话立即生效：%s", "holds for new calls at once: %s"}
	textAtRestart = text{"重启（liandong upgrade 或重启服务）后生效：%s",
		"holds after a restart (liandong upgrade, or of the service): %s"}
)

// Told are changes in words, a line each.
func Told(list []Change, lang string) (lines []string) {
	for _, c := range list {
		say := textAtOnce
		if c.Restart {
			say = textAtRestart
		}
		lines = append(lines, say.of(c.String()).in(lang))
	}
	if len(lines) == 0 {
		lines = append(lines, textUnchanged.of().in(lang))
	}
	return lines
}
