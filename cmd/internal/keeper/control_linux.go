package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// control is the socket by which the command line speaks to the keeper. Who may is a matter of the file's mode.
type control struct {
	path     string
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool // guarded by mu; nil: closed
}

const (
	askUpgrade = "upgrade"
	replyWait  = 200 * time.Millisecond // a reader that does not read holds nobody up
)

// open opens the control socket where the worker's config has it.
func (k *Keeper) open(path string) {
	if k.control != nil && k.control.path == path {
		return
	}
	k.control.close()
	k.control = nil
	if path == "" || k.stopping {
		return
	}
	c, err := newControl(path, k.asked)
	if err != nil {
		k.log.Error("there is no control socket", "err", err)
		return
	}
	k.control = c
}

// asked is one line of somebody; it is answered in JSON, line by line.
func (k *Keeper) asked(line string, answer func(Answer)) {
	switch line {
	case askUpgrade:
		k.do(func() { k.startUpgrade(answer) })
	default:
		answer(Answer{Step: Refused, Why: "not understood"})
	}
}

func newControl(path string, asked func(string, func(Answer))) (*control, error) {
	var l net.Listener
	err := within(path, func(short string) (err error) {
		_ = os.Remove(short) // of one that has died; a living one's journal would have refused us before
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keeper: %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // its short name means nothing later
	c := &control{path: path, listener: l, conns: map[net.Conn]bool{}}
	if err := os.Chmod(path, 0o600); err != nil {
		c.close()
		return nil, fmt.Errorf("keeper: %w", err)
	}
	go c.accept(asked)
	return c, nil
}

// within runs f with a name for path that is short enough for a socket: by the directory's descriptor.
func within(path string, f func(short string) error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

func (c *control) accept(asked func(string, func(Answer))) {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		if !c.take(conn) {
			_ = conn.Close()
			return
		}
		go c.serve(conn, asked)
	}
}

// take notes a connection; false: it is too late.
func (c *control) take(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		return false
	}
	c.conns[conn] = true
	return true
}

// serve answers one question. The connection ends with the last answer, or when who asked has gone.
func (c *control) serve(conn net.Conn, asked func(string, func(Answer))) {
	defer func() {
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
		_ = conn.Close()
	}()
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	asked(strings.TrimSpace(line), func(a Answer) {
		_ = conn.SetWriteDeadline(time.Now().Add(replyWait))
		_ = json.NewEncoder(conn).Encode(a)
		if a.Ends() {
			_ = conn.(*net.UnixConn).CloseWrite()
		}
	})
	_, _ = r.ReadByte() // until the other side closes
}

// close ends all connections. It does not wait for those who serve them: they may wait for the loop that closes.
func (c *control) close() {
	if c == nil {
		return
	}
	_ = c.listener.Close()
	_ = os.Remove(c.path)
	c.mu.Lock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
	c.mu.Unlock()
}

// Holder is the keeper whose control socket this is, and that is not about to end. The pid is 0 for one that this
// process cannot see, as in another container.
func Holder(path string) (pid int, there bool) {
	err := within(path, func(short string) error {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: short, Net: "unix"})
		if err != nil {
			return err
		}
		defer conn.Close()
		raw, err := conn.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(fd uintptr) {
			if who, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				pid = int(who.Pid)
			}
		})
	})
	return pid, err == nil
}

// Upgrade asks the keeper whose control socket this is for an upgrade, and gives each of its answers.
func Upgrade(ctx context.Context, path string, each func(Answer)) error {
	var conn net.Conn
	err := within(path, func(short string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", short)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNoSwitch, path, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := fmt.Fprintln(conn, askUpgrade); err != nil {
		return fmt.Errorf("%w: %w", ErrNoSwitch, err)
	}
	d := json.NewDecoder(conn)
	for {
		var a Answer
		if err := d.Decode(&a); err != nil {
			return fmt.Errorf("keeper: the answer breaks off: %w", errors.Join(ctx.Err(), err))
		}
		each(a)
		if a.Ends() {
			return nil
		}
	}
}
