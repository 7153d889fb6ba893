// Package sys has the system calls of the packet path, without what package unix does around them: its
// Recvfrom and Sendto allocate a Sockaddr for each packet. Those that cannot block are raw: the Go scheduler
// need not hear of them. Linux only.
package sys
