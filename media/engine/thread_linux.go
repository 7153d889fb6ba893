package engine

import "golang.org/x/sys/unix"

// mediaNice is the priority of the media threads where the process may raise it (CAP_SYS_NICE,
// or a limit): nobody hears that a web page came a millisecond later.
const mediaNice = -15

// preferThread raises the calling thread's priority, if allowed.
func preferThread() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), mediaNice) }
