package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"liandong/routing/link"
)

// Refused are the updates that could not be taken in, for an admin who looks at them and has them tried again.
type Refused struct{ link *link.Link }

// DeadUpdate is one of them.
type DeadUpdate struct {
	ID             string // in the stream [Dead]
	Reason, Detail string
	Source         string // stream and id where it was written
	Fields         map[string]string
}

// OpenRefused connects when first used.
func OpenRefused(cfg link.Config) (*Refused, error) {
	l, err := link.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Refused{l}, nil
}

// Close ends the connection.
func (r *Refused) Close() { r.link.Close() }

// List gives all there are, the oldest first.
func (r *Refused) List(ctx context.Context) ([]DeadUpdate, error) {
	list, err := r.link.Client().XRange(ctx, Dead, "-", "+").Result()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	all := make([]DeadUpdate, len(list))
	for i, m := range list {
		all[i] = deadUpdate(m)
	}
	return all, nil
}

// deadUpdate tells what the ledger has added from what was written.
func deadUpdate(m redis.XMessage) DeadUpdate {
	d := DeadUpdate{ID: m.ID, Fields: map[string]string{}}
	own := map[string]*string{"reason": &d.Reason, "detail": &d.Detail, "source": &d.Source}
	for name, v := range m.Values {
		text, _ := v.(string)
		if to, ok := own[name]; ok {
			*to = text
			continue
		}
		if short, ok := strings.CutPrefix(name, "original_"); ok && own[short] != nil {
			name = short
		}
		d.Fields[name] = text
	}
	return d
}

// Retry writes an update once more where it came from, and takes it off the list. Between the two it may be on both: it
// is the same update by its event_id, and counts once.
func (r *Refused) Retry(ctx context.Context, d DeadUpdate) error {
	stream, _, _ := strings.Cut(d.Source, " ")
	var values []string
	for _, name := range sortedNames(d.Fields) {
		values = append(values, name, d.Fields[name])
	}
	if err := r.link.Client().XAdd(ctx, &redis.XAddArgs{Stream: stream, Values: values}).Err(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := r.link.Client().XDel(ctx, Dead, d.ID).Err(); err != nil {
		return fmt.Errorf("ledger: %s is tried again, and stays on the list: %w", d.ID, err)
	}
	return nil
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
