package configs

import (
	"cmp"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"liandong/media/codec"
	"liandong/routing/desk"
	"liandong/routing/matter"
)

// rule is what the tags of a field say about its value, or about the items of its list or table.
type rule struct {
	is, oneof, min, max, keys string
	single                    string // of a list: "yes", one item may stand without its brackets
}

func ruleOf(tag reflect.StructTag) rule {
	return rule{is: tag.Get("is"), oneof: tag.Get("oneof"), min: tag.Get("min"), max: tag.Get("max"),
		keys: tag.Get("keys"), single: tag.Get("single")}
}

// shape is a kind of word, by the name that is and keys tags use.
type shape struct {
	fits func(string) bool
	what text
}

var shapes = map[string]shape{
	"":        {plainText, textFree},
	"text":    {plainText, textFree},
	"prose":   {prose, textProse},
	"path":    {plainText, textPath},
	"dir":     {plainText, textDir},
	"name":    {shortName, textName},
	"id":      {shortID, textID},
	"user":    {shortID, textID},
	"digits":  {regexp.MustCompile(`^[0-9]{1,4}$`).MatchString, textDigits},
	"service": {regexp.MustCompile(`^[0-9A-Za-z*#_-]{1,32}$`).MatchString, textService},
	"number":  {regexp.MustCompile(`^\+?[0-9*#]{2,20}$`).MatchString, textNumber},
	"called": {regexp.MustCompile(`^(\+?[0-9*#]{2,20}|urn:service:sos(\.[a-z0-9-]{1,32}){0,4})$`).MatchString,
		textCalled},
	"range":    {regexp.MustCompile(`^\+?[0-9]{2,20}\*?$`).MatchString, textRange},
	"area":     {regexp.MustCompile(`^0?[1-9][0-9]{1,2}$`).MatchString, textArea},
	"realm":    {regexp.MustCompile(`^[!#-\[\]-~][ !#-\[\]-~]{0,63}$`).MatchString, textRealm},
	"verb":     {plainText, textVerb},
	"host":     {hostName, textHost},
	"clock":    {regexp.MustCompile(`^(([01][0-9]|2[0-3]):[0-5][0-9]|none)$`).MatchString, textClock},
	"zone":     {regexp.MustCompile(`^(local|[+-](0[0-9]|1[0-4]):[0-5][0-9])$`).MatchString, textZone},
	"hostport": {hostPort, textHostPort},
	"domain":   {domainName, textDomain},
}

func plainText(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= 200 && !strings.ContainsFunc(s, unicode.IsControl)
}

// shortID is ^[0-9A-Za-z_-]{1,32}$, which each phone is asked for more than once.
func shortID(s string) bool {
	odd := func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-'
	}
	return s != "" && len(s) <= 32 && !strings.ContainsFunc(s, odd)
}

// shortName is one in small letters.
func shortName(s string) bool {
	return shortID(s) && !strings.ContainsFunc(s, func(c rune) bool { return c >= 'A' && c <= 'Z' })
}

// prose may have lines.
func prose(s string) bool {
	odd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	return s != "" && utf8.RuneCountInString(s) <= 2000 && !strings.ContainsFunc(s, odd)
}

var hostWord = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?$`)

func hostName(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || hostWord.MatchString(s)
}

// domainName: no address has SRV records.
func domainName(s string) bool {
	_, err := netip.ParseAddr(s)
	return err != nil && strings.Contains(s, ".") && hostWord.MatchString(s)
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !hostName(host) {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// scalar reads one word of the file for one Go type, and says in words what it would have liked.
type scalar struct {
	read func(text string, r rule) (any, bool)
	what func(r rule) message
}

func fixed(t text) func(rule) message { return func(rule) message { return t.of() } }

func reader[T any](parse func(string) (T, error)) func(string, rule) (any, bool) {
	return func(s string, _ rule) (any, bool) {
		v, err := parse(s)
		return v, err == nil
	}
}

var scalars = map[reflect.Type]scalar{
	reflect.TypeFor[string]():         {readString, stringWhat},
	reflect.TypeFor[bool]():           {readBool, fixed(textBool)},
	reflect.TypeFor[int]():            {readInt, intWhat},
	reflect.TypeFor[time.Duration]():  {readDuration, durationWhat},
	reflect.TypeFor[netip.Addr]():     {reader(netip.ParseAddr), fixed(textAddr)},
	reflect.TypeFor[netip.AddrPort](): {readAddrPort, fixed(textAddrPort)},
	reflect.TypeFor[netip.Prefix]():   {reader(parsePrefix), fixed(textPrefix)},
	reflect.TypeFor[Ports]():          {readPorts, fixed(textPorts)},
	reflect.TypeFor[desk.Secret]():    {readSecret, fixed(textSecret)},
	reflect.TypeFor[codec.ID]():       {readCodec, codecWhat},
	reflect.TypeFor[matter.Span]():    {reader(parseSpan), fixed(textSpan)},
	reflect.TypeFor[matter.Dates]():   {reader(parseDates), fixed(textDates)},
}

func readString(s string, r rule) (any, bool) { return s, fitsString(s, r) }

func fitsString(s string, r rule) bool {
	if r.oneof != "" {
		return slices.Contains(strings.Fields(r.oneof), s)
	}
	return shapes[r.is].fits(s)
}

func stringWhat(r rule) message {
	if r.oneof != "" {
		return textOneOf.of(strings.Fields(r.oneof))
	}
	return shapes[r.is].what.of()
}

func readBool(s string, _ rule) (any, bool) { return s == "true", s == "true" || s == "false" }

func readInt(s string, r rule) (any, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && within(n, r, strconv.Atoi)
}

func intWhat(r rule) message { return textInt.of(bound(r.min), bound(r.max)) }

func readDuration(s string, r rule) (any, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && within(d, r, time.ParseDuration)
}

func durationWhat(r rule) message { return textDuration.of(bound(r.min), bound(r.max)) }

// within compares with the bounds of a tag, which are written like the value itself.
func within[T cmp.Ordered](v T, r rule, parse func(string) (T, error)) bool {
	if low, err := parse(r.min); err == nil && v < low {
		return false
	}
	high, err := parse(r.max)
	return err != nil || v <= high
}

func bound(s string) any {
	if s == "" {
		return textNoBound.of()
	}
	return s
}

// A zone (fe80::1%eth0) would not survive being written into SDP.
func readAddrPort(s string, _ rule) (any, bool) {
	v, err := netip.ParseAddrPort(s)
	return v, err == nil && v.Addr().Zone() == ""
}

// parsePrefix takes a bare address for a range of one.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone("").Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func readPorts(s string, _ rule) (any, bool) {
	low, high, ok := strings.Cut(s, "-")
	from, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	to, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	return Ports{uint16(from), uint16(to)}, ok && err1 == nil && err2 == nil && from >= 1024 && from < to
}

func (p Ports) String() string {
	return strconv.Itoa(int(p.Min)) + "-" + strconv.Itoa(int(p.Max))
}

func readCodec(s string, _ rule) (any, bool) {
	id, ok := codec.ByName(s)
	return id, ok
}

func codecWhat(rule) message {
	var names []string
	for _, id := range codec.List() {
		names = append(names, id.Name())
	}
	return textOneOf.of(names)
}

func readSecret(s string, _ rule) (any, bool) { return desk.NewSecret(s), fitsSecret(s) }

func fitsSecret(s string) bool {
	return s != "" && len(s) <= 4096 && !strings.ContainsFunc(s, unicode.IsControl)
}
