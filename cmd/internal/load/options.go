package load

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"liandong/cmd/internal/phone"
)

// ErrOption is wrapped by every complaint about an option.
var ErrOption = errors.New("load: option")

// Bounds of every run: it stops by itself, and soon enough.
const (
	maxDuration = time.Hour
	maxAttempts = 1000000 // of cps
	maxCalls    = 4000    // at once, of the other modes
	maxRate     = 5000    // calls per second
	patience    = 10 * time.Second
)

// Target is the server and who calls it: what all modes share. The defaults in the tags fit configs/lab.yaml.
type Target struct {
	Server      netip.AddrPort `placeholder:"IP:PORT" default:"127.0.0.1:5060" help:"The server's SIP address (default: ${default})."`
	From        netip.Addr     `placeholder:"IP" default:"127.0.0.10" help:"Our address for callers, which the server takes for a trunk (default: ${default})."`
	At          netip.Addr     `placeholder:"IP" default:"127.0.0.1" help:"Our address for desk phones (default: ${default})."`
	MediaAllow  []netip.Addr   `placeholder:"IP" help:"Sound may go to this address too. Without it only to the server's: answers that name any other are refused."`
	Transport   string         `enum:"udp,tcp" default:"udp" help:"Of SIP: udp or tcp (default: ${default})."`
	Codec       string         `enum:"pcma,pcmu" default:"pcma" help:"G.711: pcma (A-law) or pcmu (µ-law) (default: ${default})."`
	To          string         `placeholder:"NUMBER" default:"110" help:"Whom callers call. {user} is the user of the desk that has this call's turn, {n} the call's number from 0 (default: ${default})."`
	Number      uint64         `placeholder:"NUMBER" default:"13800000000" help:"The first caller's own number; each further call adds 1 (default: ${default})."`
	Domain      string         `placeholder:"NAME" default:"liandong.lab" help:"Of the desks' addresses (default: ${default})."`
	Password    string         `placeholder:"TEXT" default:"lab-{user}" env:"LIANDONG_LOAD_PASSWORD" help:"The desks' password for digest; {user} is the user (default: ${default})."`
	Desk        int            `placeholder:"USER" default:"1101" help:"The first desk registers as this user, each further one as the next number (default: ${default})."`
	Partner     int            `placeholder:"USER" default:"2101" help:"The same for partner desks (default: ${default})."`
	Seats       int            `placeholder:"N" default:"2" help:"Desks there are, and as many partners; as many as needed register. 0: none, the server answers by itself (default: ${default})."`
	Rate        float64        `placeholder:"N" default:"10" help:"Calls begun per second, and keys pressed (default: ${default})."`
	AnswerAfter time.Duration  `placeholder:"TIME" default:"0s" help:"How long our phones ring before they answer (default: ${default})."`
	PID         int            `name:"pid" placeholder:"PID" help:"Also measure CPU, memory and threads of this process: the server, when it is on this machine."`
	JSON        bool           `name:"json" help:"Print JSON instead of the table."`
}

// check names every option that will not do.
func (t Target) check() error {
	return errors.Join(
		allowed(t.Server.IsValid() && t.Server.Port() != 0, "server", t.Server,
			"an IP address with a port, no host name"),
		allowed(t.From.IsValid() && !t.From.IsUnspecified(), "from", t.From, "an IP address of this machine"),
		allowed(t.At.IsValid() && !t.At.IsUnspecified(), "at", t.At, "an IP address of this machine"),
		allowed(t.Seats >= 0 && t.Seats <= MaxLabSeats, "seats", t.Seats, fmt.Sprintf("0 to %d", MaxLabSeats)),
		allowed(t.Rate > 0 && t.Rate <= maxRate, "rate", t.Rate,
			fmt.Sprintf("more than 0, at most %d calls per second", maxRate)),
		allowed(t.AnswerAfter >= 0 && t.AnswerAfter < patience, "answer-after", t.AnswerAfter, "0s to less than 10s"),
		allowed(t.PID >= 0, "pid", t.PID, "the id of a process"),
		allowed(t.To != "" && !strings.ContainsAny(t.To, " <>\r\n"), "to", t.To, "a number or user"),
	)
}

func allowed(ok bool, name string, got any, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w --%s: %v will not do; allowed: %s", ErrOption, name, got, what)
}

func (t Target) checkCalls(calls int, seats bool) error {
	err := allowed(calls > 0 && calls <= maxCalls && float64(calls) <= t.Rate*maxDuration.Seconds(), "calls", calls,
		fmt.Sprintf("1 to %d, and no more than are begun within %s at the --rate", maxCalls, maxDuration))
	if err == nil && seats && calls > t.Seats {
		return fmt.Errorf("%w --seats: %d calls need as many seats on each line, and there are %d; the server's config must have them too (liandong-load lab --seats %d makes one)",
			ErrOption, calls, t.Seats, calls)
	}
	return err
}

func checkDuration(name string, d time.Duration) error {
	return allowed(d > 0 && d <= maxDuration, name, d, "more than 0s, at most "+maxDuration.String())
}

// reachable says whether we may deal with an address: only with those that the command line names.
func (t Target) reachable(a netip.Addr) bool {
	return a == t.Server.Addr().Unmap() || slices.Contains(t.MediaAllow, a)
}

// callee is whom call n calls.
func (t Target) callee(n int) string {
	user := strconv.Itoa(t.Desk)
	if t.Seats > 0 {
		user = strconv.Itoa(t.Desk + n%t.Seats)
	}
	return strings.NewReplacer("{user}", user, "{n}", strconv.Itoa(n)).Replace(t.To)
}

// index is the inverse of the caller's number: which call an INVITE of the server's is about. false: it does not show.
func (t Target) index(id phone.Identity, calls int) (int, bool) {
	for _, number := range append(id.PAI, id.From) {
		const digits = 9 // enough to tell calls apart, whatever prefix the server adds
		number = number[max(0, len(number)-digits):]
		got, err := strconv.ParseUint(number, 10, 64)
		if n := (got + 1e9 - t.Number%1e9) % 1e9; err == nil && n < uint64(calls) {
			return int(n), true
		}
	}
	return 0, false
}

func (t Target) codec() phone.Codec {
	if t.Codec == "pcmu" {
		return phone.PCMU
	}
	return phone.PCMA
}
