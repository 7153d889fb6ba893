package leg

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/media/codec"
	"liandong/sip/header"
	"liandong/sip/sdp"
)

var (
	epoch  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	addrA  = netip.MustParseAddrPort("10.0.0.1:5060")
	addrB  = netip.MustParseAddrPort("10.0.0.2:5060")
	mediaA = netip.MustParseAddrPort("10.0.0.1:20000")
	mediaB = netip.MustParseAddrPort("10.0.0.2:30000")
)

func testConfig(seed uint64) Config {
	cfg := Default()
	r := rand.New(rand.NewPCG(seed, 1))
	cfg.Rand = r.Uint64
	return cfg
}

func localAt(addr, media netip.AddrPort, transport string) Local {
	return Local{
		Contact:   "sip:" + addr.String() + ";transport=" + transport,
		ViaHost:   addr.String(),
		Transport: transport,
		Media: sdp.Local{
			Addr: media, SessionID: 1, Version: 1,
			Codecs: []codec.ID{codec.PCMA, codec.PCMU}, DTMF: 101, Ptime: 20 * time.Millisecond,
		},
	}
}

func name(t testing.TB, s string) header.NameAddr {
	t.Helper()
	n, err := header.ParseNameAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func inviteTo(t testing.TB, addr netip.AddrPort, transport string) Invite {
	return Invite{
		RequestURI: "sip:12345@" + addr.String(),
		Flow:       Flow{Network: "lab", Transport: transport, Remote: addr},
		From:       name(t, "<sip:13812345678@10.0.0.1>"),
		To:         name(t, "<sip:12345@"+addr.String()+">"),
	}
}

// wire is a message as the other end reads it: printed and parsed.
func wire(t testing.TB, m gosip.Message) gosip.Message {
	t.Helper()
	text := m.String()
	parsed, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		t.Fatalf("unreadable on the wire: %v\n%s", err, text)
	}
	return parsed
}

func field(name, value string) header.Field { return header.Field{Name: name, Value: value} }

var (
	addrC   = netip.MustParseAddrPort("10.0.0.2:6666")
	addrNAT = netip.MustParseAddrPort("10.0.0.2:40000")
)

func itoa(n int) string { return strconv.Itoa(n) }
