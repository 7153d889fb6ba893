package leg

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// errMedia is a body that we cannot read and may not ignore: 415.
var errMedia = errors.New("leg: body of an unsupported type")

// bodyOf is the session description in a message, nil without one. A caller
// with a location sends it as one part of several.
func bodyOf(m gosip.Message) ([]byte, error) {
	body := m.Body()
	if len(body) == 0 {
		return nil, nil
	}
	if enc := value(m, "content-encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, errMedia
	}
	said := contentType(m)
	if said == mediaSDP {
		return body, nil
	}
	kind, params, err := mime.ParseMediaType(said)
	switch {
	case err != nil && len(params) == 0 && kind == "":
		kind = mediaSDP // no Content-Type, or one without sense: it shows when parsed
	case strings.HasPrefix(kind, "multipart/"):
		return sdpPart(body, params["boundary"])
	}
	if kind != mediaSDP {
		if optional(value(m, "content-disposition")) {
			return nil, nil
		}
		return nil, errMedia
	}
	return body, nil
}

// optional is RFC 3261 §20.11: a body that the sender can do without.
func optional(disposition string) bool {
	_, params, err := mime.ParseMediaType(disposition)
	return err == nil && strings.EqualFold(params["handling"], "optional")
}

func contentType(m gosip.Message) string {
	for _, name := range [...]string{"content-type", "c"} {
		if v := value(m, name); v != "" {
			return v
		}
	}
	return ""
}

func sdpPart(body []byte, boundary string) ([]byte, error) {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextRawPart()
		if err != nil {
			return nil, errMedia
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if kind != mediaSDP {
			continue
		}
		sdp, err := io.ReadAll(part)
		if err != nil {
			return nil, errMedia
		}
		return sdp, nil
	}
}
