package load

import (
	"errors"
	"testing"

	"liandong/configs"
)

func TestLab(t *testing.T) {
	for n, last := range map[int]string{1: "2101", 200: "2300", 900: "3000", 901: "21901", MaxLabSeats: "30999"} {
		text, err := Lab(n)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := configs.Parse("lab-big.yaml", []byte(text), configs.Options{})
		if err != nil {
			t.Fatalf("%d seats: %v", n, err)
		}
		if len(cfg.Phones) != 2*n {
			t.Errorf("%d phones, want %d", len(cfg.Phones), 2*n)
		}
		if p := cfg.Phones[last]; p == nil || p.Hotline != "12345" || cfg.Hotlines["110"].Ring != "longest_idle" {
			t.Errorf("%d seats: %+v rings %s", n, p, cfg.Hotlines["110"].Ring)
		}
	}
	for _, n := range []int{0, -1, MaxLabSeats + 1} {
		if _, err := Lab(n); !errors.Is(err, ErrOption) {
			t.Errorf("%d: %v", n, err)
		}
	}
}
