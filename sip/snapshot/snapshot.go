// Package snapshot writes the state of a call's signalling down, so that it
// outlives the process, and reads it again.
//
// State is plain values with exported fields. The form is CBOR (RFC 8949) with
// fields by name: a field that the reader does not know is passed over, one that
// the writer did not know stays zero, so that two versions of the program read each
// other. The same value gives the same bytes.
package snapshot

import (
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

var writing, reading = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	enc, err1 := cbor.EncOptions{
		Sort:          cbor.SortBytewiseLexical, // of maps
		Time:          cbor.TimeRFC3339NanoUTC,  // to the nanosecond: timers are compared
		TextMarshaler: cbor.TextMarshalerNone,   // which is how secrets hide from logs
	}.EncMode()
	dec, err2 := cbor.DecOptions{
		UTF8:             cbor.UTF8DecodeInvalid, // a phone's text is any bytes, and so is a key
		MaxArrayElements: 1 << 20,
		MaxMapPairs:      1 << 20,
	}.DecMode()
	if err1 != nil || err2 != nil {
		panic(fmt.Sprint("snapshot: ", err1, err2)) // the options above are wrong
	}
	return enc, dec
}

// Encode writes a value.
func Encode(v any) ([]byte, error) {
	b, err := writing.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return b, nil
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
