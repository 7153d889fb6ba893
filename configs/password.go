package configs

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Costs of a password's hash (RFC 9106 §4, the second recommended option): 64 MiB, three passes, four lanes.
const (
	hashMemory = 64 << 10
	hashPasses = 3
	hashLanes  = 4
	hashLength = 32
)

// SaltLength is that of a password's salt, in bytes.
const SaltLength = 16

// What a hash of other costs may ask of the switch, which has calls to carry: 256 MiB for a second or so.
const (
	mostMemory = 256 << 10
	mostPasses = 8
	mostLanes  = 8
	mostBytes  = 64
	leastBytes = 8
)

// hash is a password as the config has it.
type hash struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

var errHash = errors.New("configs: no argon2id hash in the PHC string format")

// HashPassword is a password as it stands in the config, in the PHC string format.
func HashPassword(password string, salt []byte) string {
	sum := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashLength)
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes,
		text(salt), text(sum))
}

// PasswordFits says that a hash of the config is that of a password. It takes its time, and the memory that the hash
// asks for. What is no hash fits nothing.
func PasswordFits(text, password string) bool {
	h, err := parseHash(text)
	if err != nil {
		return false
	}
	sum := argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

func parseHash(text string) (h hash, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, errHash
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	sum, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	h.salt, h.sum = salt, sum
	fits := func(n int) bool { return n >= leastBytes && n <= mostBytes }
	switch {
	case errors.Join(err1, err2) != nil, !fits(len(salt)), !fits(len(sum)),
		h.passes < 1, h.passes > mostPasses, h.lanes < 1, h.lanes > mostLanes,
		h.memory < 8*uint32(h.lanes), h.memory > mostMemory: // RFC 9106 §3.1: at least 8 KiB a lane
		return h, errHash
	}
	return h, nil
}
