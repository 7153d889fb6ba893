package phone

import "github.com/pion/srtp/v3"

// Sealing is SRTP (RFC 3711) of one stream, by the keys of its [Talk]. The zero value is none. Owned by whoever has the
// stream.
type Sealing struct {
	seal, open   *srtp.Context // nil: no SRTP
	ours, theirs string        // of which they are made
}

// Rekey goes on with keys that stay and begins with new ones; without keys there is no SRTP any more. An error says
// what is wrong with them.
func (s *Sealing) Rekey(ours, theirs string) (err error) {
	if ours == "" || theirs == "" {
		*s = Sealing{}
		return nil
	}
	if s.ours != ours {
		if s.seal, err = newContext(ours); err != nil {
			return err
		}
	}
	if s.theirs != theirs {
		if s.open, err = newContext(theirs); err != nil {
			return err
		}
	}
	s.ours, s.theirs = ours, theirs
	return nil
}

func newContext(key string) (*srtp.Context, error) {
	return srtp.CreateContext([]byte(key[:suiteKey]), []byte(key[suiteKey:]), srtp.ProtectionProfileAes128CmHmacSha1_80)
}

// Seal is a packet as it goes on the wire, in dst if it has room; nil: it cannot be sealed.
func (s *Sealing) Seal(dst, packet []byte) []byte {
	if s.seal == nil {
		return packet
	}
	out, err := s.seal.EncryptRTP(dst, packet, nil)
	if err != nil {
		return nil
	}
	return out
}

// Open is a packet as it was meant, in dst if it has room; nil: it is not the peer's.
func (s *Sealing) Open(dst, packet []byte) []byte {
	if s.open == nil {
		return packet
	}
	out, err := s.open.DecryptRTP(dst, packet, nil)
	if err != nil {
		return nil
	}
	return out
}
