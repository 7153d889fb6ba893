package keeper

import (
	"reflect"
	"strings"
	"testing"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, m := range []message{
		{kind: hold, names: []string{"sip/udp/127.0.0.1:5060", "rtp/[::1]:20000"}, fds: []int{7, 8}},
		{kind: drop, names: []string{"sip/conn/10.0.0.1:5060-10.0.0.2:40000"}},
		{kind: begin, body: []byte(`{"keeper":1}`)},
		{kind: ping, body: []byte{}},
	} {
		got, err := decode(m.encode(), m.fds)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v: %v", m, got, err)
		}
	}
}

func TestNoMessages(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"nothing": "", "no name": "H", "an empty name": "Da\n", "a space": "Da b",
		"a name too long":           "D" + strings.Repeat("x", maxName+1),
		"names without descriptors": "Ha\nb", "too many names": "D" + strings.Repeat("a\n", maxNames) + "a",
		"too long": strings.Repeat("S", maxMessage+1),
	} {
		if m, err := decode([]byte(b), nil); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("Hsip/udp/127.0.0.1:5060\nhttp/127.0.0.1:8080"), 2)
	f.Add([]byte("Drtp/127.0.0.1:20000"), 0)
	f.Add([]byte(`S{"keeper":1}`), 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		fds := make([]int, n&0xff)
		m, err := decode(b, fds)
		if err != nil {
			return
		}
		again, err := decode(m.encode(), m.fds)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%q: %+v became %+v: %v", b, m, again, err)
		}
	})
}
