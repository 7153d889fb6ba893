package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/report"
	"liandong/cmd/internal/trace"
	"liandong/media/record"
)

// route is one thing that may be asked. The table of them is all there is: the server and its OpenAPI document are made
// of it.
type route struct {
	method, path string
	need         right // of known
	open         bool  // to everybody, or it finds out for itself
	handler      http.HandlerFunc

	says   string            // in one line
	query  map[string]string // parameters of the query, each with what it is
	body   reflect.Type      // of a JSON body; nil: there is none
	media  string            // of the answer
	answer reflect.Type      // of a JSON answer
	other  []int             // statuses besides 200, and 403 of those that are not open
}

const (
	jsonType  = "application/json"
	plainType = "text/plain"
	codeHelp  = "the category's number, with category"
	userHelp  = "the desk, by the user of its phone"
)

// routes are all there are but the figures of Prometheus, which have a format of their own.
func (s *Server) routes() []route {
	key := map[string]string{"user": userHelp, "code": codeHelp}
	of := func(v any) reflect.Type { return reflect.TypeOf(v) }
	all := []route{
		{method: "GET", path: "/healthz", open: true, media: plainType, says: "ok while the process lives",
			handler: func(w http.ResponseWriter, _ *http.Request) { s.say(w, http.StatusOK, done) }},
		{method: "GET", path: "/readyz", open: true, media: plainType, handler: s.ready, other: []int{503},
			says: "whether calls can be taken, with warnings"},
		{method: "GET", path: "/v1/openapi.json", need: see, media: jsonType, handler: s.openapi,
			says: "this document"},
		{method: "GET", path: "/v1/calls", need: see, handler: s.calls, media: jsonType, answer: of([]Shown{}),
			says: "the calls that are on, oldest first, numbers masked"},
		{method: "GET", path: "/v1/calls/{id}", need: see, handler: s.call, media: jsonType, answer: of(Detail{}),
			other: []int{404}, says: "one call; whose own desk is in it sees the number as policy lets it"},
		{method: "GET", path: "/v1/calls/{id}/earlier", need: work, handler: s.earlier, media: jsonType,
			answer: of([]Matter{}), other: []int{404, 503}, query: map[string]string{"user": userHelp},
			says: "earlier matters of its caller that the desk's line has to do with, for the desk that has the call"},
		{method: "GET", path: "/v1/calls/{id}/story", need: see, handler: s.story, media: jsonType,
			answer: of([]map[string]string{}),
			says:   "the events of a call that are still known, also of one that is over"},
		{method: "GET", path: "/v1/calls/{id}/trace", need: look, handler: s.trace, media: jsonType,
			answer: of(trace.Ladder{}), other: []int{404},
			says: "its SIP messages and what happened meanwhile, also of one that is over; numbers masked, no addresses of networks that are not the visitor's"},
		{method: "GET", path: "/v1/calls/{id}/trace.pcap", need: look, handler: s.tracePcap, media: pcapType,
			other: []int{404},
			says:  "its SIP messages as a capture file (pcapng), with the headers of its RTP packets where they are kept"},
		{method: "POST", path: "/v1/calls/{id}/rtp", need: look, handler: s.sniff, media: plainType,
			other: []int{404, 409}, says: "keeps the headers of its RTP packets from now on, for its capture file"},
		{method: "POST", path: "/v1/calls/{id}/verbs/{verb}", need: work, handler: s.press, media: plainType,
			query: key,
			other: []int{400, 404, 503}, says: "a verb for a desk in a call"},
		{method: "POST", path: "/v1/calls/{id}/supervise/{act}", need: attend, handler: s.supervise, media: plainType,
			query: map[string]string{"user": "the supervisor's phone; without it that of whoever has signed in"},
			other: []int{400, 404, 409, 503},
			says:  "a supervisor listens, whispers, joins, takes back who was handed over, ends the call or leaves it; the phone is rung if need be"},
		{method: "GET", path: "/v1/keys/{verb}", open: true, handler: s.keys, media: plainType, query: key,
			other: []int{400, 403, 404, 503}, says: "the same in whichever call the desk is, for phones' action URLs"},
		{method: "GET", path: "/v1/seats", need: see, handler: s.seats, media: jsonType, answer: of([]feed.Chair{}),
			says: "the seats and their states"},
		{method: "POST", path: "/v1/seats/{user}/state", need: work, handler: s.setAgent, media: plainType,
			query: map[string]string{"state": "ready or not_ready", "reason": "of not_ready, one of not_ready_reasons"},
			other: []int{400, 404}, says: "has a seat ready for calls, or not"},
		{method: "GET", path: "/v1/missed", need: see, handler: s.missedCalls, media: jsonType, answer: of([]Missed{}),
			says: "citizens whom nobody has served, the newest first, numbers masked"},
		{method: "POST", path: "/v1/missed/{id}/call", need: work, handler: s.callBack, media: plainType,
			query: map[string]string{"user": userHelp}, other: []int{400, 404, 409, 503},
			says: "calls such a citizen back: the desk's phone rings first"},
		{method: "GET", path: "/v1/events", need: see, handler: s.events, media: "text/event-stream", other: []int{503},
			says: "what happens, as it happens: server-sent events, resumable by Last-Event-ID"},
		{method: "GET", path: "/v1/board", need: see, handler: s.board, media: jsonType, answer: of(Board{}),
			says: "of each line the figures of the day, and what is amiss"},
		{method: "GET", path: "/v1/indicators", need: count, handler: s.indicators, media: jsonType,
			answer: of([]report.Line{}), query: map[string]string{"day": "such as 2024-04-03; without it today",
				"from": "the first day of a span", "to": "its last day", "parts": "1: also of each day or hour of it"},
			other: []int{400, 503}, says: "the indicators of a day, or of a span of days"},
		{method: "GET", path: "/v1/matters", need: follow, handler: s.matters, media: jsonType, answer: of([]Matter{}),
			other: []int{503}, says: "the open matters, the one that is due first first"},
		{method: "GET", path: "/v1/matters/{stub}", need: follow, handler: s.history, media: jsonType,
			answer: of(History{}), other: []int{404, 503}, says: "one matter with what has been written of it"},
		{method: "POST", path: "/v1/stubs/{id}", need: work, handler: s.enrich, media: jsonType,
			body: of(map[string]string{}), answer: of(enriched{}), other: []int{202, 400, 404, 409, 503},
			says: "adds to a stub"},
		{method: "GET", path: "/v1/categories", need: work, handler: s.categories, media: jsonType,
			answer: of([]Kind{}),
			query:  map[string]string{"q": "words to look for; without them all"},
			says:   "the categories that fit, best first"},
		{method: "GET", path: "/v1/recordings/{ref}", need: hear, handler: s.recording, media: "audio/wav",
			other: []int{206, 404, 500, 503}, says: "a recording, with ranges"},
		{method: "GET", path: "/v1/recordings/{ref}/meta", need: hear, handler: s.recordingMeta, media: jsonType,
			answer: of(record.Meta{}), other: []int{404, 500, 503},
			says: "times, channels, pauses, losses and hashes of it"},
		{method: "GET", path: "/v1/health", need: watch, handler: s.health, media: jsonType, answer: of(Health{}),
			says: "how the switch does"},
		{method: "GET", path: "/v1/process", need: watch, handler: s.process, media: jsonType,
			answer: of(keeper.Status{}),
			says:   "the processes"},
		{method: "GET", path: "/v1/config", need: rule, handler: s.config, media: jsonType,
			answer: of(map[string]string{}),
			says:   "what holds, key by key; secrets are salted digests"},
		{method: "POST", path: "/v1/reload", need: rule, handler: s.reload, media: plainType, other: []int{409},
			says: "reads the config again"},
	}
	if s.sw.Cluster != nil {
		all = append(all,
			route{method: "GET", path: "/v1/cluster", need: watch, handler: s.cluster, media: plainType,
				says: "how the pair of machines stands"},
			route{method: "POST", path: "/v1/switchover", need: rule, handler: s.switchOver, media: plainType,
				other: []int{202, 409}, says: "gives the calls to the other machine"})
	}
	return all
}

// register has the routes answered.
func (s *Server) register() {
	for _, r := range s.routes() {
		h := http.Handler(r.handler)
		if !r.open {
			h = s.known(r.need, r.handler)
		}
		s.mux.Handle(r.method+" "+r.path, h)
	}
}

var pathParam = regexp.MustCompile(`\{(\w+)\}`)

type object = map[string]any

// openapi describes the routes (OpenAPI 3.1).
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) { s.Encode(w, s.document()) }

func (s *Server) document() object {
	paths := object{}
	for _, r := range s.routes() {
		at, _ := paths[r.path].(object)
		if at == nil {
			at = object{}
			paths[r.path] = at
		}
		at[strings.ToLower(r.method)] = r.operation()
	}
	return object{
		"openapi": "3.1.0", "info": object{"title": "liandong", "version": "1"}, "paths": paths,
		"components": object{"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer"}}},
	}
}

func (r route) operation() object {
	params := []object{}
	for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true,
			"schema": object{"type": "string"}})
	}
	for name, what := range r.query {
		params = append(params, object{
			"name": name, "in": "query", "description": what, "required": name == "user" && r.need != attend,
			"schema": object{"type": "string"},
		})
	}
	slices.SortStableFunc(params, func(a, b object) int { return strings.Compare(b["in"].(string), a["in"].(string)) })
	answer := object{"type": "string"}
	if r.answer != nil {
		answer = schema(r.answer)
	}
	ok := object{"description": r.says, "content": object{r.media: object{"schema": answer}}}
	said := object{"200": ok}
	statuses := r.other
	if !r.open {
		statuses = append(slices.Clip(statuses), http.StatusForbidden)
	}
	for _, code := range statuses {
		said[code3(code)] = object{"description": http.StatusText(code)}
	}
	op := object{"summary": r.says, "parameters": params, "responses": said}
	if !r.open {
		op["security"] = []object{{"token": []string{}}, {}}
		op["x-roles"] = rolesOf(r.need)
	}
	if r.body != nil {
		op["requestBody"] = object{"required": true, "content": object{jsonType: object{"schema": schema(r.body)}}}
	}
	return op
}

func code3(n int) string { b, _ := json.Marshal(n); return string(b) }

// rolesOf are the roles that have a right.
func rolesOf(need right) (all []string) {
	for role, has := range rights {
		if slices.Contains(has, need) {
			all = append(all, role)
		}
	}
	slices.Sort(all)
	return all
}

// schema is what encoding/json makes of a type, as JSON Schema.
func schema(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return object{"type": "string", "format": "date-time"}
		}
		return structSchema(t)
	}
	return object{"type": "integer"}
}

func structSchema(t reflect.Type) object {
	fields, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, more, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[name] = schema(f.Type)
		if !strings.Contains(more, "omitempty") && !strings.Contains(more, "omitzero") {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": fields, "required": required}
}
