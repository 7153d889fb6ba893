package keeper

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// kind is what a message says. It is one byte on the line; a kind that is not known is passed over, so that a keeper
// and a worker of different versions understand each other.
type kind byte

const (
	hold         kind = 'H' // descriptors with their names: for keeping, or, from the keeper, what is kept
	drop         kind = 'D' // names whose descriptors need not be kept any longer
	waiting      kind = 'W' // a process has done all that it can before it is told to go; with its Hello
	begin        kind = 'B' // the waiting process is the worker now, and has been sent what is kept; with the Status
	ready        kind = 'R' // the worker takes calls; with its Ready
	status       kind = 'S' // the Status has changed
	yield        kind = 'Y' // the worker is to leave the calls to another and end; with lasting: but its sound goes on
	leftCalls    kind = 'L' // the worker has left the calls to another, all but their sound
	takeSound    kind = 'T' // the worker is ready to carry their sound: whoever does is to stop
	stopSound    kind = 'U' // who has left is to stop its sound, too, and end
	lastWord     kind = 'N' // a word of who has left to the worker, which the keeper passes on as it is
	soundStopped kind = 'Z' // it has stopped: the sound is the worker's, who has been passed all words
	soundGoesOn  kind = 'A' // the worker carries it
	replace      kind = 'E' // the worker asks for another in its place, who reads the config again
	verdict      kind = 'V' // how the worker's self-test ended; with what failed; "": nothing
	ping         kind = 'P' // the other side is to answer with a pong
	pong         kind = 'O'
)

// Bounds of a message. The line keeps messages apart; each arrives whole or not at all.
const (
	maxMessage = 32 << 10 // bytes
	maxName    = 200      // bytes
	maxNames   = 64       // of one message; SCM_MAX_FD is 253
)

// message is what goes over the line between a keeper and its children.
type message struct {
	kind  kind
	names []string // of hold and drop
	body  []byte   // of the others: JSON or a word
	fds   []int    // of hold: as many as names; whoever has the message owns them
}

// lasting is what a yield says to a worker whose sound can go on until another is ready for it, and hushed of one whose
// sound did.
const lasting = "lasting"

var errMessage = errors.New("keeper: not a message")

// encode prints a message without its descriptors.
func (m message) encode() []byte {
	if m.kind.named() {
		return append([]byte{byte(m.kind)}, strings.Join(m.names, "\n")...)
	}
	return append([]byte{byte(m.kind)}, m.body...)
}

// decode reads a message; its descriptors came beside it.
func decode(b []byte, fds []int) (message, error) {
	if len(b) == 0 || len(b) > maxMessage {
		return message{}, fmt.Errorf("%w: %d bytes", errMessage, len(b))
	}
	m := message{kind: kind(b[0]), fds: fds}
	if !m.kind.named() {
		m.body = slices.Clone(b[1:])
		return m, nil
	}
	m.names = strings.Split(string(b[1:]), "\n")
	for _, name := range m.names {
		if !named(name) {
			return message{}, fmt.Errorf("%w: the name %q", errMessage, name)
		}
	}
	if len(m.names) > maxNames || m.kind == hold && len(m.names) != len(fds) {
		return message{}, fmt.Errorf("%w: %d names with %d descriptors", errMessage, len(m.names), len(fds))
	}
	return m, nil
}

func (k kind) named() bool { return k == hold || k == drop }

// named says that a descriptor may be called so: printable ASCII, as sip/udp/127.0.0.1:5060.
func named(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
