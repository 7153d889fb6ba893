package tenure

import "time"

// Machine is one of the two. Owned by its caller; not for several goroutines.
type Machine struct {
	cfg          Config
	epoch        uint64 // the newest of which anything is known
	own          uint64 // of our turn; 0: it is not ours
	leaving      bool   // we have been told to cease
	held         bool   // the address is here
	partnerReady bool   // the partner could go on with what we carry
	since        time.Duration

	partner, witness, alone time.Duration // until when these voices count for us
	promised                time.Duration // until when ours is the partner's
	partnerAt               time.Duration // when the partner spoke last
	tick                    time.Duration
	asked                   time.Duration
	number                  uint64
	times                   [16]time.Duration // when the last questions were asked, by their numbers
	turns                   [16]uint64        // and for which turn
}

// New is one that does not act. Until a lease has gone by it does not know what the partner does.
func New(cfg Config, now time.Duration) *Machine {
	return &Machine{cfg: cfg, partnerAt: now, tick: now, asked: now - cfg.Lease,
		promised: now + cfg.Lease + cfg.margin()}
}

// Resume is one that goes on with a turn of the process before it, which had a voice until then. If that is over it
// asks for another one, and acts when it gets it.
func Resume(cfg Config, now time.Duration, epoch uint64, until time.Duration) *Machine {
	m := New(cfg, now)
	m.epoch, m.own, m.held = epoch, epoch, true
	m.promised, m.partner = 0, min(until, now+cfg.Lease)
	return m
}

// Acting says whether this one may send, and let a timer run out. It is to be asked before each time.
func (m *Machine) Acting(now time.Duration) bool { return now < m.Until() }

// Until is when it has to be silent unless it hears more.
func (m *Machine) Until() time.Duration {
	if m.own == 0 || m.leaving || !m.held {
		return 0
	}
	return max(m.partner, m.witness, m.alone)
}

// Epoch is that of our turn; 0: it is not ours.
func (m *Machine) Epoch() uint64 { return m.own }

// Addressed says where the address is, and whether the partner has a copy with which it could go on.
func (m *Machine) Addressed(now time.Duration, here, ready bool) []Effect {
	m.partnerReady = ready
	if here != m.held {
		m.held, m.since = here, now
	}
	return m.Tick(now)
}

// waits: the address has moved to a partner that has no usable copy, and will send it back (see [Effect.Cease]). Until
// then, a lease at the most, this machine keeps its turn and sends nothing.
func (m *Machine) waits(now time.Duration) bool {
	return m.own != 0 && !m.leaving && !m.held && !m.partnerReady && m.voiced(now) && now-m.since < m.cfg.Lease
}

// voiced says that somebody beside us gives us his voice.
func (m *Machine) voiced(now time.Duration) bool { return now < max(m.partner, m.witness, m.alone) }

// Alone says that the partner has not been heard for so long that it may have ended.
func (m *Machine) Alone(now time.Duration) bool { return now-m.partnerAt > m.cfg.Lease }

// Resign is the wish of an admin, or of the end of this process.
func (m *Machine) Resign(now time.Duration) []Effect {
	if m.own == 0 {
		return nil
	}
	return m.cease("it is told to", m.Acting(now))
}

// Ceased says that the calls are carried no more; all: the partner has them as they were at the end.
func (m *Machine) Ceased(now time.Duration, all bool) []Effect {
	if m.own == 0 {
		return nil
	}
	w := Word{Kind: Left, Epoch: m.own}
	m.own, m.leaving = 0, false
	m.partner, m.witness, m.alone = 0, 0, 0
	m.promised = now + m.cfg.Lease // the other one first
	if !all {
		return nil
	}
	return []Effect{{Say: &w}}
}

// Tick is time that goes by.
func (m *Machine) Tick(now time.Duration) (do []Effect) {
	if now-m.tick > m.cfg.Lease/2 { // we stood still: that nothing was heard says nothing of the partner
		m.partnerAt, m.since = now, now
	}
	m.tick = now
	if m.own != 0 && !m.held && !m.waits(now) {
		return m.cease("the address has moved away", m.voiced(now))
	}
	switch {
	case m.leaving, now-m.asked < m.cfg.Beat():
		return nil
	case m.own != 0:
		m.byAddress(now, m.cfg.quiet()) // with a question, so that the partner who hears it counts from then as well
	case !m.held || now < m.promised:
		return nil
	default:
		m.byAddress(now, m.silence())
		if do := m.begin(now, m.next(), "the partner is not heard"); do != nil {
			return do
		}
	}
	return m.ask(now)
}

// silence is how long the partner is not to have been heard before we begin. When the address came soon after its last
// word it had no time to go on by the address alone, and its lease is over when our promise is; otherwise its lease has
// to end that it gave itself just before the address moved.
func (m *Machine) silence() time.Duration {
	if m.since-m.partnerAt < m.cfg.quiet()-m.cfg.margin() {
		return m.cfg.Lease + m.cfg.margin()
	}
	return max(m.since-m.partnerAt, 0) + m.cfg.Lease + m.cfg.margin()
}

// byAddress gives us the address's voice, where there is no witness.
func (m *Machine) byAddress(now, silence time.Duration) {
	if !m.cfg.Witness && m.held && now >= m.partnerAt+silence {
		m.alone = now + m.cfg.Lease
	}
}

// next is the epoch of the turn that we would begin.
func (m *Machine) next() uint64 {
	n := m.epoch + 1
	if (n%2 == 1) != m.cfg.First {
		n++
	}
	return n
}

// begin begins a turn for which there is a second voice.
func (m *Machine) begin(now time.Duration, turn uint64, why string) []Effect {
	if !m.voiced(now) {
		return nil
	}
	m.epoch, m.own = turn, turn
	return append([]Effect{{Begin: true, Why: why}}, m.ask(now)...)
}

// ask asks for a further lease, or for the first.
func (m *Machine) ask(now time.Duration) []Effect {
	turn := m.own
	if turn == 0 {
		turn = m.next()
	}
	m.number++
	m.asked = now
	m.times[m.number%16], m.turns[m.number%16] = now, turn
	w := Word{Kind: Ask, Epoch: turn, Number: m.number}
	do := []Effect{{Say: &w}}
	if m.cfg.Witness {
		do = append(do, Effect{Consult: &w})
	}
	return do
}

func (m *Machine) cease(why string, orderly bool) []Effect {
	if m.leaving {
		return nil
	}
	m.leaving = true
	return []Effect{{Cease: true, Orderly: orderly, Why: why}}
}

// Heard is a word of the partner.
func (m *Machine) Heard(now time.Duration, w Word) []Effect {
	m.partnerAt = max(m.partnerAt, now)
	switch w.Kind {
	case Ask:
		return m.asks(now, w)
	case Yes:
		return m.granted(now, w, &m.partner)
	case No:
		return m.refused(now, w)
	case Left:
		if m.own == 0 && w.Epoch >= m.epoch {
			m.epoch, m.promised = w.Epoch, 0
		}
		return m.Tick(now)
	}
	return nil
}

// Witnessed is an answer of the witness.
func (m *Machine) Witnessed(now time.Duration, w Word) []Effect {
	switch w.Kind {
	case Yes:
		return m.granted(now, w, &m.witness)
	case No:
		if m.own != 0 && w.Epoch > m.own {
			m.epoch = max(m.epoch, w.Epoch)
			return m.cease("the witness has heard of a later turn", false)
		}
		m.epoch = max(m.epoch, w.Epoch)
	}
	return nil
}

// asks answers the partner.
func (m *Machine) asks(now time.Duration, w Word) []Effect {
	answer := Word{Kind: No, Epoch: max(m.epoch, m.own), Number: w.Number}
	switch {
	case m.own != 0 && (m.Acting(now) || m.waits(now)):
		answer.Acting = true
	case m.own != 0: // the partner has our voice as soon as we have stopped
		return append(m.cease("the partner goes on", false), Effect{Say: &answer})
	case w.Epoch >= m.epoch && now >= max(m.witness, m.alone): // no voice has just been given us
		m.epoch = w.Epoch
		m.promised = max(m.promised, now+m.cfg.Lease+m.cfg.margin())
		m.partner = 0
		answer.Kind, answer.Epoch = Yes, w.Epoch
	}
	return []Effect{{Say: &answer}}
}

// granted counts a voice, from when it was asked for.
func (m *Machine) granted(now time.Duration, w Word, until *time.Duration) []Effect {
	if m.number-w.Number >= 16 || m.turns[w.Number%16] != w.Epoch || m.leaving {
		return nil // of a question that is long over
	}
	asked := m.times[w.Number%16]
	switch {
	case m.own == w.Epoch:
		*until = max(*until, asked+m.cfg.Lease)
	case m.own == 0 && m.held && now >= m.promised && w.Epoch == m.next():
		*until = max(*until, asked+m.cfg.Lease)
		return m.begin(now, w.Epoch, "the address is here")
	}
	return nil
}

// refused: the partner knows of a later turn, or acts.
func (m *Machine) refused(now time.Duration, w Word) []Effect {
	m.epoch = max(m.epoch, w.Epoch)
	switch {
	case m.own == 0 && w.Acting:
		m.promised = max(m.promised, now+m.cfg.Lease+m.cfg.margin())
	case m.own != 0 && (w.Epoch > m.own || w.Acting && !m.Acting(now)):
		return m.cease("the partner has begun a later turn", false)
	}
	return nil
}
