package exchange

import (
	"maps"
	"testing"
	"time"

	"liandong/routing/call"
	"liandong/routing/news"
)

// An event that is told once more after a bug says all that it said at first.
func TestToldAgain(t *testing.T) {
	var told []map[string]string
	c := &Core{world: World{Bug: func(any) {}, Tell: func(it news.Item) {
		it.Set("event", it.Event)
		it.Set("at", "now")
		if told = append(told, it.Map()); len(told) == 1 {
			panic("a bug")
		}
	}}}
	c.publish(c.about(call.Tell{What: "arrived"}))
	c.perform()
	if len(told) != 2 || !maps.Equal(told[0], told[1]) {
		t.Errorf("%v", told)
	}
}

// When the clock on the wall is set, so is when a call came.
func TestCallAtFollowsTheWall(t *testing.T) {
	ahead := time.Duration(0)
	c := &Core{world: World{Wall: func(t time.Time) time.Time { return t.Add(ahead) }}}
	c.state.At = time.Unix(1e9, 0)
	for _, ahead = range []time.Duration{0, time.Microsecond, time.Hour, time.Second} {
		text := c.about(call.Tell{}).Get("call_at")
		at, err := time.Parse(time.RFC3339Nano, text)
		if off := at.Sub(c.state.At.Add(ahead)).Abs(); err != nil || off > time.Millisecond {
			t.Errorf("%v ahead: %s is off by %v", ahead, text, off)
		}
	}
}
