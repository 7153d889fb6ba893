package report

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestRoundTrip: RFC 3550 §6.4.1. Answers that cannot be are not believed.
func TestRoundTrip(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	const middle = 0xfffffff0 // as it is just before the 16 bits of seconds wrap
	for name, c := range map[string]struct {
		lsr   uint32
		dlsr  time.Duration
		after time.Duration
		want  time.Duration // 0: none
	}{
		"ordinary":             {middle, 400 * time.Millisecond, 430 * time.Millisecond, 30 * time.Millisecond},
		"across the wrap":      {middle, 3 * time.Second, 4 * time.Second, time.Second},
		"no report came":       {0, 0, time.Second, 0},
		"does not say":         {middle, 0, time.Second, 0},
		"of another's report":  {middle + 1, time.Second, 2 * time.Second, 0},
		"a coarse clock":       {middle, 110 * time.Millisecond, 100 * time.Millisecond, roundTick},
		"waited longer":        {middle, 2 * time.Second, time.Second, 0},
		"counts milliseconds":  {middle, 16 * time.Millisecond, 10 * time.Second, 0},
		"hours":                {middle, 18 * time.Hour, time.Second, 0},
		"as long as may be":    {middle, time.Second, 6 * time.Second, 5 * time.Second},
		"longer than that yet": {middle, time.Second, 6*time.Second + time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var f Feedback
			f.Note(&rtcp.SenderReport{NTPTime: middle << 16}, start)
			block := rtcp.ReceptionReport{LastSenderReport: c.lsr, Delay: uint32(c.dlsr * 65536 / time.Second)}
			got, ok := f.roundTrip(block, start.Add(c.after))
			if ok != (c.want != 0) || ok && (got-c.want).Abs() > roundTick {
				t.Errorf("%v %v, want %v", got, ok, c.want)
			}
			if _, again := f.roundTrip(block, start.Add(c.after)); again {
				t.Error("the same answer counted twice")
			}
		})
	}
}

func TestNTP(t *testing.T) {
	at := time.Date(2036, 2, 7, 6, 28, 15, int(time.Second/2), time.UTC)
	if got := NTP(at); got != 0xffffffff_80000000 {
		t.Errorf("%x, want the last half second of the era", got)
	}
}
