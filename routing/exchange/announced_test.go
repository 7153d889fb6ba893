package exchange

import (
	"testing"
	"time"

	"liandong/routing/call"
)

// An announcement before a partner's ringing leaves the citizen 3 s of the line's ringing time to hear it ring, or half
// of it where that is short; what is no announcement before ringing, or comes before the citizen's own desk, plays to
// its end.
func TestAnnouncementLeavesTimeToRing(t *testing.T) {
	ring := call.Ear{Play: []string{"transfer", "ring"}, Loop: true}
	for name, tt := range map[string]struct {
		noAnswer time.Duration
		seeks    call.HuntKind
		ear      call.Ear
		want     time.Duration
	}{
		"usual":             {20 * time.Second, call.SeeksPartner, ring, 17 * time.Second},
		"the lab":           {8 * time.Second, call.SeeksPartner, ring, 5 * time.Second},
		"short":             {4 * time.Second, call.SeeksPartner, ring, 2 * time.Second},
		"for ever":          {0, call.SeeksPartner, ring, 0},
		"the own desk":      {8 * time.Second, call.SeeksDesk, ring, 0},
		"an end":            {8 * time.Second, call.SeeksPartner, call.Ear{Play: []string{"transfer_failed", "x"}}, 0},
		"ringing by itself": {8 * time.Second, call.SeeksPartner, call.Ear{Play: []string{"ring"}, Loop: true}, 0},
	} {
		dir := simDirectory()
		dir.Hotlines["12345"].NoAnswer = tt.noAnswer
		c := &Core{dir: dir, state: call.Call{Hunt: &call.Hunt{Kind: tt.seeks, Hotline: "12345"}}}
		if got := c.mostAnnounced(tt.ear); got != tt.want {
			t.Errorf("%s: it may play for %v, want %v", name, got, tt.want)
		}
	}
}
