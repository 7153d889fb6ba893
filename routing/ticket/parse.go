package ticket

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of [Parse]. None of them quotes a value: it may be a caller's number.
var (
	ErrSchema = errors.New("ticket: schema not known")
	ErrField  = errors.New("ticket: field")
)

// Parse reads an entry back from the fields of a stream entry. Fields that it does not know are passed over. It
// refuses only what it cannot represent: another schema, a time or direction that is none. Whether the entry makes
// sense is for [Entry.Validate].
func Parse(fields map[string]string) (Entry, error) {
	var e Entry
	if err := setSchema(&e, fields["schema"]); err != nil {
		return Entry{}, err
	}
	for i := range columns {
		c := &columns[i]
		v, ok := fields[c.name]
		if !ok || v == "" {
			continue
		}
		if err := c.set(&e, Clean(v, c.max)); err != nil {
			return Entry{}, fmt.Errorf("%w %s: %w", ErrField, c.name, err)
		}
	}
	return e, nil
}

func setSchema(_ *Entry, s string) error {
	if s != Schema {
		return fmt.Errorf("%w: have %q, can read %s", ErrSchema, Clean(s, 16), Schema)
	}
	return nil
}

func setDirection(e *Entry, s string) error {
	from, to, ok := strings.Cut(s, between)
	if !ok {
		return errors.New("must be like 110_to_12345")
	}
	e.From, e.To = from, to
	return nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, errors.New("must be like 2024-04-03T09:30:00.000+08:00")
	}
	return t, nil
}
