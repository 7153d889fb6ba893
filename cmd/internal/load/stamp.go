package load

import "encoding/binary"

// stamp is what a packet of sound says about itself, in the lowest bit of each of its first G.711 codes: who spoke it,
// which of its packets it is, and when it was sent. Speech stays speech (T1 lines rob the same bits for their
// signalling), and whatever hands codes on unchanged, or decodes and encodes them with the same law, hands the stamp
// on. Mixing and transcoding destroy it; then the check does not fit.
type stamp struct {
	speaker uint32 // stream id, 24 bits
	count   uint16 // of the speaker's packets, from 0
	at      uint32 // µs of the engine's clock, modulo 2^32 (71 minutes)
}

const (
	stampSync  = 0xb38f
	stampBytes = 13 // sync 2, speaker 3, count 2, at 4, check 2
	stampBits  = 8 * stampBytes
)

// put writes the stamp into a payload, which must have stampBits bytes.
func (s stamp) put(payload []byte) {
	var b [stampBytes]byte
	s.pack(&b)
	for i, c := range b {
		for bit := range 8 {
			p := &payload[8*i+bit]
			*p = *p&^1 | c>>(7-bit)&1
		}
	}
}

// readStamp is the stamp of a payload; false: it has none.
func readStamp(payload []byte) (stamp, bool) {
	if len(payload) < stampBits {
		return stamp{}, false
	}
	var b [stampBytes]byte
	for i := range b {
		for bit := range 8 {
			b[i] = b[i]<<1 | payload[8*i+bit]&1
		}
		if i == 1 && binary.BigEndian.Uint16(b[:]) != stampSync {
			return stamp{}, false
		}
	}
	s := stamp{
		speaker: uint32(b[2])<<16 | uint32(binary.BigEndian.Uint16(b[3:])),
		count:   binary.BigEndian.Uint16(b[5:]),
		at:      binary.BigEndian.Uint32(b[7:]),
	}
	return s, binary.BigEndian.Uint16(b[11:]) == check(&b)
}

func (s stamp) pack(b *[stampBytes]byte) {
	binary.BigEndian.PutUint16(b[:], stampSync)
	b[2] = byte(s.speaker >> 16)
	binary.BigEndian.PutUint16(b[3:], uint16(s.speaker))
	binary.BigEndian.PutUint16(b[5:], s.count)
	binary.BigEndian.PutUint32(b[7:], s.at)
	binary.BigEndian.PutUint16(b[11:], check(b))
}

// check is the CRC-16 of ITU-T V.41 over all but itself.
func check(b *[stampBytes]byte) (crc uint16) {
	for _, c := range b[:stampBytes-2] {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^c]
	}
	return crc
}

var crcTable = func() (t [256]uint16) {
	for i := range t {
		x := uint16(i) << 8
		for range 8 {
			if x&0x8000 != 0 {
				x = x<<1 ^ 0x1021
			} else {
				x <<= 1
			}
		}
		t[i] = x
	}
	return t
}()
