package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/report"
)

// The document names every route with its parameters, and what is answered is as it says.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := bordered(t, loopback)
	s.sw.Feed = feed.New(4, time.Unix(1, 0))
	s.sw.SelfTest, s.sw.Process = func() map[string]bool { return nil }, func() keeper.Status { return keeper.Status{} }
	s.sw.Indicators = func(context.Context, Span) ([]report.Line, error) {
		return []report.Line{{Hotline: "110"}}, nil
	}
	status, body := ask(s, "GET", "/v1/openapi.json", friend)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Summary    string
			Parameters []struct{ Name, In string }
			Responses  map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
			Roles []string `json:"x-roles"`
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != http.StatusOK || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%d %v %s", status, err, body)
	}
	for _, r := range s.routes() {
		op, ok := doc.Paths[r.path][strings.ToLower(r.method)]
		if !ok || op.Summary == "" {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		for _, m := range pathParam.FindAllStringSubmatch(r.path, -1) {
			if !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool {
				return p.Name == m[1] &&
					p.In == "path"
			}) {
				t.Errorf("%s: %s is not described", r.path, m[1])
			}
		}
		if r.open == (len(op.Roles) > 0) {
			t.Errorf("%s: for %q", r.path, op.Roles)
		}
		if r.method != "GET" || r.answer == nil || strings.Contains(r.path, "{") || r.path == "/v1/config" {
			continue
		}
		status, got := ask(s, r.method, r.path, friend)
		var value any
		if err := json.Unmarshal([]byte(got), &value); err != nil || status != http.StatusOK {
			t.Errorf("%s: %d %v", r.path, status, err)
			continue
		}
		described(t, r.path, value, op.Responses["200"].Content[jsonType].Schema)
	}
}

// described says what of a value is not as the schema has it.
func described(t *testing.T, at string, v any, schema map[string]any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(map[string]any)
		for name, inner := range v {
			if more, ok := schema["additionalProperties"].(map[string]any); ok {
				described(t, at+"."+name, inner, more)
			} else if of, ok := properties[name].(map[string]any); ok {
				described(t, at+"."+name, inner, of)
			} else {
				t.Errorf("%s: %s is not described", at, name)
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				t.Errorf("%s: %s is missing", at, name)
			}
		}
	case []any:
		for _, one := range v {
			described(t, at+"[]", one, schema["items"].(map[string]any))
		}
	case string, bool, float64:
		kind := map[string]string{"string": "string", "boolean": "bool", "number": "float64", "integer": "float64"}
		if want := kind[schema["type"].(string)]; want != typeName(v) {
			t.Errorf("%s is %v, and should be %v", at, v, schema["type"])
		}
	}
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	}
	return "float64"
}

// What is not in the table is not there.
func TestNoOtherRoutes(t *testing.T) {
	t.Parallel()
	s := bordered(t, loopback)
	for _, path := range []string{"/", "/v1", "/v1/", "/v2/calls", "/debug/pprof/"} {
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr, r.Host = friend, "127.0.0.1:8080"
		w := httptest.NewRecorder()
		s.server.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
