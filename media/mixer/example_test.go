package mixer_test

import (
	"fmt"

	"liandong/media/mixer"
)

// What the citizen hears of two desks: the sum of both, and softer where it would not fit.
func ExampleOutput_Mix() {
	var citizen mixer.Output
	frame := make([]int16, 160)
	citizen.Mix(frame, [][]int16{{100, 200, 300}, {1, 2, 3}})
	fmt.Println(frame[:4])
	// Output: [101 202 303 0]
}
