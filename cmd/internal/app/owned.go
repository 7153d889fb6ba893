//go:build unix

package app

import (
	"io/fs"
	"os"
	"syscall"
)

// owned says that a file is this user's: in a directory where all may write somebody else may have been first.
func owned(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
