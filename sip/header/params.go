package header

import (
	"fmt"
	"slices"
	"strings"
)

// Params are the parameters after a header value or in a URI, in order.
type Params []Param

// Param is one parameter. HasValue tells "lr" from "lr=".
type Param struct {
	Key, Value string
	HasValue   bool
}

// Get finds a parameter; keys have no case (RFC 3261 §7.3.1).
func (p Params) Get(key string) (string, bool) {
	for _, q := range p {
		if strings.EqualFold(q.Key, key) {
			return q.Value, true
		}
	}
	return "", false
}

// With is p with one parameter set, in its old place if it was there. p is not
// changed.
func (p Params) With(key, value string) Params {
	next := Param{Key: key, Value: value, HasValue: true}
	p = slices.Clone(p)
	for i := range p {
		if strings.EqualFold(p[i].Key, key) {
			p[i] = next
			return p
		}
	}
	return append(p, next)
}

// Without is p less some parameters. p is not changed.
func (p Params) Without(keys ...string) Params {
	var rest Params
	for _, q := range p {
		if !slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, q.Key) }) {
			rest = append(rest, q)
		}
	}
	return rest
}

// String writes each parameter with a semicolon before it.
func (p Params) String() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p Params) write(b *strings.Builder) {
	for _, q := range p {
		b.WriteByte(';')
		b.WriteString(q.Key)
		if q.HasValue {
			b.WriteByte('=')
			b.WriteString(genericValue(q.Value))
		}
	}
}

// genericValue is RFC 3261 §25.1 gen-value: a token or a host as it is, all
// else in quotes.
func genericValue(s string) string {
	if s != "" && only(s, "-.!%*_+`'~[]:") {
		return s
	}
	return quote(s)
}

// parseParams reads what follows a header value; s is empty or begins with the
// semicolon.
func parseParams(s string) (Params, error) {
	parts, ok := Split(s, ';')
	if !ok || unfold(parts[0]) != "" {
		return nil, fmt.Errorf("%w: parameters", ErrSyntax)
	}
	var params Params
	for _, part := range parts[1:] {
		if part = unfold(part); part == "" {
			continue // ";;" and a last ";" are seen in the field
		}
		p, err := ParseParam(part)
		if err != nil {
			return nil, err
		}
		params = append(params, p)
	}
	return params, nil
}

// ParseParam reads one parameter: a name and perhaps a value, which may be quoted.
func ParseParam(s string) (Param, error) {
	key, value, has := strings.Cut(s, "=")
	p := Param{Key: unfold(key), HasValue: has}
	if !IsToken(p.Key) {
		return p, fmt.Errorf("%w: parameter name", ErrSyntax)
	}
	value = unfold(value)
	if !strings.Contains(value, `"`) {
		p.Value = clean(value) // blanks in it, as in text=Call completed, mean no harm
		return p, nil
	}
	var ok bool
	if p.Value, ok = unquote(value); !ok {
		return p, fmt.Errorf("%w: quotes of parameter %s", ErrSyntax, p.Key)
	}
	return p, nil
}

// clean makes blanks of control characters.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
