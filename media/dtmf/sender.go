package dtmf

const (
	ticksPerSecond = 50

	// How long a key lasts, in ticks: the packets of the tone, the last of which is the
	// first end packet, the repeated end packets, then quiet.
	toneTicks   = 5 // 100 ms
	endPackets  = 3 // RFC 4733 §2.5.1.4: the last packet is sent three times in all
	repeatTicks = toneTicks + endPackets - 1
	keyTicks    = repeatTicks + 3 // 100 ms between two tones

	volume  = 10 // -10 dBm0
	waiting = 64 // keys that may wait
)

// Sender makes the packets of key presses, one each 20 ms. The zero value is
// ready. Owned by the leg.
type Sender struct {
	// ClockRate is the RTP clock of the stream in Hz, a multiple of 50 up to
	// 480000; 0 is DefaultClock. A change counts from the next key on.
	ClockRate int

	queue  [waiting]byte
	queued int
	tick   int // of the first key of the queue
	ts     uint32
	span   int // of a tick, by the clock that the key began with
	packet [eventBytes]byte
}

// Queue adds keys behind those that wait. Characters that are no key are left
// out, and so are keys for which there is no room any more.
func (s *Sender) Queue(digits string) {
	for i := range len(digits) {
		digit := digits[i]
		if digit >= 'a' && digit <= 'd' {
			digit -= 'a' - 'A'
		}
		if isKey(digit) && s.queued < waiting {
			s.queue[s.queued] = digit
			s.queued++
		}
	}
}

// Busy says whether a key is being sent or waits, the pause behind it included.
func (s *Sender) Busy() bool { return s.queued > 0 }

// Next gives what to send in the tick whose sound would have the timestamp ts.
// Every packet of a key carries the timestamp of its beginning, eventTS, and
// only the first the marker. ok is false when there is nothing to send, between
// two keys too. The payload is good until the next call.
func (s *Sender) Next(ts uint32) (payload []byte, eventTS uint32, marker bool, ok bool) {
	if s.queued == 0 {
		return nil, 0, false, false
	}
	s.tick++
	tick := s.tick
	switch {
	case tick == 1:
		s.ts, s.span = ts, clock(s.ClockRate)/ticksPerSecond
	case tick > repeatTicks:
		s.pause()
		return nil, 0, false, false
	}
	e := Event{Digit: s.queue[0], End: tick >= toneTicks, Volume: volume,
		Duration: uint16(min(tick, toneTicks) * s.span)}
	return Append(s.packet[:0], e), s.ts, tick == 1, true
}

// clock is a ClockRate with its default.
func clock(rate int) int {
	if rate == 0 {
		return DefaultClock
	}
	return rate
}

// pause ends with the turn of the next key.
func (s *Sender) pause() {
	if s.tick == keyTicks {
		s.tick = 0
		s.queued--
		copy(s.queue[:], s.queue[1:s.queued+1])
	}
}
