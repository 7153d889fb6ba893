// Package snapshottest finds what a state would lose on its way through the journal: a field whose name is written
// otherwise than it is read.
package snapshottest

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"liandong/sip/snapshot"
)

// Kept fills all of a T with values, writes it with snapshot's plans, reads it with package cbor, and names each field
// that comes back otherwise. Left out are types that write themselves, interfaces, functions, and what is unexported.
func Kept[T any](t testing.TB) {
	t.Helper()
	var want, got T
	f := filler{deep: map[reflect.Type]int{}}
	f.fill(reflect.ValueOf(&want).Elem())
	if f.n == 0 {
		t.Fatalf("nothing of a %T is filled", want)
	}
	b, err := snapshot.Encode(&want)
	if err == nil {
		err = snapshot.Decode(b, &got)
	}
	if err != nil {
		t.Fatalf("%T: %v", want, err)
	}
	for _, at := range differ(reflect.ValueOf(want), reflect.ValueOf(got), fmt.Sprintf("%T", want)) {
		t.Errorf("%s is lost", at)
	}
}

// filler gives each value another number. Owned by one call of Kept.
type filler struct {
	n    int
	deep map[reflect.Type]int // how often a struct contains itself
}

// whole says that a type writes itself.
func whole(t reflect.Type) bool {
	_, appends := reflect.Zero(reflect.PointerTo(t)).Interface().(snapshot.Appender)
	return appends || t.Implements(reflect.TypeFor[interface{ Text() *snapshot.Text }]())
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Addr().Interface().(type) {
	case *time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, f.n, f.n, time.UTC)))
		return
	case *netip.Addr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 0, byte(f.n >> 8), byte(f.n)})))
		return
	case *netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10}), uint16(f.n))))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n%127 + 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n%255 + 1))
	case reflect.Float64:
		v.SetFloat(float64(f.n) / 2)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", f.n))
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	default:
		f.within(v)
	}
}

// within fills what holds other values.
func (f *filler) within(v reflect.Value) {
	t := v.Type()
	if whole(t) || t.Kind() == reflect.Struct && f.deep[t] > 0 {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.deep[t]++
		for i := range t.NumField() {
			if s := t.Field(i); s.IsExported() && s.Tag.Get("cbor") != "-" {
				f.fill(v.Field(i))
			}
		}
		f.deep[t]--
	case reflect.Pointer:
		if e := t.Elem(); !whole(e) && f.deep[e] == 0 {
			v.Set(reflect.New(e))
			f.fill(v.Elem())
		}
	case reflect.Slice:
		if e := t.Elem(); !whole(e) && f.deep[e] == 0 {
			v.Set(reflect.MakeSlice(t, 1, 1))
			f.fill(v.Index(0))
		}
	case reflect.Map:
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(key, value)
	}
}

// differ lists where two values part, by their way from the type's name.
func differ(want, got reflect.Value, at string) (all []string) {
	if reflect.DeepEqual(want.Interface(), got.Interface()) {
		return nil
	}
	switch {
	case want.Kind() == reflect.Pointer && !want.IsNil() && !got.IsNil():
		return differ(want.Elem(), got.Elem(), at)
	case want.Kind() == reflect.Slice && want.Len() == got.Len():
		for i := range want.Len() {
			all = append(all, differ(want.Index(i), got.Index(i), at)...)
		}
	case want.Kind() == reflect.Struct && want.Type() != reflect.TypeFor[time.Time]() && !isText(want):
		for i := range want.NumField() {
			if f := want.Type().Field(i); f.IsExported() {
				all = append(all, differ(want.Field(i), got.Field(i), at+"."+f.Name)...)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, at)
	}
	return all
}

// isText says that a value has a form of its own.
func isText(v reflect.Value) bool {
	_, ok := v.Interface().(encoding.BinaryMarshaler)
	return ok
}
