package tickets

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"liandong/cmd/internal/remote"
	"liandong/configs"
	"liandong/routing/desk"
)

func TestAdd(t *testing.T) {
	var got map[string]string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/stubs/S1" || r.Method != http.MethodPost ||
			r.Header.Get("Authorization") != "Bearer geheim" {
			http.Error(w, "place: too long", http.StatusBadRequest)
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
		_, _ = w.Write([]byte(`{"event_id":"E"}`))
	}))
	defer s.Close()
	at := netip.MustParseAddrPort(strings.TrimPrefix(s.URL, "http://"))
	var out bytes.Buffer
	sw, err := remote.Of(configs.API{
		Listen: []configs.Listener{{Address: netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())}},
		Grants: []configs.Grant{{Role: configs.RoleAdmin, Token: desk.NewSecret("geheim")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := Addition{Stub: "S1", Fields: map[string]string{"place": "裕华路", "title": ""}}
	if err := Add(t.Context(), &out, sw, a); err != nil || out.String() != `{"event_id":"E"}` || len(got) != 1 ||
		got["place"] != "裕华路" {
		t.Errorf("%v %q %v", err, out.String(), got)
	}
	a.Stub = "S2"
	if err := Add(t.Context(), &out, sw, a); err == nil || !strings.HasSuffix(err.Error(), ": place: too long") {
		t.Errorf("the switch's own words: %v", err)
	}
	if _, err := remote.Of(configs.API{}); !errors.Is(err, remote.ErrNoHTTP) {
		t.Error(err)
	}
	s.Close()
	if err := Add(t.Context(), &out, sw, a); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
}
