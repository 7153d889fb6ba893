package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a process that the keeper has started. Its fields are owned by the keeper's loop, but for wire and cmd.
type child struct {
	cmd     *exec.Cmd
	wire    *wire
	binary  *binary
	version string
	waits   bool      // it has said that it waits
	begun   time.Time // it was told to go
	ready   time.Time // it has said that it takes calls
	pings   int       // that it has not answered
	yielded bool      // it was told to leave
	takes   bool      // it takes the sound over by itself
	asked   time.Time // it has asked for the sound
	mute    time.Duration
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// kill ends the process at once; its sockets stay.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// begin hands over what is kept and makes the child the worker.
func (c *child) begin(h held, s Status) error {
	for _, m := range h.messages() {
		if err := c.wire.send(m); err != nil {
			return err
		}
	}
	return c.wire.tell(begin, s)
}

// spawn starts a child with the keeper's own arguments. What it says, and then its end, is told to the loop in order: a
// socket that was handed over just before a death is kept before the death is known.
func (k *Keeper) spawn(b *binary) (*child, error) {
	ours, theirs, err := newPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	c := &child{wire: ours, binary: b, cmd: &exec.Cmd{
		Path: b.path(), Args: k.cfg.Args, Env: append(os.Environ(), variable+"=3"),
		Stdout: k.cfg.Stdout, Stderr: k.cfg.Stderr, ExtraFiles: []*os.File{theirs},
		// A process group of its own: what a terminal sends comes once, by way of the keeper. Nobody is left when the
		// keeper dies; the line's end says the same to a binary with capabilities, which the kernel takes the signal
		// from.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}}
	if err := c.cmd.Start(); err != nil {
		ours.close()
		return nil, fmt.Errorf("keeper: start %s: %w", c.cmd.Path, err)
	}
	k.readers.Go(func() { k.attend(c) })
	return c, nil
}

// attend reads what a child says until it ends.
func (k *Keeper) attend(c *child) {
	for {
		m, err := c.wire.receive()
		if errors.Is(err, errMessage) {
			k.do(func() { k.log.Error("a message of the worker is not understood", "pid", c.pid(), "err", err) })
			continue
		}
		if err != nil {
			break
		}
		k.do(func() { k.receive(c, m) })
	}
	_ = c.cmd.Process.Kill() // a process that has closed its line is of no use
	err := c.cmd.Wait()
	c.wire.close()
	k.do(func() { k.died(c, err) })
}

func parse[T any](b []byte) (v T) {
	_ = json.Unmarshal(b, &v) // of a version that says it otherwise the rest holds
	return v
}

// binary is a file that children run. It stays what it was also when another file takes its place.
type binary struct {
	at string // where it lay
	fd int    // above those that a child is given
}

// openBinary opens the file that lies at a path now.
func openBinary(at string) (*binary, error) {
	fd, err := unix.Open(at, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keeper: %s: %w", at, err)
	}
	defer unix.Close(fd)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, lowestFD)
	if err != nil {
		return nil, fmt.Errorf("keeper: %s: %w", at, err)
	}
	return &binary{at: at, fd: high}, nil
}

const lowestFD = 64

// path is where the file can be run: its own path while it lies there, else the descriptor.
func (b *binary) path() string {
	var now, then unix.Stat_t
	if unix.Stat(b.at, &now) == nil && unix.Fstat(b.fd, &then) == nil && now.Dev == then.Dev && now.Ino == then.Ino {
		return b.at
	}
	return fmt.Sprintf("/proc/self/fd/%d", b.fd)
}

func (b *binary) close() { _ = unix.Close(b.fd) }
