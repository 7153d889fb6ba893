package header

import "strconv"

// Diversion names one party that a call was diverted from: RFC 5806. The
// latest diversion comes first.
type Diversion struct {
	Who     NameAddr // with the parameters that have no field of their own
	Reason  string   // unknown, user-busy, no-answer, unconditional, deflection …
	Counter int      // how many diversions this entry stands for; 0: not said, which means 1
	Privacy string   // full, name, uri, off
}

// ParseDiversions reads the value of one Diversion field.
func ParseDiversions(s string) ([]Diversion, error) { return each(s, parseDiversion) }

func parseDiversion(s string) (Diversion, error) {
	who, err := ParseNameAddr(s)
	if err != nil {
		return Diversion{}, err
	}
	d := Diversion{Who: who, Counter: countOf(who.Params, "counter")}
	d.Reason, _ = who.Params.Get("reason")
	d.Privacy, _ = who.Params.Get("privacy")
	d.Who.Params = who.Params.Without("reason", "counter", "privacy")
	return d, nil
}

// countOf is a numeric parameter, 0 without a sensible one.
func countOf(p Params, key string) int {
	text, _ := p.Get(key)
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

func (d Diversion) String() string {
	who := d.Who
	if d.Reason != "" {
		who.Params = who.Params.With("reason", d.Reason)
	}
	if d.Counter != 0 {
		who.Params = who.Params.With("counter", strconv.Itoa(d.Counter))
	}
	if d.Privacy != "" {
		who.Params = who.Params.With("privacy", d.Privacy)
	}
	return who.String()
}
