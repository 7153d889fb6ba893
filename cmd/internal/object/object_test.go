package object

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzOf: whatever the strings are, they are written as package json does.
func FuzzOf(f *testing.F) {
	f.Add("", "", "")
	f.Add("caller", "+86138****5678", "一")
	f.Add("\"\\", "<&>\u2028", "\xff\x00\n\x7f")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, fields := range []map[string]string{{}, {a: b}, {a: b, b: c, c: a}} {
			want, err := json.Marshal(fields)
			if got := Of(fields); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, package json writes %s, %v", got, want, err)
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	fields := map[string]string{"event": "ringing", "call_ref": "f6dee8e9-0b5b-4e7f-9e08-77438f4a76d6",
		"hotline": "110", "agent": "1101", "phase": "ringing", "detail": "110", "caller": "+86138****5678", "node": "lab"}
	for name, of := range map[string]func(map[string]string) []byte{
		"json": func(f map[string]string) []byte { text, _ := json.Marshal(f); return text }, "object": Of,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				of(fields)
			}
		})
	}
}
