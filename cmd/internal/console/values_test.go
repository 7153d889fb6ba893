package console

import (
	"encoding/json"
	"strings"
	"testing"

	"liandong/cmd/internal/api"
	"liandong/routing/ticket"
)

// Whatever the schema allows a field to say is said in both languages.
func TestValuesAreTranslated(t *testing.T) {
	var schema struct {
		Properties map[string]struct{ Enum []string }
	}
	if err := json.Unmarshal(ticket.EntrySchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for field, names := range values {
		enum := schema.Properties[field].Enum
		if field != "reason" && len(enum) == 0 {
			t.Errorf("%s is no enumeration of the schema", field)
		}
		for _, v := range enum {
			if _, ok := names[v]; !ok {
				t.Errorf("%s: %s is not translated", field, v)
			}
		}
		for v, p := range names {
			if p[0] == "" || p[1] == "" || p[0] == v {
				t.Errorf("%s: %s is %q", field, v, p)
			}
		}
	}
	p := api.Passed{Fields: map[string]string{"mode": "direct", "result": "no_answer", "reason": "sip_486",
		"text": "direct"}}
	if got := detail(p, "zh"); !strings.Contains(got, "直接转接") || !strings.Contains(got, "无人接听") ||
		!strings.Contains(got, "sip_486") || !strings.Contains(got, "说明：direct") {
		t.Error(got)
	}
}
