package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"liandong/media/record"
)

// slowest is the slowest reader of a recording that is not cut off, in bytes
// per second: the server's own limit is for answers of a few lines.
const slowest = 32 << 10

// recording streams a recording as WAV, opened if it is sealed. Ranges are
// served, so that a player can seek. Of a call that goes on there is what has
// been written.
func (s *Server) recording(w http.ResponseWriter, r *http.Request) {
	p, err := s.find(r)
	s.asked("a recording", r, err)
	if err != nil {
		s.sayRecording(w, err)
		return
	}
	defer p.Close()
	h := w.Header()
	h.Set("Content-Type", "audio/wav")
	h.Set("Content-Disposition", `attachment; filename="`+p.Meta.Ref+`.wav"`)
	h.Set("Cache-Control", "no-store")
	if !p.Whole {
		h.Set("Warning", `199 - "shorter than when it was closed"`) // RFC 7234 §5.5.7
		s.log.Error("a recording is shorter than when it was closed", "recording", p.Meta.Ref)
	}
	deadline := time.Now().Add(time.Minute + time.Duration(p.Size()/slowest)*time.Second)
	_ = http.NewResponseController(w).SetWriteDeadline(deadline) // where there is none, none need be moved
	sound := &watched{ReadSeeker: p}
	http.ServeContent(w, r, "", time.Time{}, sound)
	if sound.err != nil { // the answer ends before its length: no reader takes it for whole
		s.log.Error("a recording cannot be read to its end", "recording", p.Meta.Ref, "err", sound.err)
	}
}

// watched remembers what kept it from being read.
type watched struct {
	io.ReadSeeker
	err error
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadSeeker.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// recordingMeta tells of a recording.
func (s *Server) recordingMeta(w http.ResponseWriter, r *http.Request) {
	m, err := s.meta(r)
	s.asked("the metadata of a recording", r, err)
	if err != nil {
		s.sayRecording(w, err)
		return
	}
	s.Encode(w, m)
}

// meta is the metadata of a recording that the visitor may hear: to others there is none.
func (s *Server) meta(r *http.Request) (record.Meta, error) {
	if s.sw.Recordings == nil {
		return record.Meta{}, record.ErrNotFound
	}
	m, err := s.sw.Recordings.Meta(r.PathValue("ref"))
	if err == nil && !visitorOf(r).lines.any(m.Lines...) {
		return record.Meta{}, fmt.Errorf("%w: of another line", record.ErrNotFound)
	}
	return m, err
}

func (s *Server) find(r *http.Request) (*record.Playback, error) {
	if _, err := s.meta(r); err != nil {
		return nil, err
	}
	return s.sw.Recordings.Open(r.PathValue("ref"))
}

// asked notes who has asked for a recording, and how he was let in. What it asked for is quoted only when it is a ref:
// anything may stand there.
func (s *Server) asked(what string, r *http.Request, err error) {
	ref := r.PathValue("ref")
	if errors.Is(err, record.ErrRef) {
		ref = "none"
	}
	log := s.audit.log.With("recording", ref, "from", r.RemoteAddr, "by", visitorOf(r).name, "range", r.Header.Get("Range"))
	if err != nil {
		log.Warn(what+" was asked for and is not given", "err", err)
		return
	}
	log.Info(what + " is read")
}

func (s *Server) sayRecording(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, record.ErrRef), errors.Is(err, record.ErrNotFound):
		s.say(w, http.StatusNotFound, noRecord)
	case errors.Is(err, record.ErrNoKey):
		s.say(w, http.StatusServiceUnavailable, noKey)
	default:
		s.say(w, http.StatusInternalServerError, damaged)
	}
}
