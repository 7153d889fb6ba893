package object

import (
	"bytes"
	"encoding/json"
	"testing"

	"liandong/routing/news"
)

// FuzzOf: whatever the strings are, they are written as package json does.
func FuzzOf(f *testing.F) {
	f.Add("", "", "")
	f.Add("caller", "+86138****5678", "一")
	f.Add("\"\\", "<&>\u2028", "\xff\x00\n\x7f")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, fields := range []map[string]string{{}, {a: b}, {a: b, b: c, c: a}} {
			want, err := json.Marshal(fields)
			if got := Of(news.From(fields)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, package json writes %s, %v", got, want, err)
			}
		}
	})
}

// What is shown is as if the fields had been changed before.
func TestShown(t *testing.T) {
	fields := map[string]string{"a": "1", "b": "", "c": "3", "d": "4"}
	for _, one := range []struct {
		shown Shown
		want  string
	}{
		{Shown{}, `{"a":"1","b":"","c":"3","d":"4"}`},
		{Shown{Filled: true}, `{"a":"1","c":"3","d":"4"}`},
		{Shown{Without: []string{"a", "x"}, Also: news.Fields{{Name: "c", Value: "9"}, {Name: "e"}}},
			`{"b":"","c":"9","d":"4","e":""}`},
		{Shown{Without: []string{"a"}, Also: news.Fields{{Name: "0", Value: "z"}, {Name: "c"}}, Filled: true},
			`{"0":"z","d":"4"}`},
	} {
		if got := string(one.shown.Append([]byte("x"), news.From(fields))); got != "x"+one.want {
			t.Errorf("%+v: %s, want %s", one.shown, got, one.want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	fields := map[string]string{"event": "ringing", "call_ref": "f6dee8e9-0b5b-4e7f-9e08-77438f4a76d6",
		"hotline": "110", "agent": "1101", "phase": "ringing", "detail": "110", "caller": "+86138****5678", "node": "lab"}
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = json.Marshal(fields)
		}
	})
	b.Run("object", func(b *testing.B) {
		list := news.From(fields)
		b.ReportAllocs()
		for b.Loop() {
			Of(list)
		}
	})
}
