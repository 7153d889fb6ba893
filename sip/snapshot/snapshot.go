// Package snapshot writes a state (of a call, a leg, a seat, a ticket entry) down, so that it
// outlives the process, and reads it again.
//
// State is plain values with exported fields. The form is CBOR (RFC 8949) with
// fields by name, those that are not zero: a field that the reader does not know is
// passed over, one that the writer did not know stays zero, so that two versions of
// the program read each other. The same value gives the same bytes.
package snapshot

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

var reading = mode()

func mode() cbor.DecMode {
	m, err := cbor.DecOptions{
		UTF8:             cbor.UTF8DecodeInvalid, // a phone's text is any bytes, and so is a key
		MaxArrayElements: 1 << 20,
		MaxMapPairs:      1 << 20,
	}.DecMode()
	if err != nil {
		panic(fmt.Sprint("snapshot: ", err)) // the options above are wrong
	}
	return m
}

// Encode writes a value, or what it points to.
func Encode(v any) (b []byte, err error) {
	err = With(v, func(written []byte) { b = bytes.Clone(written) })
	return b, err
}

// With lends what is written of a value, or of what it points to, for as long as f runs.
func With(v any, f func(b []byte)) error {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	if w.b, w.err = w.b[:0], nil; w.value(v) == nil {
		f(w.b)
	}
	return w.err
}

// Append writes a value, or what it points to, behind b. After an error b is as it was.
func Append(b []byte, v any) ([]byte, error) {
	w := writers.Get().(*writer)
	defer writers.Put(w)
	own := w.b
	w.b, w.err = b, nil
	err := w.value(v)
	if err == nil {
		b = w.b
	}
	w.b = own
	return b, err
}

// Decode reads what Encode wrote into the value that v points to, which has to be
// zero.
func Decode(b []byte, v any) error {
	if err := reading.Unmarshal(b, v); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// Hidden lists what Encode would lose of a type without a word: its unexported
// fields, functions, channels, and interfaces, by their way from the type's name.
// Types that write themselves are whole.
func Hidden(t reflect.Type) []string {
	s := scan{seen: map[reflect.Type]bool{}}
	s.walk(t, t.Name())
	return s.hidden
}
