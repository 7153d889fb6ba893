package exchange

import (
	"strings"
	"testing"
	"testing/synctest"
)

// Who wants something of a call that another switch has is refused in words, with that switch where it is known; alone,
// or of what no switch has, there is nothing to say.
func TestCallAtAnotherSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t, func(c *Config) {
			c.Directory.Services["*55"] = "consult"
			c.Directory.Services["*90"] = "monitor"
			c.Directory.Hotlines["12345"].Supervisors = []string{"2101"}
		})
		defer r.x.Stop()
		shared := newClaims()
		for _, c := range []struct {
			what, user, to string
			lines          []string
			code           int
		}{
			{"pick-up", "2101", "pickup", nil, 480},
			{"a verb on the second line", "2102", "*55", nil, 404},
			{"supervision of a desk", "2101", "*902102", nil, 480},
			{"supervision of a line", "2101", "*9012345", nil, 480},
			{"Replaces", "1102", "1101", []string{"Replaces: none;to-tag=a;from-tag=b"}, 481},
			{"Join", "1102", "1101", []string{"Join: none;to-tag=a;from-tag=b"}, 481},
		} {
			r.x.seats.shared = none{}
			got := r.enter(c.user, c.to, c.lines...)
			if r.wantCode(got, c.code); strings.Contains(got, "Warning") {
				t.Errorf("%s, alone: %s", c.what, got)
			}
			r.x.seats.shared = shared
			shared.other["2102"] = true
			got = r.enter(c.user, c.to, c.lines...)
			r.wantCode(got, c.code)
			named := len(c.lines) > 0 || strings.Contains(got, "switch, other")
			if !strings.Contains(got, "\r\nWarning: 399 ") || !strings.Contains(got, "另一台交换机") ||
				!strings.Contains(got, "another switch") || !named {
				t.Errorf("%s is refused without words: %s", c.what, got)
			}
			if delete(shared.other, "2102"); len(c.lines) == 0 {
				if got = r.enter(c.user, c.to); strings.Contains(got, "Warning") {
					t.Errorf("%s, when no switch has it: %s", c.what, got)
				}
			}
		}
	})
}
