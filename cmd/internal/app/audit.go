package app

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/console"
	"liandong/cmd/internal/records"
	"liandong/configs"
	"liandong/routing/journal"
	"liandong/routing/news"
)

// AuditStream is the stream of what people have done.
const AuditStream = "liandong:audit"

// openTrail makes the logger of what people do: a line is in the log, in the file of its day and in the stream, as far
// as the config has them.
func (a *App) openTrail(cfg *configs.Config) (err error) {
	all := []slog.Handler{a.log.Handler()}
	if dir := cfg.Audit.Dir; dir != "" {
		a.audit, err = records.Open(records.Config{Name: "audit", Dir: dir, Days: cfg.Audit.Days,
			Zone: cfg.Location()}, a.log.With("part", "audit"))
		if err != nil {
			return err
		}
		all = append(all, slog.NewJSONHandler(a.audit, &slog.HandlerOptions{ReplaceAttr: asStreamed}))
	}
	if one := a.stores.audited(cfg.Audit.Network); one != nil {
		all = append(all, streamed{put: func(f news.Fields) { one.outbox.Publish(AuditStream, f) }})
	}
	a.trail = slog.New(slog.NewMultiHandler(all...))
	return nil
}

// audited is the store that has the trail as a stream; nil: of several none is named, and no network is to read of
// another's people.
func (s *stores) audited(network string) *store {
	if len(s.all) == 1 {
		return s.all[0]
	}
	i := slices.IndexFunc(s.all, func(one *store) bool { return slices.Contains(one.in, network) })
	if i < 0 {
		return nil
	}
	return s.all[i]
}

// audited says that a call's event tells what somebody has done by phone to a call that is not his.
func audited(event string) bool { return strings.HasPrefix(event, "supervisor") }

// sessions are kept in the journal, for the process to come.
func (a *App) sessions() console.Kept {
	if a.journal == nil {
		return console.Kept{Now: time.Now}
	}
	return console.Kept{Now: a.journal.Clock().Now, Put: a.keep(journal.Session), All: a.kept(journal.Session)}
}

// streamed puts what is logged into a stream, a field for each attribute. Immutable.
type streamed struct {
	put   func(news.Fields)
	attrs []slog.Attr
	group string
}

// asStreamed names the head of a line in the file as in the stream.
func asStreamed(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.TimeKey:
		a.Key = "at"
	case a.Key == slog.MessageKey:
		a.Key = "what"
	case a.Key == slog.LevelKey:
		return slog.Attr{}
	}
	return a
}

// Enabled is as the log usually has it.
func (s streamed) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle puts a line into the stream.
func (s streamed) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]string{"at": r.Time.Format(time.RFC3339Nano), "what": r.Message}
	for _, a := range s.attrs {
		flatten(fields, "", a)
	}
	r.Attrs(func(a slog.Attr) bool {
		flatten(fields, s.group, a)
		return true
	})
	s.put(news.From(fields))
	return nil
}

// flatten adds an attribute; members of a group are named group.member. What is empty is left out.
func flatten(fields map[string]string, group string, a slog.Attr) {
	v, name := a.Value.Resolve(), group+a.Key
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			name += "."
		}
		for _, one := range v.Group() {
			flatten(fields, name, one)
		}
		return
	}
	if text := v.String(); text != "" && text != "<nil>" {
		fields[name] = text
	}
}

// WithAttrs is for lines that all have some attributes.
func (s streamed) WithAttrs(attrs []slog.Attr) slog.Handler {
	s.attrs = slices.Clip(s.attrs)
	for _, a := range attrs {
		a.Key = s.group + a.Key
		s.attrs = append(s.attrs, a)
	}
	return s
}

// WithGroup is for lines whose attributes are all in a group.
func (s streamed) WithGroup(name string) slog.Handler {
	s.group += name + "."
	return s
}
