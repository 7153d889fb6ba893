package header

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// UserToUser is data that the two ends of a call pass each other: RFC 7433.
type UserToUser struct {
	Data     string // as written: hex digits when Encoding is hex, which is also meant by none
	Encoding string
	Purpose  string
	Content  string
	Params   Params // any others
}

// ParseUserToUser reads the value of one User-to-User field.
func ParseUserToUser(s string) ([]UserToUser, error) { return each(s, parseUserToUser) }

func parseUserToUser(s string) (UserToUser, error) {
	parts, ok := Split(s, ';')
	if !ok {
		return UserToUser{}, ErrSyntax
	}
	u := UserToUser{Data: unfold(parts[0])}
	if strings.Contains(u.Data, `"`) {
		u.Data, ok = unquote(u.Data)
	} else {
		ok = IsToken(u.Data)
	}
	if !ok {
		return UserToUser{}, fmt.Errorf("%w: data of User-to-User", ErrSyntax)
	}
	params, err := parseParams(s[len(parts[0]):])
	if err != nil {
		return UserToUser{}, err
	}
	u.Encoding, _ = params.Get("encoding")
	u.Purpose, _ = params.Get("purpose")
	u.Content, _ = params.Get("content")
	u.Params = params.Without("encoding", "purpose", "content")
	return u, nil
}

// Bytes is the data itself.
func (u UserToUser) Bytes() ([]byte, error) {
	if u.Encoding != "" && !strings.EqualFold(u.Encoding, "hex") {
		return []byte(u.Data), nil
	}
	b, err := hex.DecodeString(u.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: User-to-User is not hex: %w", ErrSyntax, err)
	}
	return b, nil
}

func (u UserToUser) String() string {
	data := u.Data
	if !IsToken(data) {
		data = quote(data)
	}
	params := u.Params
	for _, p := range [...]Param{{Key: "encoding", Value: u.Encoding}, {Key: "purpose", Value: u.Purpose},
		{Key: "content", Value: u.Content}} {
		if p.Value != "" {
			params = params.With(p.Key, p.Value)
		}
	}
	return data + params.String()
}
