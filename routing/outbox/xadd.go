package outbox

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// xadd writes the commands of one round trip, XADD stream MAXLEN ~ kept * name value …, the fields in the order of
// their names. The room for it is used again in the next. go-redis takes a string for nothing where it is given a
// pointer to it, and reads an answer into room that is there.
type xadd struct {
	args   []any // point to the events' fields
	kept   any
	stream any
	id     [64]byte // the answer, which nobody asks for
}

// begin makes room for events.
func (x *xadd) begin(events []callEvent, kept int64) {
	room := 0
	for _, e := range events {
		room += 6 + 2*len(e.fields)
	}
	x.args = slices.Grow(x.args[:0], room)
	if x.kept == nil {
		x.kept = kept
	}
}

// of is the command for an event.
func (x *xadd) of(ctx context.Context, e callEvent) redis.Cmder {
	if was, ok := x.stream.(string); !ok || was != e.stream {
		x.stream = e.stream
	}
	began := len(x.args)
	x.args = append(x.args, "xadd", x.stream, "maxlen", "~", x.kept, "*")
	for i := range e.fields {
		x.args = append(x.args, &e.fields[i].Name, &e.fields[i].Value)
	}
	return redis.NewZeroCopyStringCmd(ctx, x.id[:], x.args[began:len(x.args):len(x.args)]...)
}

// end lets go of what events have said.
func (x *xadd) end() { clear(x.args) }
