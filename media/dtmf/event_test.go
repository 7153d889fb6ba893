package dtmf

import (
	"bytes"
	"errors"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name    string
		payload []byte
		want    Event
		err     error
	}{
		{"five, down", []byte{5, 0x0a, 0x01, 0x40}, Event{Digit: '5', Volume: 10, Duration: 320}, nil},
		{"five, up", []byte{5, 0x8a, 0x03, 0x20}, Event{Digit: '5', End: true, Volume: 10, Duration: 800}, nil},
		{"zero", []byte{0, 0, 0, 0}, Event{Digit: '0'}, nil},
		{"star", []byte{10, 0x3f, 0xff, 0xff}, Event{Digit: '*', Volume: 63, Duration: 65535}, nil},
		{"pound", []byte{11, 0, 0, 0}, Event{Digit: '#'}, nil},
		{"A", []byte{12, 0, 0, 0}, Event{Digit: 'A'}, nil},
		{"D", []byte{15, 0, 0, 0}, Event{Digit: 'D'}, nil},
		{"flash", []byte{16, 0, 0, 0}, Event{Digit: '!'}, nil},
		// RFC 4733 §2.3.3: the receiver ignores the reserved bit.
		{"reserved bit", []byte{1, 0x40, 0, 0}, Event{Digit: '1'}, nil},
		{"more behind", []byte{1, 0, 0, 160, 2, 0, 0, 160}, Event{Digit: '1', Duration: 160}, nil},
		{"fax tone", []byte{36, 0, 0, 0}, Event{}, ErrEvent},
		{"last code", []byte{255, 0, 0, 0}, Event{}, ErrEvent},
		{"cut off", []byte{5, 0x8a, 0x03}, Event{}, ErrShort},
		{"empty", nil, Event{}, ErrShort},
	} {
		got, err := Parse(test.payload)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
	}
}

func TestAppend(t *testing.T) {
	got := Append([]byte{9}, Event{Digit: '#', End: true, Volume: 200, Duration: 0x1234})
	if want := []byte{9, 11, 0x80 | 63, 0x12, 0x34}; !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
	if got := Append([]byte{9}, Event{Digit: 'x'}); len(got) != 1 {
		t.Errorf("no key gave % x", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{5, 0x8a, 3, 0x20})
	f.Add([]byte{16, 0x7f, 0xff, 0xff, 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := Parse(payload)
		if err != nil {
			return
		}
		printed := Append(nil, e)
		again, err := Parse(printed)
		if err != nil || again != e {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}
