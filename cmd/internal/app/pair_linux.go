package app

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

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
