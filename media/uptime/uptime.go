// Package uptime is the clock that all processes of a machine have in common: it goes on through changes of the wall
// clock and while the machine is suspended, and begins anew when the machine is started.
package uptime
