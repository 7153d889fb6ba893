package keeper

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Systemd is the service manager: it is told when the switch is ready and that it is alive, and it keeps the
// descriptors while there is no keeper (sd_notify(3), "FDSTORE=1"). nil: nobody there.
type Systemd struct {
	fd    int            // a socket
	path  string         // where it is heard
	given map[string]int // what the store had
}

// firstListen is the first descriptor that is passed, sd_listen_fds(3).
const firstListen = 3

// NewSystemd reads what the environment says of it, which children do not see.
func NewSystemd() (*Systemd, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	pid, n, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_USEC",
		"WATCHDOG_PID"} {
		_ = os.Unsetenv(name)
	}
	if path == "" {
		return nil, nil
	}
	s, err := notifies(path)
	if err != nil {
		return nil, err
	}
	count, _ := strconv.Atoi(n)
	if pid != strconv.Itoa(os.Getpid()) {
		count = 0
	}
	list := strings.Split(names, ":")
	for i := range count {
		fd := firstListen + i
		unix.CloseOnExec(fd)
		if i < len(list) && named(storeName.Replace(list[i])) {
			s.given[unstoreName.Replace(list[i])] = fd
		}
	}
	return s, nil
}

// notifies is a manager heard at a socket. One that does not read holds the keeper up for a moment at most.
func notifies(path string) (*Systemd, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keeper: NOTIFY_SOCKET: %w", err)
	}
	wait := unix.NsecToTimeval(int64(100 * time.Millisecond))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)
	return &Systemd{fd: fd, path: path, given: map[string]int{}}, nil
}

// In the store a name has no colon.
var (
	storeName   = strings.NewReplacer(":", "%3A")
	unstoreName = strings.NewReplacer("%3A", ":")
)

func (s *Systemd) inherited() map[string]int {
	if s == nil {
		return nil
	}
	return s.given
}

// ready may be said again: the worker is another now.
func (s *Systemd) ready(worker int) {
	s.say(nil, "READY=1", fmt.Sprintf("STATUS=worker %d takes calls", worker))
}

func (s *Systemd) stopping() { s.say(nil, "STOPPING=1") }

// alive resets the watchdog: the keeper looks after the worker, whom it restarts by itself.
func (s *Systemd) alive() { s.say(nil, "WATCHDOG=1") }

// store gives descriptors to be kept. They are kept also when the socket has an error: that is the worker's to see.
func (s *Systemd) store(names []string, fds []int) {
	for i, name := range names {
		s.say(fds[i:i+1], "FDSTORE=1", "FDPOLL=0", "FDNAME="+storeName.Replace(name))
	}
}

func (s *Systemd) forget(names []string) {
	for _, name := range names {
		s.say(nil, "FDSTOREREMOVE=1", "FDNAME="+storeName.Replace(name))
	}
}

// say is a datagram; one that is lost costs no more than what it says.
func (s *Systemd) say(fds []int, lines ...string) {
	if s == nil {
		return
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	_ = unix.Sendmsg(s.fd, []byte(strings.Join(lines, "\n")), rights, &unix.SockaddrUnix{Name: s.path}, 0)
}
