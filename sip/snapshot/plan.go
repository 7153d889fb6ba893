package snapshot

import (
	"bytes"
	"cmp"
	"encoding"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// A state is written after every input of a call, so that writing is what a journal costs: a plan knows where the parts
// of a type lie and writes them without reflection and without an allocation. Reading, which a process does once, is
// left to package cbor.

// Appender is a value that writes itself: one CBOR item, which its UnmarshalCBOR reads.
type Appender interface {
	AppendCBOR(b []byte) ([]byte, error)
}

// plan writes the value of one type that p points to, and says whether it is zero: then a struct leaves it out.
type plan struct {
	put func(w *writer, p unsafe.Pointer) (zero bool)
}

// writer is what has been written of a value. Owned by one call of With or Append.
type writer struct {
	b    []byte
	text []byte // of something whose length comes first
	err  error  // the first
}

// usualSize is what the state of a call takes, and more.
const usualSize = 16 << 10

var writers = sync.Pool{New: func() any { return &writer{b: make([]byte, 0, usualSize), text: make([]byte, 0, 512)} }}

// value writes what is not a part of another.
func (w *writer) value(v any) error {
	if at := reflect.ValueOf(v); at.Kind() == reflect.Pointer && !at.IsNil() {
		planOf(at.Type().Elem()).put(w, at.UnsafePointer())
	} else {
		w.any(at)
	}
	if w.err != nil {
		w.err = fmt.Errorf("snapshot: %w", w.err)
	}
	return w.err
}

var plans sync.Map // *plan by reflect.Type

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := maker{}.plan(t)
	plans.Store(t, p)
	return p
}

// maker has the plans of one type and of all in it, which may contain each other.
type maker map[reflect.Type]*plan

func (m maker) plan(t reflect.Type) *plan {
	if p := m[t]; p != nil {
		return p
	}
	p := new(plan)
	m[t] = p
	p.put = m.put(t)
	return p
}

// put goes by the rules of package cbor: a type that writes itself does, whatever its kind.
func (m maker) put(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	switch to := reflect.PointerTo(t); {
	case t.Kind() == reflect.Pointer:
		return pointed(m.plan(t.Elem()))
	case t == times:
		return putTime
	case t.Implements(kept):
		return putMessage
	case to.Implements(appender):
		return func(w *writer, p unsafe.Pointer) bool {
			return w.item(reflect.NewAt(t, p).Interface().(Appender))
		}
	case t == addrs:
		return putAddr[netip.Addr]
	case t == addrPorts:
		return putAddr[netip.AddrPort]
	case to.Implements(binary):
		panic(fmt.Sprintf("snapshot: a %v would be written by its fields, and read as bytes", t))
	}
	return m.byKind(t)
}

func (m maker) byKind(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	switch t.Kind() {
	case reflect.Bool:
		return putBool
	case reflect.Int:
		return putInt[int]
	case reflect.Int8:
		return putInt[int8]
	case reflect.Int16:
		return putInt[int16]
	case reflect.Int32:
		return putInt[int32]
	case reflect.Int64:
		return putInt[int64]
	case reflect.Uint:
		return putUint[uint]
	case reflect.Uint8:
		return putUint[uint8]
	case reflect.Uint16:
		return putUint[uint16]
	case reflect.Uint32:
		return putUint[uint32]
	case reflect.Uint64:
		return putUint[uint64]
	case reflect.Float64:
		return putFloat
	case reflect.String:
		return putString
	case reflect.Slice:
		return m.slice(t)
	case reflect.Array:
		return m.array(t)
	case reflect.Map:
		return m.maps(t)
	case reflect.Interface:
		return anything(t)
	case reflect.Struct:
		return m.structure(t)
	}
	panic(fmt.Sprintf("snapshot: a %v cannot be written", t))
}

// The major types of RFC 8949 §3.1, and its simple values.
const (
	majorUint   = 0 << 5
	majorInt    = 1 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorList   = 4 << 5
	majorMap    = 5 << 5
	falseItem   = 0xf4
	trueItem    = 0xf5
	nullItem    = 0xf6
	float64Item = 0xfb
	oneByte     = 24 // of a head: the number follows in one byte
)

// head begins an item.
func (w *writer) head(major byte, n uint64) {
	switch {
	case n < oneByte:
		w.b = append(w.b, major|byte(n))
	case n <= math.MaxUint8:
		w.b = append(w.b, major|oneByte, byte(n))
	case n <= math.MaxUint16:
		w.b = append(w.b, major|25, byte(n>>8), byte(n))
	case n <= math.MaxUint32:
		w.b = append(w.b, major|26, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	default:
		w.b = append(w.b, major|27)
		w.big(n)
	}
}

func (w *writer) big(n uint64) {
	w.b = append(w.b, byte(n>>56), byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func (w *writer) null() bool {
	w.b = append(w.b, nullItem)
	return true
}

func (w *writer) bytes(b []byte) bool {
	w.head(majorBytes, uint64(len(b)))
	w.b = append(w.b, b...)
	return len(b) == 0
}

func (w *writer) item(a Appender) bool {
	b, err := a.AppendCBOR(w.b)
	w.err = cmp.Or(w.err, err)
	if err == nil {
		w.b = b
	}
	return false
}

func putBool(w *writer, p unsafe.Pointer) bool {
	if *(*bool)(p) {
		w.b = append(w.b, trueItem)
		return false
	}
	w.b = append(w.b, falseItem)
	return true
}

func putInt[T int | int8 | int16 | int32 | int64](w *writer, p unsafe.Pointer) bool {
	if n := int64(*(*T)(p)); n < 0 {
		w.head(majorInt, uint64(^n))
		return false
	}
	return putUint[T](w, p)
}

func putUint[T int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64](
	w *writer, p unsafe.Pointer) bool {
	n := *(*T)(p)
	w.head(majorUint, uint64(n))
	return n == 0
}

func putFloat(w *writer, p unsafe.Pointer) bool {
	n := *(*float64)(p)
	w.b = append(w.b, float64Item)
	w.big(math.Float64bits(n))
	return n == 0
}

func putString(w *writer, p unsafe.Pointer) bool {
	s := *(*string)(p)
	w.head(majorText, uint64(len(s)))
	w.b = append(w.b, s...)
	return s == ""
}

// putMessage writes a [Message], of whatever kind.
func putMessage(w *writer, p unsafe.Pointer) bool { return w.bytes((*(**Text)(p)).Bytes()) }

func putAddr[T netip.Addr | netip.AddrPort](w *writer, p unsafe.Pointer) bool {
	b, err := any((*T)(p)).(encoding.BinaryAppender).AppendBinary(w.text[:0])
	w.text, w.err = b, cmp.Or(w.err, err)
	w.bytes(b)
	var zero T
	return *(*T)(p) == zero
}

// putTime writes to the nanosecond: timers are compared.
func putTime(w *writer, p unsafe.Pointer) bool {
	t := *(*time.Time)(p)
	if t.IsZero() {
		return w.null()
	}
	w.text = t.UTC().AppendFormat(w.text[:0], time.RFC3339Nano)
	w.head(majorText, uint64(len(w.text)))
	w.b = append(w.b, w.text...)
	return false
}

func pointed(to *plan) func(w *writer, p unsafe.Pointer) bool {
	return func(w *writer, p unsafe.Pointer) bool {
		at := *(*unsafe.Pointer)(p)
		if at == nil {
			return w.null()
		}
		to.put(w, at)
		return false
	}
}

func (m maker) slice(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	if t.Elem().Kind() == reflect.Uint8 {
		return func(w *writer, p unsafe.Pointer) bool {
			b := *(*[]byte)(p)
			if b == nil {
				return w.null()
			}
			w.bytes(b)
			return false
		}
	}
	one, size := m.plan(t.Elem()), t.Elem().Size()
	return func(w *writer, p unsafe.Pointer) bool {
		list := *(*[]struct{})(p) // of whatever: only where it begins and how long it is count
		if list == nil {
			return w.null()
		}
		w.head(majorList, uint64(len(list)))
		at := unsafe.Pointer(unsafe.SliceData(list))
		for i := range list {
			one.put(w, unsafe.Add(at, uintptr(i)*size))
		}
		return false
	}
}

func (m maker) array(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	n, size := t.Len(), t.Elem().Size()
	if t.Elem().Kind() == reflect.Uint8 {
		return func(w *writer, p unsafe.Pointer) bool {
			b := unsafe.Slice((*byte)(p), n)
			w.bytes(b)
			return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
		}
	}
	one := m.plan(t.Elem())
	return func(w *writer, p unsafe.Pointer) bool {
		w.head(majorList, uint64(n))
		zero := true
		for i := range n {
			zero = one.put(w, unsafe.Add(p, uintptr(i)*size)) && zero
		}
		return zero
	}
}

// maps writes a map in the order of its keys as they are written. Maps are few and small.
func (m maker) maps(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	keys, values := m.plan(t.Key()), m.plan(t.Elem())
	type pair struct{ at, value, end int } // of what is written, from where the map begins
	spare := sync.Pool{New: func() any { return &[2]reflect.Value{reflect.New(t.Key()), reflect.New(t.Elem())} }}
	return func(w *writer, p unsafe.Pointer) bool {
		v := reflect.NewAt(t, p).Elem()
		if v.IsNil() {
			return w.null()
		}
		w.head(majorMap, uint64(v.Len()))
		begin := len(w.b)
		var few [8]pair
		all := few[:0]
		one := spare.Get().(*[2]reflect.Value)
		for i := v.MapRange(); i.Next(); {
			at := len(w.b)
			one[0].Elem().SetIterKey(i)
			keys.put(w, one[0].UnsafePointer())
			value := len(w.b)
			one[1].Elem().SetIterValue(i)
			values.put(w, one[1].UnsafePointer())
			all = append(all, pair{at - begin, value - begin, len(w.b) - begin})
		}
		spare.Put(one)
		if len(all) < 2 {
			return false
		}
		w.text = append(w.text[:0], w.b[begin:]...)
		slices.SortFunc(all, func(a, b pair) int {
			return bytes.Compare(w.text[a.at:a.value], w.text[b.at:b.value])
		})
		w.b = w.b[:begin]
		for _, one := range all {
			w.b = append(w.b, w.text[one.at:one.end]...)
		}
		return false
	}
}

func anything(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	return func(w *writer, p unsafe.Pointer) bool {
		v := reflect.NewAt(t, p).Elem()
		if v.IsNil() {
			return w.null()
		}
		w.any(v.Elem())
		return false
	}
}

// any writes a value that lies nowhere.
func (w *writer) any(v reflect.Value) {
	if !v.IsValid() {
		w.null()
		return
	}
	at := reflect.New(v.Type())
	at.Elem().Set(v)
	planOf(v.Type()).put(w, at.UnsafePointer())
}

// member is a field of a struct.
type member struct {
	key    string // its name, as it is written
	offset uintptr
	size   uintptr
	plan   *plan
}

// blank says that all bytes of a value are zero: then it is, whatever it is. Most are as long as a word, a string or a
// slice.
func blank(p unsafe.Pointer, size uintptr) bool {
	switch size {
	case 1:
		return *(*byte)(p) == 0
	case 8:
		return *(*uint64)(p) == 0
	case 16:
		w := (*[2]uint64)(p)
		return w[0]|w[1] == 0
	case 24:
		w := (*[3]uint64)(p)
		return w[0]|w[1]|w[2] == 0
	}
	return allZero(p, size)
}

// allZero points at nothing behind the value, not even without looking there.
func allZero(p unsafe.Pointer, size uintptr) bool {
	words := size / 8
	if words > 0 {
		for _, word := range unsafe.Slice((*uint64)(p), words) {
			if word != 0 {
				return false
			}
		}
	}
	for at := words * 8; at < size; at++ {
		if *(*byte)(unsafe.Add(p, at)) != 0 {
			return false
		}
	}
	return true
}

// structure writes the fields that are not zero, by name.
func (m maker) structure(t reflect.Type) func(w *writer, p unsafe.Pointer) bool {
	fields := m.members(t)
	return func(w *writer, p unsafe.Pointer) bool {
		at := len(w.b)
		if len(fields) < oneByte {
			w.b = append(w.b, majorMap)
		} else {
			w.b = append(w.b, majorMap|oneByte, 0)
		}
		n := byte(0)
		for i := range fields {
			f, before := &fields[i], len(w.b)
			if blank(unsafe.Add(p, f.offset), f.size) {
				continue
			}
			w.b = append(w.b, f.key...)
			if f.plan.put(w, unsafe.Add(p, f.offset)) {
				w.b = w.b[:before]
				continue
			}
			n++
		}
		if len(fields) < oneByte {
			w.b[at] |= n
		} else {
			w.b[at+1] = n
		}
		return n == 0
	}
}

// members are the fields of a struct and of what it embeds, in the order of their keys.
func (m maker) members(t reflect.Type) (all []member) {
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(cmp.Or(f.Tag.Get("cbor"), f.Tag.Get("json")), ",") // as package cbor reads them
		if !f.IsExported() || name == "-" || f.Anonymous && f.Type.Kind() == reflect.Struct {
			continue
		}
		w := writer{}
		name = cmp.Or(name, f.Name)
		w.head(majorText, uint64(len(name)))
		all = append(all, member{string(w.b) + name, offset(t, f.Index), f.Type.Size(), m.plan(f.Type)})
	}
	slices.SortFunc(all, func(a, b member) int { return strings.Compare(a.key, b.key) })
	return all
}

// offset is where a field lies.
func offset(t reflect.Type, index []int) (at uintptr) {
	for _, i := range index {
		f := t.Field(i)
		at, t = at+f.Offset, f.Type
	}
	return at
}
