package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// nowhere are Contacts by which a trunk cannot be reached: of a network behind its border, and a name that nobody
// knows.
var nowhere = map[string]string{"no route": "10.255.1.1:5060", "no such name": "pbx.no-such-host.invalid:5060"}

const plainSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"

// A trunk calls and gives a Contact by which it cannot be reached. When the desk hangs up the trunk has its BYE, by the
// way by which its own messages came.
func TestByeToATrunkWhoseContactLeadsNowhere(t *testing.T) {
	t.Parallel()
	for name, contact := range nowhere {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startSwitch(t, redistest.Start(t).Addr())
			desk := l.desk(t, "1101", deskTone, phone.AnswerAfter(0))
			trunk := listenUDP(t, netip.AddrPortFrom(citizen, 0))
			to := net.UDPAddrFromAddrPort(l.server)
			ask := func(method, toTag, body string) {
				t.Helper()
				_, err := fmt.Fprintf(writer{trunk, to},
					"%s sip:110@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\n"+
						"Max-Forwards: 70\r\nFrom: <sip:13800000000@%[3]s>;tag=t1\r\nTo: <sip:110@%[2]s>%[5]s\r\nCall-ID: c@%[3]s\r\n"+
						"CSeq: 1 %[1]s\r\nContact: <sip:pstn@%[6]s>\r\nContent-Type: application/sdp\r\nContent-Length: %[7]d\r\n\r\n%[8]s",
					method, l.server, trunk.LocalAddr(), method, toTag, contact, len(body), body)
				must(t, err)
			}
			ask("INVITE", "", plainSDP)
			answer := receives(t, trunk, "SIP/2.0 200 ")
			ask("ACK", regexp.MustCompile(`(?m)^To:.*(;tag=[^;\r]+)`).FindStringSubmatch(answer)[1], "")
			must(t, waitConfirmed(t, next(t, desk)).Hangup(within(t, 10*time.Second)))
			receives(t, trunk, "BYE ")
		})
	}
}

// A trunk that is called answers with such a Contact: it has its ACK all the same, where it was called.
func TestAckToATrunkWhoseContactLeadsNowhere(t *testing.T) {
	t.Parallel()
	for name, contact := range nowhere {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trunk := listenUDP(t, netip.AddrPortFrom(beyond, 0))
			l := startTrunks(t, targets(trunk.LocalAddr().(*net.UDPAddr).AddrPort()))
			_, desk := l.fromDesk(t)
			pushes(t, desk, "*1")
			invite := receives(t, trunk, "INVITE ")
			var head []string
			for _, line := range strings.Split(invite, "\r\n") {
				switch name, _, _ := strings.Cut(line, ":"); name {
				case "Via", "From", "Call-ID", "CSeq":
					head = append(head, line)
				case "To":
					head = append(head, line+";tag=far")
				}
			}
			_, err := fmt.Fprintf(writer{trunk, net.UDPAddrFromAddrPort(l.server)},
				"SIP/2.0 200 OK\r\n%s\r\nContact: <sip:119@%s>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
				strings.Join(head, "\r\n"), contact, len(plainSDP), plainSDP)
			must(t, err)
			receives(t, trunk, "ACK ")
		})
	}
}

func listenUDP(t testing.TB, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// writer sends datagrams to one address.
type writer struct {
	conn *net.UDPConn
	to   *net.UDPAddr
}

func (w writer) Write(b []byte) (int, error) { return w.conn.WriteToUDP(b, w.to) }

// receives waits for the message that begins so; what comes before it is passed over.
func receives(t testing.TB, conn *net.UDPConn, begins string) string {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	b := make([]byte, 65536)
	for {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("no %q has come: %v", begins, err)
		}
		if text := string(b[:n]); strings.HasPrefix(text, begins) {
			return text
		}
	}
}
