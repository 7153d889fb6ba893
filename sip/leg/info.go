package leg

import (
	"errors"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/header"
)

// receiveInfo answers an INFO: 200 for keys, a recording mark or nothing at
// all, 415 for what we do not read, 400 for keys that make no sense.
func (l *Leg) receiveInfo(now time.Time, s *server, p Packet, req *gosip.Request) {
	e, kind := InfoReceived{RecordHeader: value(req, "record")}, contentType(req)
	var err error
	if len(req.Body()) > 0 || kind != "" {
		e.Keys, err = header.Digits(kind, req.Body())
	}
	switch {
	case err == nil || e.RecordHeader != "":
		l.refuse(now, s, p, 200)
	case errors.Is(err, header.ErrNotDigits):
		res := l.begin(p, 415)
		res.AppendHeader(acceptInfo)
		l.respond(now, s, withoutBody(res))
	default:
		l.refuse(now, s, p, 400)
	}
	l.tell(e)
}

// receiveOptions: RFC 3261 §11.2: as an INVITE would be answered, with what we
// can do.
func (l *Leg) receiveOptions(now time.Time, s *server, p Packet) {
	res := Reply(p, 200, "", l.Dialog.LocalTag)
	l.addCapabilitiesAs(res)
	res.AppendHeader(acceptSDP)
	l.respond(now, s, withoutBody(res))
}
