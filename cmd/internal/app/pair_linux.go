package app

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// sinceBoot goes on while the machine is suspended, which a Go clock does not.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

var bootID = sync.OnceValue(func() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err == nil {
		id, _ = uuid.Parse(strings.TrimSpace(string(text)))
	}
	return id
})

// watchAddresses says when an address comes to this machine or leaves it (rtnetlink(7)).
func watchAddresses(ctx context.Context, moved chan<- struct{}) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return // it is looked every now and then as well
	}
	defer unix.Close(fd)
	groups := uint32(unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_LINK)
	wait := unix.NsecToTimeval(int64(100 * time.Millisecond))
	if unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}) != nil ||
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait) != nil {
		return
	}
	buf := make([]byte, 16<<10)
	for ctx.Err() == nil {
		if _, _, err := unix.Recvfrom(fd, buf, 0); err == nil {
			select {
			case moved <- struct{}{}:
			default:
			}
		}
	}
}
