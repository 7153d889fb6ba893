package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"liandong/cmd/internal/feed"
)

const (
	maxStreams  = 512               // readers of events at once; they hold connections
	heartbeat   = 15 * time.Second  // between two signs of life: proxies keep the connection
	streamWrite = 5 * time.Second   // a reader that takes nothing for so long, at most twice as long, is let go
	eventRetry  = "retry: 1000\n\n" // how long a reader waits before it comes again, in ms
)

// seats shows who sits where, and in which call.
func (s *Server) seats(w http.ResponseWriter, r *http.Request) {
	list := s.sw.Feed.Chairs(visitorOf(r).lines)
	if list == nil {
		list = []feed.Chair{}
	}
	s.Encode(w, list)
}

// events sends what happens as server-sent events (WHATWG HTML §9.2) until the reader goes away. With Last-Event-ID
// it goes on after that event, if that is still known: hello says so.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.streams.Add(1) > maxStreams {
		s.streams.Add(-1)
		w.Header().Set("Retry-After", "10")
		s.say(w, http.StatusServiceUnavailable, manyReaders, maxStreams)
		return
	}
	defer s.streams.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // of nginx
	to := http.NewResponseController(w)
	_ = to.SetReadDeadline(time.Time{}) // where there is none, none need be moved
	v := visitorOf(r)
	who := feed.Audience{Lines: v.lines, Attends: v.supervises}
	from, resumed := s.sw.Feed.Reader(r.Header.Get("Last-Event-ID"), who)
	out := append([]byte(eventRetry), from.Hello(resumed)...)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	conn, gone := connOf(r), r.Context().Done()
	var until time.Time // when a write has taken too long
	for {
		var lost bool
		var more <-chan struct{}
		if out, lost, more = from.Next(out); lost {
			out = append(out, from.Hello(false)...)
		}
		if len(out) > 0 {
			if now := time.Now(); until.Sub(now) < streamWrite {
				until = now.Add(2 * streamWrite)
				_ = to.SetWriteDeadline(until)
			}
			conn.hold() // HTTP writes its buffers one by one
			_, err := w.Write(out)
			if err = errors.Join(err, to.Flush(), conn.let()); err != nil {
				return
			}
			out = emptied(out)
		}
		if more == nil {
			return // the switch ends
		}
		select {
		case <-more:
		case <-beat.C:
			if !s.stays(r) {
				return
			}
			out = append(out, ":\n\n"...)
		case <-gone:
			return
		}
	}
}

// stays says that a reader would be let in as before.
func (s *Server) stays(r *http.Request) bool {
	v, ok := s.visitor(r, see)
	was := visitorOf(r)
	return ok && v.name == was.name && slices.Equal(v.lines, was.lines)
}
