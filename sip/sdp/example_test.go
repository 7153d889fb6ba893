package sdp_test

import (
	"fmt"
	"net/netip"
	"time"

	"liandong/media/codec"
	"liandong/sip/sdp"
)

// A phone is offered three codecs and takes one.
func Example() {
	local := func(addr string, codecs ...codec.ID) sdp.Local {
		return sdp.Local{Addr: netip.MustParseAddrPort(addr), SessionID: 1, Version: 1, Codecs: codecs, DTMF: 101,
			Ptime: 20 * time.Millisecond}
	}
	ours := local("192.0.2.10:20000", codec.G722, codec.PCMA, codec.PCMU)
	answer, _, err := sdp.Answer(local("192.0.2.20:40000", codec.PCMA), sdp.Offer(ours))
	if err != nil {
		fmt.Println(err)
		return
	}
	agreed, err := sdp.Accept(ours, answer)
	fmt.Println(agreed.Codec, agreed.PT, agreed.Remote, agreed.Direction, err)
	// Output: PCMA 8 192.0.2.20:40000 sendrecv <nil>
}
