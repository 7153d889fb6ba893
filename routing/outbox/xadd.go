package outbox

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// xadd writes the commands of one round trip, XADD stream MAXLEN ~ kept * name value …, the fields in the order of
// their names. What they are made of is used again in the next. go-redis takes a string for nothing where it is given a
// pointer to it, and reads an answer into room that is there.
type xadd struct {
	words  []string // names and values; args point to them
	args   []any
	names  []string
	kept   any
	stream any
	id     [64]byte // the answer, which nobody asks for
}

// begin makes room for events.
func (x *xadd) begin(events []callEvent, kept int64) {
	words := 0
	for _, e := range events {
		words += 2 * len(e.fields)
	}
	x.words, x.args = slices.Grow(x.words[:0], words), slices.Grow(x.args[:0], words+6*len(events))
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
	x.names = x.names[:0]
	for name := range e.fields {
		x.names = append(x.names, name)
	}
	slices.Sort(x.names)
	for _, name := range x.names {
		x.words = append(x.words, name, e.fields[name])
		n := len(x.words)
		x.args = append(x.args, &x.words[n-2], &x.words[n-1])
	}
	return redis.NewZeroCopyStringCmd(ctx, x.id[:], x.args[began:len(x.args):len(x.args)]...)
}

// end lets go of what events have said.
func (x *xadd) end() {
	clear(x.words)
	clear(x.args)
	clear(x.names[:cap(x.names)])
}
