package remote

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"liandong/configs"
)

type file struct {
	bytes.Buffer
	closed bool
}

func (f *file) Close() error { f.closed = true; return nil }

// An answer that is too large for memory is an error and not the half of it, to a file it goes whole; one that breaks
// off is an error either way. A refusal opens no file.
func TestLargeAnswers(t *testing.T) {
	answers := map[string]func(w http.ResponseWriter){
		"/large": func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, mostAnswer+1)) },
		"/fits":  func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, mostAnswer)) },
		"/breaks": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("half"))
		},
		"/no": func(w http.ResponseWriter) { http.Error(w, "no such call", http.StatusNotFound) },
	}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) }))
	defer at.Close()
	sw, err := Of(configs.API{Listen: []configs.Listener{{
		Address: netip.MustParseAddrPort(strings.TrimPrefix(at.URL, "http://"))}}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		asked, fetched error
		size           int
	}{
		"/large":  {ErrLarge, nil, mostAnswer + 1},
		"/fits":   {nil, nil, mostAnswer},
		"/breaks": {io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, 4},
		"/no":     {errNo, errNo, 0},
	} {
		text, err := sw.Ask(t.Context(), http.MethodGet, path, nil)
		if !is(err, want.asked) || err != nil && text != nil || err == nil && len(text) != want.size {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
		var f *file
		err = sw.Fetch(t.Context(), path, func() (io.WriteCloser, error) { f = &file{}; return f, nil })
		if !is(err, want.fetched) || (f == nil) != (want.size == 0) || f != nil && (f.Len() != want.size || !f.closed) {
			t.Errorf("%s to a file: %v", path, err)
		}
	}
}

var errNo = errors.New("no such call")

func is(err, want error) bool {
	return errors.Is(err, want) || want == errNo && err != nil && err.Error() == errNo.Error()
}
