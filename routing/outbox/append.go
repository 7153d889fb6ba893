package outbox

import (
	"context"
	"fmt"
	"time"

	"liandong/routing/link"
)

// Line is one entry of any stream: an id by which Redis knows it again, and its fields: name, value, name, value …
type Line struct {
	ID     string
	Fields []string
}

// Append brings lines to a stream at once, each once: one whose id Redis has seen there within remember is passed over.
// It is for writers that keep their own books and can do it again; what must not be lost goes by [Outbox.Put].
func Append(ctx context.Context, l *link.Link, remember time.Duration, stream string, lines ...Line) error {
	p := parcel{stream: stream}
	for _, x := range lines {
		p.cargo = append(p.cargo, cargo{record: record{stream: stream, id: x.ID, fields: x.Fields}})
	}
	err := deliver.Run(ctx, l.Client(), []string{stream, seenKey(stream)}, p.args(chain{}, remember)...).Err()
	if err != nil {
		return fmt.Errorf("outbox: append to %s: %w", stream, err)
	}
	return nil
}
