package dialog

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	gosip "github.com/emiago/sipgo/sip"
)

// ErrAddress says that the dialog holds an address that is none, which can
// only come from the other side.
var ErrAddress = errors.New("dialog: unusable address")

// Request begins a request in the dialog: start line, Via, Route, Max-Forwards,
// From, To, Call-ID, CSeq. The caller adds the rest and the body.
func (d *Dialog) Request(method gosip.RequestMethod, seq uint32, via *gosip.ViaHeader) (*gosip.Request, error) {
	uri, routes, err := d.path()
	if err != nil {
		return nil, err
	}
	one := &struct { // in one piece, as there are many
		hops     gosip.MaxForwardsHeader
		from     gosip.FromHeader
		to       gosip.ToHeader
		fromTag  [1]gosip.HeaderKV
		toTag    [1]gosip.HeaderKV
		id       gosip.CallIDHeader
		sequence gosip.CSeqHeader
	}{hops: 70, id: gosip.CallIDHeader(d.CallID), sequence: gosip.CSeqHeader{SeqNo: seq, MethodName: method}}
	if one.from.DisplayName, err = gosip.ParseAddressValue(d.Local, &one.from.Address, nil); err != nil {
		return nil, fmt.Errorf("%w: local: %w", ErrAddress, err)
	}
	if one.to.DisplayName, err = gosip.ParseAddressValue(d.Remote, &one.to.Address, nil); err != nil {
		return nil, fmt.Errorf("%w: remote: %w", ErrAddress, err)
	}
	one.from.Params, one.to.Params = tagged(one.fromTag[:0], d.LocalTag), tagged(one.toTag[:0], d.RemoteTag)
	req := gosip.NewRequest(method, uri)
	req.AppendHeader(via)
	for i := range routes {
		req.AppendHeader(&gosip.RouteHeader{Address: routes[i]})
	}
	req.AppendHeader(&one.hops)
	req.AppendHeader(&one.from)
	req.AppendHeader(&one.to)
	req.AppendHeader(&one.id)
	req.AppendHeader(&one.sequence)
	return req, nil
}

// tagged is room with a tag in it; "": there is none.
func tagged(room []gosip.HeaderKV, tag string) gosip.HeaderParams {
	if tag == "" {
		return nil
	}
	return append(room, gosip.HeaderKV{K: "tag", V: tag})
}

// path is the Request-URI and the Route headers (RFC 3261 §12.2.1.1).
func (d *Dialog) path() (gosip.Uri, []gosip.Uri, error) {
	var target gosip.Uri
	if err := gosip.ParseUri(d.Target, &target); err != nil {
		return target, nil, fmt.Errorf("%w: target: %w", ErrAddress, err)
	}
	target.Headers = nil // RFC 3261 §19.1.5: a Request-URI has no headers
	list := make([]gosip.Uri, len(d.Routes))
	for i, r := range d.Routes {
		if err := gosip.ParseUri(r, &list[i]); err != nil {
			return target, nil, fmt.Errorf("%w: route: %w", ErrAddress, err)
		}
	}
	if len(list) == 0 || loose(&list[0]) {
		return target, list, nil
	}
	// A strict router wants itself in the Request-URI and the target last.
	first := list[0]
	first.UriParams = without(first.UriParams, "method")
	first.Headers = nil
	return first, append(list[1:], target), nil
}

// Hop is where requests of the dialog are sent: the first route, or else the
// remote target. Transport is "" unless the URI names one.
func (d *Dialog) Hop() (hostport, transport string) {
	next := d.Target
	if len(d.Routes) > 0 {
		next = d.Routes[0]
	}
	return HopOf(next)
}

// HopOf is the host:port that a SIP URI is reached at, and the transport it
// names, which is TLS for a sips one (RFC 3261 §26.2.2); "" for another kind of URI.
func HopOf(s string) (hostport, transport string) {
	var uri gosip.Uri
	if err := gosip.ParseUri(s, &uri); err != nil || uri.Host == "" {
		return "", ""
	}
	transport = gosip.ASCIIToLower(uri.UriParams.GetOr("transport", ""))
	if uri.IsEncrypted() {
		transport = "tls"
	}
	host := uri.Host
	if maddr := uri.UriParams.GetOr("maddr", ""); maddr != "" {
		host = maddr
	}
	port := uri.Port
	if port == 0 {
		port = 5060
		if transport == "tls" {
			port = 5061
		}
	}
	if len(host) > 1 && host[0] == '[' {
		host = host[1 : len(host)-1]
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), transport
}

func loose(uri *gosip.Uri) bool { return uri.UriParams.Has("lr") }

func without(params gosip.HeaderParams, key string) gosip.HeaderParams {
	kept := params.Clone()
	return kept.Remove(key)
}
