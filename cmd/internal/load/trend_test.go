package load

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTrends: what is flat, what grows, and what cannot be told yet.
func TestTrends(t *testing.T) {
	const warmUp = 0.1
	for _, tt := range []struct {
		name    string
		hours   float64
		value   func(hour, noise float64) float64
		verdict string
	}{
		{"the same", 1, func(_, noise float64) float64 { return 60 + noise }, "flat"},
		{"grown while it warmed up", 1, func(h, noise float64) float64 { return 60 + noise + 40*math.Min(h, warmUp) }, "flat"},
		{"a little more", 1, func(h, noise float64) float64 { return 60 + noise + 0.3*h }, "flat"},
		{"a leak", 1, func(h, noise float64) float64 { return 60 + noise + 18*h }, "grows"},
		{"less and less", 1, func(h, noise float64) float64 { return 60 + noise - 18*h }, "shrinks"},
		{"too short to say", 0.2, func(h, noise float64) float64 { return 60 + 3*noise + 5*h }, "unclear"},
		{"nothing at all", 1, func(float64, float64) float64 { return 0 }, "flat"},
		{"not warm yet", 0.1, func(_, noise float64) float64 { return 60 + noise }, "unclear"},
	} {
		dice := rand.New(rand.NewPCG(1, 2))
		var at, values []float64
		for h := 0.; h < tt.hours; h += 1. / 360 {
			at, values = append(at, h), append(values, tt.value(h, 0.3*dice.NormFloat64()))
		}
		got := trendOf("memory", "MiB", at, values, warmUp)
		if got.Verdict != tt.verdict || len(got.Values) != stretches {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.verdict)
		}
	}
}
