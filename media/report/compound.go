// Package report is the arithmetic of RTCP (RFC 3550, RFC 3611): what is reported of a stream that comes, what a party
// says of the stream that it gets, and RTP clocks. It sends and receives nothing; each value belongs to one owner.
package report

import (
	"time"

	"github.com/pion/rtcp"
)

const ntpEpoch = 2_208_988_800 // seconds from 1900 to 1970

// Unpack takes a compound apart. One packet of it that cannot be read does not spoil the
// others: extended reports above all come in strange shapes.
func Unpack(data []byte) (packets []rtcp.Packet, broken bool) {
	for len(data) > 0 {
		var h rtcp.Header
		size := 0
		if h.Unmarshal(data) == nil {
			size = 4 * (int(h.Length) + 1) // RFC 3550 §6.4.1: in 32-bit words minus one
		}
		if size == 0 || size > len(data) {
			return packets, true
		}
		if some, err := rtcp.Unmarshal(data[:size]); err == nil {
			packets = append(packets, some...)
		} else {
			broken = true
		}
		data = data[size:]
	}
	return packets, broken
}

// NTP is the 32.32 bit time since 1900: RFC 3550 §4.
func NTP(t time.Time) uint64 {
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return uint64(t.Unix()+ntpEpoch)<<32 | fraction
}
