package aging

import (
	"testing"
	"time"
)

// A wall clock that is set ages nothing: not before it has stood for a day, or files of the day before say the same.
// One that runs evenly is followed.
func TestStep(t *testing.T) {
	today := time.Date(2024, 4, 3, 12, 0, 0, 0, time.UTC)
	yesterday := time.Date(2024, 4, 2, 0, 0, 0, 0, time.UTC)
	for _, step := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
		365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		var c Clock
		if got := c.At(today, 0, yesterday); !got.Equal(today) {
			t.Fatalf("before: %v", got)
		}
		wall := today.Add(time.Hour + step)
		if got, most := c.At(wall, time.Hour, yesterday), yesterday.Add(48*time.Hour); got.After(most) ||
			step < 24*time.Hour && !got.Equal(wall) {
			t.Errorf("%v: it is %v", step, got)
		}
		if got := c.At(today.Add(2*time.Hour), 2*time.Hour, yesterday); !got.Equal(today.Add(2 * time.Hour)) {
			t.Errorf("%v, and set back: it is %v", step, got)
		}
	}

	var c Clock // a process that begins with a wrong year
	later := today.AddDate(1, 0, 0)
	for _, run := range []time.Duration{0, time.Hour, 23 * time.Hour} {
		if got := c.At(later.Add(run), run, yesterday); got.After(yesterday.Add(48 * time.Hour)) {
			t.Errorf("after %v it is %v", run, got)
		}
	}
	if got := c.At(later.Add(25*time.Hour), 25*time.Hour, yesterday); !got.Equal(later.Add(25 * time.Hour)) {
		t.Errorf("after a day: %v", got)
	}
	if got := new(Clock).At(later, 0, time.Time{}); !got.Equal(later) {
		t.Errorf("nothing is kept: %v", got)
	}
}
