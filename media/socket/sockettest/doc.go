// Package sockettest has what tests of sockets that outlive their process need.
package sockettest
