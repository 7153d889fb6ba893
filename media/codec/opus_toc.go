package codec

// opusLongest is the longest packet, 120 ms, in ticks of 48 kHz: RFC 6716 §3.2.5.
const opusLongest = 5760

// opusTicks reads from the beginning of an Opus packet how long it lasts, in
// ticks of 48 kHz. It is 0 for a packet that breaks a rule of RFC 6716 §3.4
// which shows there; what is further in only a decoder can tell.
func opusTicks(packet []byte) int {
	if len(packet) == 0 { // R1
		return 0
	}
	ticks := opusFrames(packet) * opusFrameTicks(packet[0]>>3)
	if ticks > opusLongest { // R5
		return 0
	}
	return ticks
}

// opusFrames is the number of frames in a packet: RFC 6716 §3.2; 0 if it cannot be.
func opusFrames(packet []byte) int {
	switch packet[0] & 3 {
	case 0:
		return 1
	case 1:
		if len(packet)%2 == 0 { // R3: two frames of one length
			return 0
		}
		return 2
	case 2:
		return 2
	}
	if len(packet) < 2 { // R6, R7: the count of frames is in the second byte
		return 0
	}
	return int(packet[1] & 0x3f)
}

// opusFrameTicks is the length of a frame by its configuration: RFC 6716 §3.1 table 2.
func opusFrameTicks(config byte) int {
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		return 480 << (config & 1)
	}
	return 120 << (config & 3) // CELT: 2.5, 5, 10, 20 ms
}
