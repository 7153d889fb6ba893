package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sendWait is how long a message waits for a side that does not read; the line is good for nothing then.
const sendWait = 2 * time.Second

// wire is one end of a line.
type wire struct {
	mu      sync.Mutex // who waits until the other side reads waits alone
	waiting atomic.Int32
	conn    *net.UnixConn
	raw     syscall.RawConn // the same
}

// newPair makes a line: one end to be used here, the other to be given to a child.
func newPair() (*wire, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("keeper: socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "line")
	ours, err := newWire(os.NewFile(uintptr(fds[0]), "line"))
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// newWire takes over an end.
func newWire(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("keeper: the line: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("keeper: the line is no unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("keeper: the line: %w", err)
	}
	return &wire{conn: u, raw: raw}, nil
}

// send gives the other side a message. It is a message of the socket, and the kernel keeps those apart: while there is
// room nobody waits for another who sends, as a media thread would that closes a port.
func (w *wire) send(m message) error {
	var rights []byte
	if len(m.fds) > 0 {
		rights = unix.UnixRights(m.fds...)
	}
	data := m.encode()
	if w.waiting.Load() == 0 && w.sendNow(data, rights) {
		return nil
	}
	w.waiting.Add(1) // who comes after it does not go before it
	defer w.waiting.Add(-1)
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetWriteDeadline(time.Now().Add(sendWait))
	if _, _, err := w.conn.WriteMsgUnix(data, rights, nil); err != nil {
		return fmt.Errorf("keeper: send: %w", err)
	}
	return nil
}

// sendNow is false when there is no room, or an error that another try will tell.
func (w *wire) sendNow(data, rights []byte) (sent bool) {
	err := w.raw.Control(func(fd uintptr) {
		sent = unix.Sendmsg(int(fd), data, rights, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) == nil
	})
	return sent && err == nil
}

// tell sends a kind with a value as JSON.
func (w *wire) tell(k kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return w.send(message{kind: k, body: b})
}

// receive waits for the next message. An error that is errMessage concerns that message alone.
func (w *wire) receive() (message, error) {
	buf, rights := make([]byte, maxMessage+1), make([]byte, unix.CmsgSpace(4*(maxNames+1)))
	n, rn, flags, _, err := w.conn.ReadMsgUnix(buf, rights)
	switch {
	case err != nil:
		return message{}, fmt.Errorf("keeper: receive: %w", err)
	case n == 0 && rn == 0:
		return message{}, io.EOF
	}
	fds, err := received(rights[:rn])
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("%w: descriptors are missing: too many are open", errMessage)
	}
	var m message
	if err == nil {
		m, err = decode(buf[:n], fds)
	}
	if err != nil || m.kind != hold {
		closeAll(fds)
		m.fds = nil
	}
	return m, err
}

// received takes the descriptors out of what came beside a message.
func received(b []byte) (fds []int, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	list, err := unix.ParseSocketControlMessage(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMessage, err)
	}
	for _, c := range list {
		got, err := unix.ParseUnixRights(&c)
		if err != nil {
			return fds, fmt.Errorf("%w: %w", errMessage, err)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func (w *wire) close() { _ = w.conn.Close() }
