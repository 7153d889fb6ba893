package outbox

import (
	"context"
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"

	"liandong/routing/news"
)

// What is written without go-redis' help is what it would write, also when the room for it has been used before.
func TestXAdd(t *testing.T) {
	events := []callEvent{
		{stream: "a", fields: news.From(map[string]string{"b": "1", "a": "2", "c": ""})},
		{stream: "b", fields: news.From(map[string]string{"z": "一"})},
		{stream: "a", fields: news.From(map[string]string{})},
	}
	var x xadd
	for _, list := range [][]callEvent{events[:1], events, events[1:2], events} {
		x.begin(list, 100)
		var got []redis.Cmder
		for _, e := range list {
			got = append(got, x.of(context.Background(), e))
		}
		for i, e := range list {
			want := fmt.Sprint([]any{"xadd", e.stream, "maxlen", "~", 100, "*"})
			for _, name := range []string{"a", "b", "c", "z"} {
				if value, ok := e.fields.Map()[name]; ok {
					want = want[:len(want)-1] + " " + name + " " + value + "]"
				}
			}
			if is := fmt.Sprint(written(got[i])); is != want {
				t.Errorf("%s, want %s", is, want)
			}
		}
		x.end()
	}
	for _, a := range x.args[:cap(x.args)] {
		if a != nil {
			t.Errorf("%v is kept", a)
		}
	}
}

// written are the arguments of a command as they go out.
func written(c redis.Cmder) (args []any) {
	for _, a := range c.Args() {
		if s, ok := a.(*string); ok {
			a = *s
		}
		args = append(args, a)
	}
	return args
}

// A call event costs its command and no string of it.
func TestXAddAllocates(t *testing.T) {
	fields := news.From(map[string]string{"b": "1", "a": "2", "c": "3", "d": "4", "e": "5"})
	events := []callEvent{{stream: "a", fields: fields}}
	var x xadd
	n := testing.AllocsPerRun(100, func() {
		x.begin(events, 100)
		x.of(context.Background(), events[0])
		x.end()
	})
	if n > 1 {
		t.Errorf("%v allocations", n)
	}
}
