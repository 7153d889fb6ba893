package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Run is where a running switch has its control socket, and what its calls are continued from. It is best in memory
// (tmpfs): what is there is of use for as long as the machine runs.
type Run struct {
	Dir     string // made when it is not there; what is in it is the switch's own user's alone
	Control string // the socket of liandong upgrade
	Journal string // of the calls that are on
}

// Run is the config's run_dir, else the service manager's RUNTIME_DIRECTORY, else one in memory for each outbox file:
// that file belongs to one switch at a time.
func (c *Config) Run() Run {
	dir := c.RunDir
	if dir == "" {
		dir = os.Getenv("RUNTIME_DIRECTORY")
	}
	if dir == "" {
		file, err := filepath.Abs(c.Store.Path)
		if err != nil {
			file = c.Store.Path
		}
		sum := sha256.Sum256([]byte(file))
		dir = filepath.Join(memory(), fmt.Sprintf("liandong-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6])))
	}
	return Run{Dir: dir, Control: filepath.Join(dir, "control"), Journal: filepath.Join(dir, "journal")}
}

// memory is a directory that is in memory where there is one.
func memory() string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		return shared
	}
	return os.TempDir()
}
