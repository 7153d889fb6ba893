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
	found := []time.Time{yesterday}
	for _, step := range []time.Duration{5 * time.Second, -5 * time.Second, 2 * time.Hour, -2 * time.Hour,
		365 * 24 * time.Hour, -365 * 24 * time.Hour} {
		c := Clock{Found: found}
		if got := c.At(today, 0); !got.Equal(today) {
			t.Fatalf("before: %v", got)
		}
		wall := today.Add(time.Hour + step)
		if got, most := c.At(wall, time.Hour), yesterday.Add(48*time.Hour); got.After(most) ||
			step < 24*time.Hour && !got.Equal(wall) {
			t.Errorf("%v: it is %v", step, got)
		}
		if got := c.At(today.Add(2*time.Hour), 2*time.Hour); !got.Equal(today.Add(2 * time.Hour)) {
			t.Errorf("%v, and set back: it is %v", step, got)
		}
	}

	c := Clock{Found: found} // a process that begins with a wrong year
	later := today.AddDate(1, 0, 0)
	for _, run := range []time.Duration{0, time.Hour, 23 * time.Hour} {
		if got := c.At(later.Add(run), run); got.After(yesterday.Add(48 * time.Hour)) {
			t.Errorf("after %v it is %v", run, got)
		}
	}
	if got := c.At(later.Add(25*time.Hour), 25*time.Hour); !got.Equal(later.Add(25 * time.Hour)) {
		t.Errorf("after a day: %v", got)
	}
	if got := new(Clock).At(later, 0); !got.Equal(later) {
		t.Errorf("nothing is kept: %v", got)
	}
}

// A machine begins with a wrong year just before midnight: the day that it names itself proves nothing, neither to the
// process that goes on nor to the ones after it. When the year is set right, it is believed at once.
func TestDayOfAWrongClock(t *testing.T) {
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var found []time.Time
	for i := range 90 {
		found = append(found, first.AddDate(0, 0, i))
	}
	most := found[89].Add(72 * time.Hour)
	wrong := time.Date(2036, 5, 1, 23, 50, 0, 0, time.UTC)
	begins := wrong
	for process := range 3 {
		c := Clock{Found: found}
		for run := time.Duration(0); run < 24*time.Hour; run += 5 * time.Minute {
			if got := c.At(begins.Add(run), run); got.After(most) {
				t.Fatalf("process %d, after %v: it is %v", process, run, got)
			}
		}
		right := found[89].Add(48*time.Hour + 12*time.Hour)
		if got := c.At(right, 24*time.Hour); !got.Equal(right) {
			t.Errorf("process %d, set right: it is %v", process, got)
		}
		if process == 0 {
			found = append(found, wrong.Truncate(24*time.Hour))
		}
		begins = wrong.Add(20 * time.Minute)
	}
	c := Clock{Found: found}
	if got := c.At(wrong, 0); got.After(most) {
		t.Errorf("the day goes on: it is %v", got)
	}
	if got := c.At(wrong.Add(25*time.Hour), 25*time.Hour); !got.Equal(wrong.Add(25 * time.Hour)) {
		t.Errorf("after a day: %v", got)
	}
}

// A switch that has not been used for months is believed once it has been used for some days, at once.
func TestUsedAgain(t *testing.T) {
	again := time.Date(2024, 4, 1, 0, 0, 0, 0, time.UTC)
	found := []time.Time{again.AddDate(0, -6, 0)}
	for i := range 5 {
		now := again.AddDate(0, 0, i).Add(time.Hour)
		if got := (&Clock{Found: found}).At(now, 0); got.Equal(now) != (i >= few) {
			t.Errorf("day %d: it is %v", i, got)
		}
		found = append(found, again.AddDate(0, 0, i))
	}
}
