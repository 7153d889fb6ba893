package desk

import (
	"liandong/media/codec"
	"liandong/sip/sdp"
)

// Seat is one desk: a phone that registers as User and takes the calls of one hotline.
type Seat struct {
	User    string
	Hotline string
	Name    string // of the place, for people; "" when nobody named it
	Network string // over which its phone is reached; may differ from the hotline's (a police seat inside 12345)
	SRTP    sdp.Protection
	Takes   bool       // is one of its hotline's seats; a supervisor's phone takes no calls of the line
	Codecs  []codec.ID // what its phone is offered, in this order; empty: as its network
}
