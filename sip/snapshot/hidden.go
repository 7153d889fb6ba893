package snapshot

import (
	"encoding"
	"net/netip"
	"reflect"
	"time"
)

// scan walks a type. Owned by one call of Hidden.
type scan struct {
	seen   map[reflect.Type]bool
	hidden []string
}

func (s *scan) walk(t reflect.Type, at string) {
	if s.seen[t] || whole(t) {
		return
	}
	s.seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		s.walk(t.Elem(), at)
	case reflect.Map:
		s.walk(t.Key(), at+".key")
		s.walk(t.Elem(), at)
	case reflect.Struct:
		s.fields(t, at)
	case reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		s.hidden = append(s.hidden, at)
	}
}

func (s *scan) fields(t reflect.Type, at string) {
	for f := range t.Fields() {
		if !f.IsExported() && !(f.Anonymous && f.Type.Kind() == reflect.Struct) || f.Tag.Get("cbor") == "-" {
			s.hidden = append(s.hidden, at+"."+f.Name)
			continue
		}
		s.walk(f.Type, at+"."+f.Name)
	}
}

var (
	times     = reflect.TypeFor[time.Time]()
	addrs     = reflect.TypeFor[netip.Addr]()
	addrPorts = reflect.TypeFor[netip.AddrPort]()
	kept      = reflect.TypeFor[interface{ Text() *Text }]()
	appender  = reflect.TypeFor[Appender]()
	binary    = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// whole says that a type writes itself.
func whole(t reflect.Type) bool {
	return t == times || t.Implements(kept) || t.Implements(appender) || t.Implements(binary)
}
