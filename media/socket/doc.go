// Package socket moves the datagrams of calls: it opens RTP and RTCP ports, hands over what comes to them, and
// sends. It knows nothing of sound.
//
// A Transport serves one thread, a shard of the engine. That of Linux reads and writes the sockets itself: those
// that are watched Promptly when epoll tells of them, the others when they are asked for, RTCP ten times a second.
// Two fast paths are used where the process may: packets leave many at a time through a raw socket for each
// address (CAP_NET_RAW), and come in through one socket to which the kernel steers the ports of the shard
// (CAP_BPF and CAP_NET_ADMIN). Each is tried on loopback at the start; without it, the ports send and receive for
// themselves. Other systems have the portable transport, a goroutine for each socket, and the engine's tests hold
// all of them to the same.
//
// All that is privileged in media stands here, and the system calls of it in package sys.
package socket
