package capture

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

// A capture file is pcapng (draft-ietf-opsawg-pcapng): messages as they came, in packets whose IP, UDP and TCP
// headers are made here from the true addresses and times. What came by TLS stands in UDP, opened, with a comment: at
// a port of TLS readers would look for TLS.
const (
	blockSection   = 0x0A0D0D0A
	blockInterface = 1
	blockPacket    = 6
	linkRaw        = 101 // IPv4 and IPv6 without a link layer
	optComment     = 1
	optResolution  = 9
	nanoseconds    = 9
	protoUDP       = 17
	protoTCP       = 6
)

// maxPacket is what fits an IP packet behind its headers.
const maxPacket = 65535 - 60

// WritePcap writes messages, and the headers of RTP packets, each in the order of their time. What was said in the
// packets is cut off, as by a short snapshot length.
func WritePcap(w io.Writer, all []Message, sound []RTP) error {
	p := pcap{streams: map[[2]netip.AddrPort]uint32{}}
	p.section()
	for _, m := range all {
		for len(sound) > 0 && sound[0].At.Before(m.At) {
			p.rtp(sound[0])
			sound = sound[1:]
		}
		if m.Fault == "" && len(m.Text) > 0 {
			p.message(m)
		}
	}
	for _, r := range sound {
		p.rtp(r)
	}
	_, err := w.Write(p.out)
	return err
}

// pcap is a file in the making.
type pcap struct {
	out     []byte
	streams map[[2]netip.AddrPort]uint32 // what has gone each way of a TCP connection
}

func (p *pcap) section() {
	head := binary.LittleEndian.AppendUint32(nil, 0x1A2B3C4D)
	head = append(head, 1, 0, 0, 0) // version 1.0
	head = binary.LittleEndian.AppendUint64(head, ^uint64(0))
	p.block(blockSection, head)
	face := binary.LittleEndian.AppendUint16(nil, linkRaw)
	face = append(face, 0, 0, 0, 0, 0, 0)
	face = option(face, optResolution, []byte{nanoseconds})
	p.block(blockInterface, append(face, 0, 0, 0, 0))
}

// block appends one; its length stands before and behind.
func (p *pcap) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(len(body) + 12)
	p.out = binary.LittleEndian.AppendUint32(p.out, kind)
	p.out = binary.LittleEndian.AppendUint32(p.out, length)
	p.out = append(p.out, body...)
	p.out = binary.LittleEndian.AppendUint32(p.out, length)
}

func option(b []byte, code uint16, value []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (p *pcap) message(m Message) {
	from, to := m.Remote, m.Local
	if m.Out {
		from, to = to, from
	}
	from, to = alike(from, to)
	text := m.Text[:min(len(m.Text), maxPacket)]
	comment := ""
	if m.Transport == "tls" {
		comment = "TLS, opened"
	}
	if m.Transport == "tcp" {
		p.packet(m.At, ip(from, to, protoTCP, p.tcp(from, to, text)), comment)
		return
	}
	p.packet(m.At, ip(from, to, protoUDP, udp(from, to, text)), comment)
}

// rtp writes a packet as far as its header goes. Its checksum is left out (RFC 768): it would be of what is not there.
func (p *pcap) rtp(r RTP) {
	from, to := r.Remote, r.Local
	if r.Out {
		from, to = to, from
	}
	from, to = alike(from, to)
	cut := max(0, r.Size-RTPHead)
	b := binary.BigEndian.AppendUint16(nil, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+RTPHead+cut))
	b = append(append(b, 0, 0), r.Head[:]...)
	whole := ip(from, to, protoUDP, append(b, make([]byte, cut)...))
	p.captured(r.At, whole[:len(whole)-cut], len(whole), "")
}

// alike gives both ends one family: an address that is not known is the unspecified one of the other's.
func alike(a, b netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	a, b = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port()),
		netip.AddrPortFrom(b.Addr().Unmap().WithZone(""), b.Port())
	none := func(like netip.Addr) netip.Addr {
		if like.Is6() {
			return netip.IPv6Unspecified()
		}
		return netip.IPv4Unspecified()
	}
	if !a.Addr().IsValid() || a.Addr().IsUnspecified() {
		a = netip.AddrPortFrom(none(b.Addr()), a.Port())
	}
	if !b.Addr().IsValid() || b.Addr().IsUnspecified() || a.Addr().Is4() != b.Addr().Is4() {
		b = netip.AddrPortFrom(none(a.Addr()), b.Port())
	}
	return a, b
}

func (p *pcap) packet(at time.Time, data []byte, comment string) {
	p.captured(at, data, len(data), comment)
}

// captured writes a packet of which so much is there as data has, of a size.
func (p *pcap) captured(at time.Time, data []byte, size int, comment string) {
	body := make([]byte, 4, len(data)+64) // of the first interface
	ns := uint64(at.UnixNano())
	body = binary.LittleEndian.AppendUint32(body, uint32(ns>>32))
	body = binary.LittleEndian.AppendUint32(body, uint32(ns))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(data)))
	body = binary.LittleEndian.AppendUint32(body, uint32(size))
	body = append(body, data...)
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	if comment != "" {
		body = append(option(body, optComment, []byte(comment)), 0, 0, 0, 0)
	}
	p.block(blockPacket, body)
}

// udp is a datagram (RFC 768).
func udp(from, to netip.AddrPort, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(data)))
	b = append(append(b, 0, 0), data...)
	sum := checksum(pseudo(from, to, protoUDP, len(b)), b)
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(b[6:], sum)
	return b
}

// tcp is a segment (RFC 9293) that goes on where the last one of its direction has ended.
func (p *pcap) tcp(from, to netip.AddrPort, data []byte) []byte {
	seq, ack := p.streams[[2]netip.AddrPort{from, to}], p.streams[[2]netip.AddrPort{to, from}]
	p.streams[[2]netip.AddrPort{from, to}] = seq + uint32(len(data))
	b := binary.BigEndian.AppendUint16(nil, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint32(b, seq+1)
	b = binary.BigEndian.AppendUint32(b, ack+1)
	b = append(b, 5<<4, 0x18, 0xff, 0xff, 0, 0, 0, 0) // PSH and ACK
	b = append(b, data...)
	binary.BigEndian.PutUint16(b[16:], checksum(pseudo(from, to, protoTCP, len(b)), b))
	return b
}

// pseudo is the sum of the header that UDP and TCP are summed with.
func pseudo(from, to netip.AddrPort, proto, length int) (sum uint32) {
	for _, a := range []netip.Addr{from.Addr(), to.Addr()} {
		sum = add(sum, a.AsSlice())
	}
	return sum + uint32(proto) + uint32(length)
}

func add(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) > 0 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func checksum(sum uint32, b []byte) uint16 {
	sum = add(sum, b)
	for sum>>16 > 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// ip is a packet of IPv4 (RFC 791) or IPv6 (RFC 8200).
func ip(from, to netip.AddrPort, proto byte, data []byte) []byte {
	if from.Addr().Is6() {
		b := append([]byte{6 << 4, 0, 0, 0}, byte(len(data)>>8), byte(len(data)), proto, 64)
		b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
		return append(b, data...)
	}
	b := []byte{4<<4 | 5, 0, 0, 0, 0, 0, 0, 0, 64, proto, 0, 0}
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(data)))
	b = append(append(b, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], checksum(0, b))
	return append(b, data...)
}
