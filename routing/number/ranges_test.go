package number

import "testing"

func TestRange(t *testing.T) {
	for s, c := range map[string]struct{ in, out []string }{
		"0311*": {
			in: []string{"031187654321", "+8631187654321", "+86031187654321", "00863118765432", "87654321",
				"0311-8765 4321", "031112345"},
			out: []string{"031087654321", "03110", "0311", "13812345678", "+3118765432", "003118765432", "12345",
				"0311876543210000"},
		},
		"+86311*": {in: []string{"031187654321", "87654321"}, out: []string{"01087654321"}},
		"8765*":   {in: []string{"87654321", "+8631187654321"}, out: []string{"88654321", "01087654321"}},
		"400*":    {in: []string{"4008123456", "04008123456"}, out: []string{"40012345", "8008123456"}},
		// a thing's number begins with 10 as well
		"010*":   {in: []string{"01062345678", "010110"}, out: []string{"1064812345678", "10086"}},
		"+8610*": {in: []string{"01062345678"}, out: []string{"1064812345678", "10086"}},
		"138*": {in: []string{"13812345678", "+8613812345678", "013812345678"},
			out: []string{"13912345678", "031113812345"}},
		"+86138*":     {in: []string{"13812345678"}, out: []string{"13912345678"}},
		"96110*":      {in: []string{"96110", "961101"}, out: []string{"96119", "9611"}},
		"00852*":      {in: []string{"+85228765432", "0085228765432"}, out: []string{"+85328765432", "085287654321"}},
		"+852*":       {in: []string{"+85228765432"}, out: []string{"+85328765432"}},
		"96110":       {in: []string{"96110"}, out: []string{"961101", "031196110"}},
		"13812345678": {in: []string{"+8613812345678"}, out: []string{"13812345679"}},
	} {
		r, ok := shijiazhuang.Range(s)
		if !ok {
			t.Errorf("%s is no range", s)
		}
		for _, n := range c.in {
			if e164, ok := shijiazhuang.Normalise(n); !ok || !r.Holds(e164) {
				t.Errorf("%s is not in %s", n, s)
			}
		}
		for _, n := range c.out {
			if e164, ok := shijiazhuang.Normalise(n); ok && r.Holds(e164) {
				t.Errorf("%s is in %s", n, s)
			}
		}
	}
	for _, s := range []string{"", "*", "0*", "03*", "+86*", "0086*", "+861*", "00860*", "86*", "0311**", "03*11",
		"abc*", "+*", "031", "12", "0311x*"} {
		if r, ok := shijiazhuang.Range(s); ok {
			t.Errorf("%q is read as %+v", s, r)
		}
	}
}

func TestNational(t *testing.T) {
	for e164, want := range map[string]string{
		"+8631187654321": "031187654321", "+8613812345678": "13812345678", "+861064812345678": "1064812345678",
		"+861062345678": "01062345678",
		"+85228765432":  "0085228765432", "96110": "96110", "0311110": "0311110", "": "",
	} {
		if got := National(e164); got != want {
			t.Errorf("%s: got %s, want %s", e164, got, want)
		}
		if again, ok := shijiazhuang.Normalise(want); ok && again != e164 {
			t.Errorf("%s is dialled as %s, which is %s", e164, want, again)
		}
	}
}
