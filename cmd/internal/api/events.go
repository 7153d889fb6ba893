package api

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"liandong/cmd/internal/feed"
)

const (
	maxStreams  = 512                   // readers of events at once; they hold connections
	heartbeat   = 15 * time.Second      // between two signs of life: proxies keep the connection
	streamPace  = 40 * time.Millisecond // between two writes to one reader: what comes meanwhile goes in one
	streamWrite = 5 * time.Second       // a reader that takes nothing for so long is let go
	eventRetry  = "retry: 1000\n\n"     // how long a reader waits before it comes again, in ms
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
	from, resumed := s.sw.Feed.Reader(r.Header.Get("Last-Event-ID"))
	var out bytes.Buffer
	out.WriteString(eventRetry)
	hello(&out, from, resumed)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		list, lost, more := from.Next()
		if lost {
			hello(&out, from, false)
		}
		for _, e := range list {
			if name, data, ok := e.Sight(visitorOf(r).lines); ok && (!e.Discreet || visitorOf(r).supervises) {
				event(&out, from.IDOf(e), name, data)
			}
		}
		if out.Len() > 0 {
			_ = to.SetWriteDeadline(time.Now().Add(streamWrite))
			if _, err := w.Write(out.Bytes()); err != nil || to.Flush() != nil {
				return
			}
			out.Reset()
			if !s.pause(r) {
				return
			}
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
			out.WriteString(":\n\n")
		case <-r.Context().Done():
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

// pause lets some time go by; false: the reader is gone.
func (s *Server) pause(r *http.Request) bool {
	t := time.NewTimer(streamPace)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func hello(out *bytes.Buffer, from *feed.Reader, resumed bool) {
	data := `{"event":"hello","resumed":"0"}`
	if resumed {
		data = `{"event":"hello","resumed":"1"}`
	}
	event(out, from.ID(), feed.Hello, []byte(data))
}

// event writes one. JSON has no line ends.
func event(out *bytes.Buffer, id, name string, data []byte) {
	out.WriteString("id: " + id + "\nevent: " + name + "\ndata: ")
	out.Write(data)
	out.WriteString("\n\n")
}
