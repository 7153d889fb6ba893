package ua

import (
	"errors"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// pathTag is the option tag of RFC 3327 §5.1.
const pathTag = "path"

// maxPath bounds the proxies before a phone.
const maxPath = 8

var errPath = errors.New("ua: unusable Path")

// readPath lists the proxies before a phone, as URIs, the one next to us first: those that its REGISTER has passed and
// that its calls are to pass. RFC 3327 §5.3: they are kept in this order, and are the Route of such requests.
func readPath(req *gosip.Request) (path []string, err error) {
	for h := range header.All(req, "Path") {
		values, ok := header.Split(h.Value(), ',')
		if !ok {
			return nil, errPath
		}
		for _, v := range values {
			_, uri, _, err := header.SplitNameAddr(v)
			var parsed gosip.Uri
			if err != nil || gosip.ParseUri(uri, &parsed) != nil || !parsed.UriParams.Has("lr") ||
				len(path) == maxPath {
				return nil, errPath
			}
			path = append(path, uri)
		}
	}
	return path, nil
}

// pathSeen tells a phone that understands it the way that its REGISTER has taken (RFC 3327 §5.3).
func pathSeen(req *gosip.Request) (fields []header.Field) {
	understood := false
	for _, name := range []string{"Supported", "k"} {
		for h := range header.All(req, name) {
			understood = understood || contains(h.Value(), pathTag)
		}
	}
	if !understood {
		return nil
	}
	for h := range header.All(req, "Path") {
		fields = append(fields, header.Field{Name: "Path", Value: h.Value()})
	}
	return fields
}
