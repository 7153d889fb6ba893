package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"liandong/media/codec"
	"liandong/media/socket"
	"liandong/media/socket/sys"
)

const (
	peerBatch   = 64
	peerControl = 64
	rtpSize     = headerBytes + int(frameSamples)
	tooLate     = time.Second
)

// server is a child process that serves.
type server struct {
	tb      testing.TB
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	ports   []uint16
}

// startServer runs this test binary as a server on the first core.
func startServer(tb testing.TB, o serverOrder) *server {
	tb.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	c := exec.Command("taskset", "-c", "0", os.Args[0])
	c.Env = append(os.Environ(), serverEnv+"="+string(text))
	c.Stderr = os.Stderr
	s := &server{tb: tb, command: c}
	out, err := c.StdoutPipe()
	s.in, _ = c.StdinPipe()
	s.out = json.NewDecoder(out)
	if err = errors.Join(err, c.Start()); err != nil {
		tb.Fatal(err)
	}
	s.ports = s.report().Ports
	return s
}

func (s *server) report() (r serverReport) {
	s.tb.Helper()
	_, err := fmt.Fprintln(s.in)
	if err = errors.Join(err, s.out.Decode(&r)); err != nil {
		s.tb.Fatalf("the server %v: %v", s.command.Args, err)
	}
	return r
}

func (s *server) stop() {
	_ = s.in.Close()
	_ = s.command.Wait()
}

// peer plays all parties from one socket on the second core: a packet each 20 ms to each
// port, spread over the 20 ms, and counts what comes back.
type peer struct {
	tb   testing.TB
	fd   int
	legs []peerLeg
	by   map[uint16]int // port → leg

	out       [peerBatch]sys.Message
	outParts  [peerBatch]unix.Iovec
	outTo     [peerBatch]unix.RawSockaddrInet4
	outData   [peerBatch][rtpSize]byte
	in        [peerBatch]sys.Message
	inParts   [peerBatch]unix.Iovec
	inFrom    [peerBatch]sys.Sockaddr
	inControl [peerBatch][peerControl]byte
	inData    [peerBatch][socket.DatagramSize]byte

	stamps bool          // the payload tells when it was sent; to be mixed it must be sound
	late   time.Duration // the farthest behind its schedule
	delays []time.Duration
	sent   int
	got    int
}

type peerLeg struct {
	port    uint16
	seq     uint16
	second  int // packets in this second
	seconds []int
}

func newPeer(tb testing.TB) *peer {
	tb.Helper()
	fd, err := sys.Bind(netip.AddrPortFrom(labNetwork.Address, 0))
	if err != nil {
		tb.Fatal(err)
	}
	roomy(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		tb.Fatal(err)
	}
	p := &peer{tb: tb, fd: fd, by: map[uint16]int{}}
	for i := range peerBatch {
		p.outParts[i].Base, p.inParts[i].Base = &p.outData[i][0], &p.inData[i][0]
		p.outParts[i].SetLen(rtpSize)
		p.inParts[i].SetLen(socket.DatagramSize)
		for _, m := range []*unix.Msghdr{&p.out[i].Head, &p.in[i].Head} {
			m.SetIovlen(1)
		}
		p.out[i].Head.Iov, p.in[i].Head.Iov = &p.outParts[i], &p.inParts[i]
		p.out[i].Head.Name, p.out[i].Head.Namelen = (*byte)(unsafe.Pointer(&p.outTo[i])), unix.SizeofSockaddrInet4
		p.in[i].Head.Name = (*byte)(unsafe.Pointer(&p.inFrom[i].Raw))
		p.in[i].Head.Control = &p.inControl[i][0]
		p.outTo[i].Family, p.outTo[i].Addr = unix.AF_INET, labNetwork.Address.As4()
		p.outData[i][0], p.outData[i][1] = 0x80, 8
		murmur(p.outData[i][headerBytes:], uint64(i))
	}
	return p
}

// murmur is sound as loud as speech on a line, -26 dBFS.
func murmur(payload []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 4))
	var sound [frameSamples]int16
	for i := range sound {
		sound[i] = int16(1640 * r.NormFloat64())
	}
	codec.Encode(codec.PCMA, payload, sound[:])
}

func (p *peer) addr() netip.AddrPort {
	return netip.AddrPortFrom(labNetwork.Address, sys.BoundPort(p.fd))
}

func (p *peer) aim(ports []uint16) {
	p.legs = make([]peerLeg, len(ports))
	for i, port := range ports {
		p.legs[i].port = port
		p.by[port] = i
	}
}

// run plays for a while. It must be alone on its core.
func (p *peer) run(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, second unix.CPUSet
	second.Set(1)
	_ = unix.SchedGetaffinity(0, &before)
	_ = unix.SchedSetaffinity(0, &second)
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	start := time.Now()
	for step := 0; ; step++ {
		due := start.Add(time.Duration(step) * phaseTime)
		if wait := time.Until(due); wait > 0 {
			sys.Nap(wait)
		} else if p.late = max(p.late, -wait); p.late > tooLate {
			p.tb.Fatalf("the parties are %v behind: the machine is too busy to measure anything", p.late)
		}
		if due.Sub(start) >= d {
			return
		}
		for i := step % phases; i < len(p.legs); i += phases * peerBatch {
			p.send(i, min(peerBatch, (len(p.legs)-i+phases-1)/phases))
		}
		p.receive(step)
		if step > 0 && step%1000 == 0 {
			p.endSecond()
		}
	}
}

// send sends one packet of n legs of a phase, from leg i on.
func (p *peer) send(i, n int) {
	for k := range n {
		l, data := &p.legs[i+k*phases], p.outData[k][:]
		l.seq++
		binary.BigEndian.PutUint16(data[2:], l.seq)
		binary.BigEndian.PutUint32(data[4:], uint32(l.seq)*frameSamples)
		binary.BigEndian.PutUint32(data[8:], uint32(i+k*phases))
		if p.stamps {
			stamp(data[headerBytes:], time.Now())
		}
		p.outTo[k].Port = sys.NetworkOrder(l.port)
	}
	for at := 0; at < n; {
		sent, _ := sys.Transfer(unix.SYS_SENDMMSG, p.fd, p.out[at:n])
		at += max(sent, 1)
	}
	p.sent += n
}

func (p *peer) receive(step int) {
	for {
		for i := range p.in {
			p.in[i].Head.Namelen = unix.SizeofSockaddrInet6
			p.in[i].Head.SetControllen(peerControl)
		}
		n, _ := sys.Transfer(unix.SYS_RECVMMSG, p.fd, p.in[:])
		for i := range n {
			p.take(i, step)
		}
		p.got += n
		if n < peerBatch {
			return
		}
	}
}

func (p *peer) take(i, step int) {
	leg, ok := p.by[p.inFrom[i].Get().Port()]
	if !ok || isRTCP(p.inData[i][:p.in[i].Size]) {
		return
	}
	p.legs[leg].second++
	if p.stamps && (leg == step%len(p.legs) || len(p.delays) < 1000) { // some of them: the kernel's stamp against ours
		head := (*unix.Cmsghdr)(unsafe.Pointer(&p.inControl[i][0]))
		if head.Type == unix.SO_TIMESTAMPNS {
			at := (*unix.Timespec)(unsafe.Pointer(&p.inControl[i][unix.SizeofCmsghdr]))
			said := binary.BigEndian.Uint64(p.inData[i][headerBytes:])
			p.delays = append(p.delays, time.Duration(at.Nano()-int64(said)))
		}
	}
}

func (p *peer) endSecond() {
	for i := range p.legs {
		p.legs[i].seconds = append(p.legs[i].seconds, p.legs[i].second)
		p.legs[i].second = 0
	}
}

// lowest is the packet rate of the leg that got fewest over the whole run, in packets/s.
func (p *peer) lowest() float64 {
	low := 1e9
	for _, l := range p.legs {
		sum := 0
		for _, n := range l.seconds {
			sum += n
		}
		low = min(low, float64(sum)/float64(max(1, len(l.seconds))))
	}
	return low
}

func (p *peer) forget() {
	p.delays, p.sent, p.got, p.late = p.delays[:0], 0, 0, 0
	for i := range p.legs {
		p.legs[i].second, p.legs[i].seconds = 0, nil
	}
}

// delay is a percentile of the time through the server.
func (p *peer) delay(percent int) time.Duration {
	if len(p.delays) == 0 {
		return 0
	}
	slices.Sort(p.delays)
	return p.delays[min(len(p.delays)-1, len(p.delays)*percent/100)]
}
