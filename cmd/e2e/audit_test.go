package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"liandong/cmd/internal/phone"
)

// Somebody else's phone takes a desk's calls, with the desk's own password: the process says so in one line of its log,
// by HTTP as it happens, and on the stream of call events; of the desk's own phone, which registers again, it says
// nothing.
func TestTakenRegistrationIsTold(t *testing.T) {
	t.Parallel()
	s := startServing(t, miniredis.RunT(t).Addr(), "lang=en")
	r, err := http.NewRequestWithContext(within(t, 120*time.Second), "GET", "http://"+s.http+"/v1/events", nil)
	must(t, err)
	answer, err := http.DefaultClient.Do(r)
	must(t, err)
	defer answer.Body.Close()

	desk := s.desk(t, "1101", deskTone, phone.AnswerAfter(0))
	must(t, desk.Register(within(t, 10*time.Second)))
	thief := newPhone(t, phone.Config{User: "1101", Password: "lab-1101", Domain: domain, Server: s.server,
		Listen: netip.MustParseAddrPort("127.0.0.66:0")})
	must(t, thief.Register(within(t, 10*time.Second)))

	var told []map[string]string
	for lines := bufio.NewScanner(answer.Body); len(told) == 0 && lines.Scan(); {
		var fields map[string]string
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && json.Unmarshal([]byte(data), &fields) == nil && fields["event"] == "another_phone" {
			told = append(told, fields)
		}
	}
	if len(told) != 1 || told[0]["agent"] != "1101" || told[0]["hotline"] != "110" || told[0]["phones"] != "2" ||
		told[0]["detail"] != "127.0.0.66" {
		t.Errorf("told by HTTP: %v", told)
	}
	s.says(t, "another phone takes the calls of a user")
	eventually(t, "it is among the call events", func() bool {
		for _, e := range wholeStream(t, s.redis, "liandong:calls") {
			if e["event"] == "another_phone" {
				return e["agent"] == "1101" && e["detail"] == "127.0.0.66"
			}
		}
		return false
	})
}
