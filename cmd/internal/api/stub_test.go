package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"liandong/configs"
	"liandong/routing/category"
	"liandong/routing/matter"
	"liandong/routing/outbox"
	"liandong/routing/ticket"
)

const (
	liveStub = "01HTHGQ7X0000000000000000B" // of a call of late
	oldStub  = "01HTHGQ7X0000000000000000C" // whose matter is in Redis
	noneStub = "01HTHGQ7X0000000000000000D"
)

// tray is an outbox that keeps entries, and answers as it is told.
type tray struct {
	entries []ticket.Entry
	err     error
	slow    bool // done is not called
}

func (o *tray) Put(e ticket.Entry, done func(error)) {
	o.entries = append(o.entries, e)
	if !o.slow {
		done(o.err)
	}
}

// desktop is a server with a live stub, an old one and some categories, in a language.
func desktop(t *testing.T, lang string) (*Server, *tray) {
	s := server(t, configs.API{
		Lang: lang, Grants: []configs.Grant{loopback}, Emergency: "110",
		Categories: category.List{
			{Code: "03", Name: "消费纠纷", Owner: "12345", Modes: []string{ticket.TicketOnly}, Answer: "请保留小票",
				Keywords: []string{"退款"}},
			{Code: "66", Name: "打架", Owner: "110", Urgency: ticket.Critical},
		},
	})
	o := &tray{}
	s.sw.Tickets = o
	s.sw.Recent.Note(ticket.Entry{StubID: liveStub, Event: ticket.Answered, From: "110", To: "12345",
		Mode:    ticket.Direct,
		CallRef: "6ba7b810-9dad-11d1-80b4-00c04fd430c8", CallerE164: "+8613812345678", CallerStatus: "ok",
		Result: "answered", Urgency: ticket.Normal})
	s.matter = func(_ context.Context, stub string) (matter.Matter, bool, error) {
		return matter.Matter{StubID: stub, From: "12345", To: "119", Mode: ticket.Direct, CallRef: "c",
			Urgency: "normal"}, stub == oldStub, nil
	}
	s.caller = func(context.Context, string) (e ticket.Entry, known bool, err error) { return e, false, nil }
	s.entry = func(context.Context, string, string) (ticket.Entry, bool) { return ticket.Entry{}, false }
	return s, o
}

func post(s *Server, stub, body string, header ...string) (int, string) {
	r := httptest.NewRequest("POST", "/v1/stubs/"+stub, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.RemoteAddr = friend
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	answer, _ := io.ReadAll(w.Body)
	return w.Code, string(answer)
}

func TestEnrich(t *testing.T) {
	s, o := desktop(t, "en")
	code, body := post(s, liveStub,
		`{"category":"03","place":" 中山路1号 ","title":"退款","content":"三天不退","region_code":"130100","confidential":"1"}`)
	var got enriched
	if err := json.Unmarshal([]byte(body), &got); code != 200 || err != nil {
		t.Fatalf("%d %s %v", code, body, err)
	}
	if len(o.entries) != 1 {
		t.Fatalf("%d entries", len(o.entries))
	}
	e := o.entries[0]
	if e.Event != ticket.Enriched || e.EventID != got.EventID || got.Stream != "liandong:tickets:12345" ||
		e.CallerE164 != "+8613812345678" ||
		e.Category != "消费纠纷" || e.Place != "中山路1号" || e.Result != "" || e.Urgency != ticket.Normal ||
		e.Confidential != ticket.Confidential {
		t.Errorf("%+v %q", got, e.Fields())
	}
	if !strings.Contains(got.Notice, "ticket_only") || got.Urgent != "" {
		t.Errorf("%+v", got)
	}
}

// A stub of which only the matter's state is left is told on its line too.
func TestEnrichLater(t *testing.T) {
	s, o := desktop(t, "en")
	if code, body := post(s, oldStub, `{"place":"裕华路"}`); code != 200 ||
		!strings.Contains(body, "liandong:tickets:119") {
		t.Fatalf("%d %s", code, body)
	}
	// c is no UUID, all else is right
	if e := o.entries[0]; e.Validate() == nil || e.From != "12345" || e.CallRef != "c" {
		t.Errorf("%v %q", e.Validate(), e.Fields())
	}
}

// Danger tells the emergency line, once: whether the category says so or the desk.
func TestEnrichDanger(t *testing.T) {
	for _, body := range []string{`{"category":"66","urgency":"normal"}`, `{"urgency":"critical"}`} {
		s, o := desktop(t, "en")
		for range 2 {
			if code, answer := post(s, liveStub, body); code != 200 ||
				!strings.Contains(answer, `"urgent":"liandong:tickets:110"`) {
				t.Fatalf("%s: %d %s", body, code, answer)
			}
		}
		if len(o.entries) != 4 || o.entries[1].Event != ticket.Urgent || o.entries[1].EventID != o.entries[3].EventID ||
			o.entries[0].Urgency != ticket.Critical || o.entries[0].DecidedOwner != "110" {
			t.Errorf("%s: %v", body, o.entries)
		}
		for _, e := range o.entries {
			s.sw.Recent.Note(e)
		}
		if _, answer := post(s, liveStub, body); strings.Contains(answer, "urgent") {
			t.Errorf("a matter that is danger already: %s", answer)
		}
	}
}

// After a restart, or at another switch, danger is told with the citizen's number from what Redis or the outbox still
// has; where nobody knows it any more no field that is always there is empty.
func TestEnrichDangerLater(t *testing.T) {
	at := time.Date(2024, 4, 3, 9, 30, 0, 0, time.UTC)
	opened := ticket.Entry{
		EventID: liveStub, StubID: oldStub, Event: ticket.Opened, At: at, From: "12345", To: "119", Mode: ticket.Direct,
		CallRef:    "c",
		CallerE164: "+8613812345678", CallerRaw: "138", CallerStatus: "ok", CallerSource: "pai", Dialed: "12345",
		FromAgent: "2101", CallAt: at, KeyAt: at,
	}
	for _, known := range []bool{true, false} {
		s, o := desktop(t, "en")
		s.caller = func(_ context.Context, stub string) (ticket.Entry, bool, error) {
			return opened, known && stub == oldStub, nil
		}
		if code, answer := post(s, strings.ToLower(oldStub), `{"urgency":"critical"}`); code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
		urgent := o.entries[1]
		if urgent.Event != ticket.Urgent || urgent.StubID != oldStub ||
			known && (urgent.CallerE164 != opened.CallerE164 || !urgent.KeyAt.Equal(at)) {
			t.Errorf("%q", urgent.Fields())
		}
		for name, v := range urgent.Map() {
			if v == "" {
				t.Errorf("known %v: %s is empty", known, name)
			}
		}
	}
}

// Redis that fails between what it knows of a matter and who called is asked again, until there is an answer or no time
// left: then who called is unknown, and danger can be told all the same.
func TestStubWhereRedisFails(t *testing.T) {
	for _, never := range []bool{false, true} {
		s, _ := desktop(t, "en")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		asked := 0
		s.caller = func(context.Context, string) (e ticket.Entry, known bool, err error) {
			asked++
			if never && asked == 2 {
				cancel()
			}
			if never || asked < 3 {
				return e, false, io.ErrUnexpectedEOF
			}
			e.CallerE164 = "+8613812345678"
			return e, true, nil
		}
		e, err := s.stub(ctx, oldStub)
		if err != nil || (e.CallerE164 == "+8613812345678") == never {
			t.Errorf("%v, of %q", err, e.CallerE164)
		}
	}
}

// An id of a client stands for one content: other content under it is an error, also after a restart.
func TestEnrichOtherContent(t *testing.T) {
	s, o := desktop(t, "en")
	for _, r := range []struct {
		body string
		code int
	}{{`{"title":"x","event_id":"a"}`, 200}, {`{"title":"x","event_id":"a"}`, 200},
		{`{"title":"y","event_id":"a"}`, 409}, {`{"title":"x","place":"z","event_id":"a"}`, 409},
		{`{"title":"y","event_id":"b"}`, 200}} {
		if code, body := post(s, liveStub, r.body); code != r.code {
			t.Errorf("%s: %d %s", r.body, code, body)
		}
	}
	first := o.entries[0]
	s, _ = desktop(t, "zh")
	s.entry = func(_ context.Context, stream, id string) (ticket.Entry, bool) {
		return first, stream == "liandong:tickets:12345" && id == first.EventID
	}
	if code, _ := post(s, liveStub, `{"title":"x","event_id":"a"}`); code != 200 {
		t.Error(code)
	}
	if code, body := post(s, liveStub, `{"title":"y","event_id":"a"}`); code != 409 ||
		!strings.Contains(body, "event_id") {
		t.Errorf("%d %s", code, body)
	}
}

// A request that comes again with an id is the same entry; with another, or with none, it is a new one.
func TestEnrichAgain(t *testing.T) {
	s, o := desktop(t, "en")
	for _, r := range [][]string{{`{"title":"x","event_id":"a"}`}, {`{"title":"x"}`, "Idempotency-Key", "a"},
		{`{"title":"x","event_id":"b"}`}, {`{"title":"x"}`}, {`{"title":"x"}`}} {
		if code, body := post(s, liveStub, r[0], r[1:]...); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
	}
	ids := map[string]bool{}
	for _, e := range o.entries {
		ids[e.EventID] = true
	}
	if len(ids) != 4 || o.entries[0].EventID != o.entries[1].EventID {
		t.Errorf("%v", o.entries)
	}
}

func TestEnrichRefuses(t *testing.T) {
	for _, tt := range []struct {
		lang, stub, body string
		code             int
		says             []string
	}{
		{"en", liveStub, ``, 400, []string{"JSON object"}},
		{"en", liveStub, `[]`, 400, []string{"JSON object"}},
		{"en", liveStub, `null`, 400, []string{"JSON object"}},
		{"en", liveStub, `{"title":7}`, 400, []string{"JSON object"}},
		{"en", liveStub, `{}`, 400, []string{"nothing is said; allowed: event_id, category, place"}},
		{"en", liveStub, `{"event_id":"a","title":" "}`, 400, []string{"nothing is said"}},
		{"en", liveStub, `{"category":"3","urgency":"soon","confidential":"yes","region_code":"13","plaec":"x"}`, 400,
			[]string{
				"category: will not do; allowed: 03 66\n", "urgency: will not do; allowed: normal, urgent, critical\n",
				"confidential: will not do; allowed: 0, 1\n", "region_code: will not do; allowed: 6 to 12 digits",
				"plaec: no such field; allowed: event_id, category, place, region_code, title, content, urgency, confidential"}},
		{"en", liveStub, `{"place":"` + strings.Repeat("路", 342) + `"}`, 400,
			[]string{"place: too long; allowed: 1024 bytes in UTF-8, not 1026"}},
		{"zh", liveStub, `{"place":"` + strings.Repeat("路", 342) + `","category":"9"}`, 400,
			[]string{"place：过长；最多 1024 字节", "category：不合规；可用：03 66"}},
		{"en", liveStub, `{"title":"x","event_id":"` + strings.Repeat("x", 65) + `"}`, 400,
			[]string{"event_id: too long; allowed: 64"}},
		{"en", liveStub, `{"content":"` + strings.Repeat("x", maxBody) + `"}`, 400,
			[]string{"the body is too long, at most 131072"}},
		{"en", liveStub, `{"title":"a\u001b[31mb"}`, 400, []string{"title: will not do; allowed: one line of text"}},
		{"en", liveStub, `{"place":"a\r\nb","content":"a\u202eb"}`, 400,
			[]string{"place: will not do", "content: will not do"}},
		{"en", noneStub, `{"title":"x"}`, 404, []string{"no such stub"}},
		{"zh", "13812345678", `{"title":"x"}`, 404, []string{"没有这个存根"}},
	} {
		s, o := desktop(t, tt.lang)
		code, body := post(s, tt.stub, tt.body)
		for _, want := range tt.says {
			if !strings.Contains(body, want) || code != tt.code {
				t.Errorf("%.60s: %d %q, want %d %q", tt.body, code, body, tt.code, want)
			}
		}
		if len(o.entries) > 0 || strings.Contains(body, "路") || strings.Contains(body, "soon") {
			t.Errorf("%.60s: %v; %s", tt.body, o.entries, body)
		}
	}
}

// With Redis away the stubs of late are known all the same; of others the client is told to come again.
func TestEnrichWithoutRedis(t *testing.T) {
	s, o := desktop(t, "en")
	s.matter = func(context.Context, string) (matter.Matter, bool, error) {
		return matter.Matter{}, false, errors.New("redis is away")
	}
	if code, _ := post(s, liveStub, `{"title":"x"}`); code != 200 || len(o.entries) != 1 {
		t.Error(code)
	}
	if code, body := post(s, oldStub, `{"title":"x"}`); code != 503 || !strings.Contains(body, "try again") {
		t.Errorf("%d %s", code, body)
	}
}

// What the outbox does not take is no success; what waits in memory is one that is not on disk yet.
func TestEnrichOnDisk(t *testing.T) {
	s, o := desktop(t, "en")
	o.err = outbox.ErrFull
	if code, _ := post(s, liveStub, `{"title":"x"}`); code != http.StatusServiceUnavailable {
		t.Error(code)
	}
	s, o = desktop(t, "en")
	o.slow = true
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if code, _ := post(s, liveStub, `{"title":"x"}`); code != http.StatusAccepted || time.Since(began) != onDisk {
			t.Errorf("%d after %v", code, time.Since(began))
		}
	})
}

func TestCategories(t *testing.T) {
	s, _ := desktop(t, "en")
	for q, want := range map[string]int{"": 2, "?q=%E9%80%80%E6%AC%BE": 1, "?q=x": 0} {
		code, body := ask(s, "GET", "/v1/categories"+q, friend)
		var kinds []Kind
		if err := json.Unmarshal([]byte(body), &kinds); err != nil || code != 200 || len(kinds) != want {
			t.Errorf("%s: %d %s", q, code, body)
		}
		if want == 1 && (kinds[0].Code != "03" || kinds[0].Owner != "12345" || kinds[0].Answer == "" ||
			kinds[0].Modes[0] != "ticket_only") {
			t.Errorf("%+v", kinds[0])
		}
	}
	if code, _ := ask(s, "GET", "/v1/categories", stranger); code != http.StatusForbidden {
		t.Error(code)
	}
}
