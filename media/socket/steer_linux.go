package socket

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

const steerPorts = 1 << 17 // of all shards: those of two addresses

// steering is a program in the kernel that hands what comes to the open ports of a shard to
// one socket of the shard (BPF_PROG_TYPE_SK_LOOKUP, Linux 5.9). It needs CAP_BPF and
// CAP_NET_ADMIN, and goes away with the process. Shared by all shards.
type steering struct {
	program *ebpf.Program
	link    *link.NetNsLink
	shards  *ebpf.Map // SOCKMAP: number of the shard → its socket
	ports   *ebpf.Map // address and port → number of the shard
	users   atomic.Int32
}

// release lets go of it; the last user takes it out of the kernel.
func (s *steering) release() {
	if s.users.Add(-1) == 0 {
		s.close()
	}
}

// steerKey is an address in network order and a port in the machine's, as the program sees them.
type steerKey struct {
	addr [4]byte
	port uint32
}

func (k steerKey) MarshalBinary() ([]byte, error) {
	return binary.NativeEndian.AppendUint32(k.addr[:], k.port), nil
}

// newSteering fails without the privileges, which is no fault.
func newSteering() (s *steering, err error) {
	s = &steering{}
	s.users.Store(1)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	_ = rlimit.RemoveMemlock() // older kernels count maps as locked memory; else the next step says so
	shards := ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: MaxShards}
	if s.shards, err = ebpf.NewMap(&shards); err != nil {
		return s, err
	}
	ports := ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 4, MaxEntries: steerPorts}
	if s.ports, err = ebpf.NewMap(&ports); err != nil {
		return s, err
	}
	if s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "Apache-2.0", Instructions: s.lookup(),
	}); err != nil {
		return s, err
	}
	netns, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return s, err
	}
	defer func() { _ = unix.Close(netns) }()
	s.link, err = link.AttachNetNs(netns, s.program)
	return s, err
}

// Offsets in struct bpf_sk_lookup of linux/bpf.h.
const (
	lookupFamily    = 8
	lookupProtocol  = 12
	lookupLocalAddr = 40
	lookupLocalPort = 60
)

// lookup is the program: the shard of the port, its socket, and "take that one". Whatever is
// not found goes the usual way, to the port's own socket.
func (s *steering) lookup() asm.Instructions {
	const (
		key   = -8
		shard = -12
		pass  = 1 // SK_PASS
	)
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, lookupProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_UDP, "usual"),
		asm.LoadMem(asm.R2, asm.R6, lookupFamily, asm.Word),
		asm.JNE.Imm(asm.R2, unix.AF_INET, "usual"),
		asm.LoadMem(asm.R2, asm.R6, lookupLocalAddr, asm.Word),
		asm.StoreMem(asm.RFP, key, asm.R2, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, lookupLocalPort, asm.Word),
		asm.StoreMem(asm.RFP, key+4, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, s.ports.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, key),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "usual"),
		asm.LoadMem(asm.R2, asm.R0, 0, asm.Word),
		asm.StoreMem(asm.RFP, shard, asm.R2, asm.Word),
		asm.LoadMapPtr(asm.R1, s.shards.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, shard),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "usual"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, pass).WithSymbol("usual"),
		asm.Return(),
	}
}

func (s *steering) close() {
	if s.link != nil {
		_ = s.link.Close()
	}
	if s.program != nil {
		_ = s.program.Close()
	}
	for _, m := range []*ebpf.Map{s.ports, s.shards} {
		if m != nil {
			_ = m.Close()
		}
	}
}
