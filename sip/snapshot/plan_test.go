package snapshot

import (
	"bytes"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/fxamacker/cbor/v2"
)

// every has a field of each kind that a state may have.
type every struct {
	inner
	Bool                      bool
	I                         int
	I8                        int8
	I16                       int16
	I32                       int32
	I64                       int64
	U                         uint
	U8                        uint8
	U16                       uint16
	U32                       uint32
	U64                       uint64
	F                         float64
	Text                      string
	Bytes                     []byte
	Sum                       [4]byte
	Three                     [3]string
	List                      []string
	Structs                   []inner
	Pointer, None             *inner
	Next                      *every
	Small                     map[uint8]string
	Sets                      map[string]bool
	Deep                      map[string]inner
	Any                       any
	Host                      netip.Addr
	Sent                      Request
	Own                       own
	Named                     string `cbor:"other,omitzero"`
	Told                      string `json:"by_another_name"`
	Skipped                   int    `cbor:"-"`
	A, B, C, D, E, G, H, J, K bool   // more than a head of one byte counts
}

// own writes itself.
type own struct{ n byte }

func (o own) AppendCBOR(b []byte) ([]byte, error) { return append(b, o.n), nil }
func (o *own) UnmarshalCBOR(b []byte) error       { o.n = b[0]; return nil }

// MarshalCBOR is for package cbor to write the same.
func (o own) MarshalCBOR() ([]byte, error) { return o.AppendCBOR(nil) }

func full(t testing.TB) every {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.UTC)
	in := inner{at, netip.MustParseAddrPort("[fe80::1%eth0]:5060")}
	return every{
		inner: in, Bool: true, I: -1, I8: math.MinInt8, I16: math.MaxInt16, I32: math.MinInt32, I64: math.MinInt64,
		U: 23, U8: 24, U16: 256, U32: 1 << 16, U64: math.MaxUint64, F: -1.5, Text: "\xff" + string(make([]byte, 300)),
		Bytes: make([]byte, 70_000), Sum: [4]byte{3: 1}, Three: [3]string{1: "b"}, List: []string{"", "x"},
		Structs: []inner{{}, in}, Pointer: &inner{}, Next: &every{I: 1, List: []string{}},
		Small: map[uint8]string{200: "b", 0: "", 23: "c"}, Sets: map[string]bool{"b": true, "aa": false, "": true},
		Deep: map[string]inner{"x": in}, Any: []any{"of", uint64(1), nil, map[any]any{"k": int64(-3)}},
		Host: netip.MustParseAddr("10.0.0.1"), Sent: Keep(message(t, bye).(*gosip.Request)), Own: own{7}, Named: "n",
		Told: "t", Skipped: 1, K: true,
	}
}

// What is written is what package cbor reads, and what it would have written but for the zeroes.
func TestPlans(t *testing.T) {
	all := full(t)
	for name, v := range map[string]every{"full": all, "empty": {}, "one": {Next: &all}} {
		b, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := Append([]byte("before"), &v); err != nil || string(p) != "before"+string(b) {
			t.Errorf("%s: behind something else: %v", name, err)
		}
		if err := cbor.Wellformed(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got every
		if err := Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		for _, e := range []*every{&got, &v} {
			e.Skipped, e.Sent.Msg = 0, nil // compared as written
			if e.Next != nil {
				e.Next.Skipped, e.Next.Sent.Msg = 0, nil
			}
		}
		if again, err := Encode(got); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%s: read, and written otherwise: %v", name, err)
		}
		got.Sent, v.Sent = Request{}, Request{}
		if name != "one" && !reflect.DeepEqual(got, v) {
			t.Errorf("%s: wrote %+v\nread %+v", name, v, got)
		}
	}
}

// A field that has all the values of its kind is as package cbor has it, byte for byte.
func TestPlansAreAsCBOR(t *testing.T) {
	mode, err := cbor.EncOptions{Sort: cbor.SortBytewiseLexical, Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(full(t))
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "Sent" || f.Name == "Next" || f.Name == "Pointer" || f.Name == "Structs" {
			continue // those whose zeroes are left out
		}
		want, err := mode.Marshal(v.Field(i).Interface())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Encode(v.Field(i).Interface()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x (%v)", f.Name, got, want, err)
		}
	}
}

// Writing allocates nothing, however large the state is.
func TestWritingAllocatesNothing(t *testing.T) {
	v := full(t)
	v.Any = nil
	if n := testing.AllocsPerRun(100, func() { _ = With(&v, func([]byte) {}) }); n > 6 { // for its three maps
		t.Errorf("%v allocations", n)
	}
}

// A type that would be read otherwise than it is written cannot be written.
func TestNoPlan(t *testing.T) {
	for _, v := range []any{struct{ F func() }{}, struct{ B otherwise }{}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T is written", v)
				}
			}()
			_, _ = Encode(v)
		}()
	}
}

type otherwise struct{ N int }

func (otherwise) MarshalBinary() ([]byte, error) { return []byte("n"), nil }
