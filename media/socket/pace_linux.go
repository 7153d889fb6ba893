package socket

// pace finds out whether packets come so often that gathering them pays.
type pace struct {
	packets int // in this slowPeriod
	busy    bool
}

// judge ends a period. Between the two limits all stays as it is.
func (p *pace) judge() {
	const perPeriod = int(slowPeriod / coalesce)
	switch {
	case p.packets >= 2*perPeriod:
		p.busy = true
	case p.packets < perPeriod:
		p.busy = false
	}
	p.packets = 0
}
