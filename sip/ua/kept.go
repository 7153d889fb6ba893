package ua

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"liandong/sip/auth"
	"liandong/sip/leg"
	"liandong/sip/location"
)

// What outlives the process is told to Config.Keep as it changes, by keys of these kinds, and read by [UA.Restore].
const (
	keptSecret  = "secret"   // signs nonces and tags
	keptNonce   = "nonce/"   // how often one was used, 8 bytes; see auth.Config.Keep
	keptUser    = "user/"    // registrations, a keptRecords
	keptRest    = "rest/"    // of a connection that is kept: what has come of the next message
	keptGlimpse = "glimpse/" // of such a connection, a glimpse: what is being read
	// of one: a message that was read and not taken yet, after its number and its time, 8 bytes each
	keptNote = "note/"
)

// keptRecords are a user's registrations. Times are those of Config.Now, in nanoseconds since 1970.
type keptRecords struct {
	Version int
	Records []keptRecord
	Gone    []keptGone `cbor:",omitempty"`
}

// keptGone is a phone that answers no more, of which other switches may not know yet.
type keptGone struct {
	Key     string
	CallID  string
	CSeq    uint32
	Since   int64
	Expires int64
}

type keptRecord struct {
	Contact   string
	Before    []string
	Path      []string `cbor:",omitempty"`
	Flow      leg.Flow
	Expires   int64
	UserAgent string
	Phone     string
	Key       string
	CallID    string
	CSeq      uint32
	Since     int64  `cbor:",omitempty"`
	Node      string `cbor:",omitempty"`
	Behind    bool
	Lost      bool
}

// keptVersion is that of what is written; what is unknown of a newer one is passed over.
const keptVersion = 1

func (r record) kept() keptRecord {
	return keptRecord{
		Contact: r.Contact, Before: r.Before, Path: r.Path, Flow: r.Flow, Expires: r.Expires.UnixNano(),
		UserAgent: r.UserAgent, Phone: r.phone,
		Key: r.key, CallID: r.callID, CSeq: r.cseq, Since: r.since.UnixNano(), Node: r.node, Behind: r.behind,
		Lost: r.lost,
	}
}

func (k keptRecord) record(user string) record {
	return record{
		Binding: Binding{
			User: user, Contact: k.Contact, Before: k.Before, Path: k.Path, Flow: k.Flow,
			Expires:   time.Unix(0, k.Expires),
			UserAgent: k.UserAgent, phone: k.Phone,
		},
		key: k.Key, callID: k.CallID, cseq: k.CSeq, since: time.Unix(0, k.Since), node: k.Node, behind: k.Behind,
		lost: k.Lost,
	}
}

// keep tells of a value; nil: there is none any more.
func (u *UA) keep(key string, value []byte) {
	if u.cfg.Keep != nil {
		u.cfg.Keep(key, value)
	}
}

func (u *UA) keepRecords(user string, list []record) {
	if u.cfg.Keep == nil {
		return
	}
	gone := u.registrar.gone[user]
	if len(list)+len(gone) == 0 {
		u.keep(keptUser+user, nil)
		return
	}
	k := keptRecords{Version: keptVersion}
	for _, b := range gone {
		k.Gone = append(k.Gone, keptGone{b.Key, b.CallID, b.CSeq, b.Since.UnixNano(), b.Expires.UnixNano()})
	}
	for _, r := range list {
		k.Records = append(k.Records, r.kept())
	}
	u.keepAs(keptUser+user, k)
}

func (u *UA) keepAs(key string, v any) {
	value, err := cbor.Marshal(v)
	if err != nil { // none of our values is of a kind that has no form
		panic(err)
	}
	u.keep(key, value)
}

func (u *UA) keepNonce(nonce string, count int64) {
	if count == auth.Forgotten {
		u.keep(keptNonce+nonce, nil)
		return
	}
	u.keep(keptNonce+nonce, binary.BigEndian.AppendUint64(nil, uint64(count)))
}

var errKept = errors.New("ua: a kept value cannot be read")

// Restore takes what a process before this one has kept, before Start: phones go on registered, with their nonces, and
// what they had begun to say is not lost. What cannot be read is left out and told in the error.
func (u *UA) Restore(kept iter.Seq2[string, []byte]) error {
	var faults []error
	nonces := map[string]int64{}
	for key, value := range kept {
		if err := u.restore(key, value, nonces); err != nil {
			faults = append(faults, fmt.Errorf("%w: %q: %w", errKept, key, err))
		}
	}
	u.digest = newDigest(u.cfg.Realm, u.secret, u.keepNonce)
	if u.restored {
		u.digest.Restore(nonces)
	}
	return errors.Join(faults...)
}

func (u *UA) restore(key string, value []byte, nonces map[string]int64) error {
	if name, ok := strings.CutPrefix(key, keptNonce); ok && len(value) == 8 {
		nonces[name] = int64(binary.BigEndian.Uint64(value))
		return nil
	}
	if user, ok := strings.CutPrefix(key, keptUser); ok {
		return u.restoreRecords(user, value)
	}
	if name, ok := strings.CutPrefix(key, keptRest); ok {
		u.rests[name] = value
		return nil
	}
	if name, ok := strings.CutPrefix(key, keptGlimpse); ok {
		var p glimpse
		err := cbor.Unmarshal(value, &p)
		u.glimpses[name] = p
		return err
	}
	if name, ok := strings.CutPrefix(key, keptNote); ok && len(value) > 16 {
		name, _, _ = strings.Cut(name, "#")
		u.notes[name] = append(u.notes[name], readNote(key, value))
		return nil
	}
	if key == keptSecret && len(u.cfg.Secret) == 0 {
		u.secret, u.restored = value, true
	}
	return nil
}

// restoreRecords: an account that is gone, or is on another network by now, is not registered any more.
func (u *UA) restoreRecords(user string, value []byte) error {
	var k keptRecords
	if err := cbor.Unmarshal(value, &k); err != nil {
		return err
	}
	var gone []location.Binding
	for _, g := range k.Gone {
		if b := (location.Binding{User: user, Key: g.Key, CallID: g.CallID, CSeq: g.CSeq, Gone: true, Node: u.cfg.Node,
			Since: time.Unix(0, g.Since), Expires: time.Unix(0, g.Expires)}); u.now().Before(b.Expires) {
			gone = append(gone, b)
		}
	}
	var list []record
	for _, r := range k.Records {
		if u.origins.Load().user(r.Flow.Network, user) && u.now().Before(time.Unix(0, r.Expires)) {
			list = append(list, r.record(user))
		}
	}
	u.registrar.restore(user, list[:min(len(list), u.cfg.MaxContacts)], gone)
	return nil
}

// missing marks the phones whose connection has not come over: each is known again by its next REGISTER, or at its
// Contact.
func (u *UA) missing() {
	for _, flow := range u.registrar.streams() {
		if u.conns.get(connKey{flow.Network, flow.Remote, flow.Transport == "tls"}) == nil {
			u.registrar.flowEnded(flow, reachable)
		}
	}
}

// keepRest keeps what has come of the next message; false: the connection is not kept.
func (c *conn) keepRest(rest []byte) bool {
	name := c.name()
	switch {
	case name == "":
		return false
	case len(rest) == 0:
		c.u.keep(keptRest+name, nil)
	default:
		c.u.keep(keptRest+name, bytes.Clone(rest))
	}
	return true
}

// glimpse is what has come by a connection and may still be in its socket: a process may die after it has looked at it
// and before all of it is noted, or has been taken out of the socket.
type glimpse struct {
	Data  []byte
	Rest  []byte // what had come before of the message that Data begins with
	Noted uint64 // the last note before
}

// next reads what has come, behind rest. Where the connection outlives the process it stays in the socket until noted
// is called, when all of it stands in the journal.
func (c *conn) next(buf, rest []byte) (n int, noted func(), err error) {
	name := c.name()
	tcp, ok := c.nc.(*net.TCPConn)
	if name == "" || !ok || c.u.cfg.Keep == nil {
		n, err = c.nc.Read(buf)
		return n, func() {}, err
	}
	if n, err = peekConn(tcp, buf); n == 0 {
		return 0, func() {}, cmp.Or(err, io.EOF)
	}
	c.u.keepAs(keptGlimpse+name, glimpse{Data: buf[:n], Rest: rest, Noted: c.noted})
	return n, func() {
		consume(tcp, buf[:n])
		c.u.keep(keptGlimpse+name, nil)
	}, err
}

// resumeGlimpse has the bytes read again that the process before had only peeked at. Its notes of them are dropped:
// nobody has taken them.
func (c *conn) resumeGlimpse(tcp *net.TCPConn, p glimpse, notes []note) []note {
	now := make([]byte, len(p.Data))
	if n := peekNow(tcp, now); n == len(now) && bytes.Equal(now, p.Data) {
		c.rest = p.Rest
		c.keepRest(c.rest)
		notes = slices.DeleteFunc(notes, func(n note) bool {
			if n.number > p.Noted {
				c.u.unnote(n.kept)
			}
			return n.number > p.Noted
		})
	}
	c.u.keep(keptGlimpse+c.name(), nil)
	return notes
}

// name is what the keeper knows the connection as; "": it ends with this process.
func (c *conn) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kept
}

// note is a message of a connection that goes on.
type note struct {
	arrival
	number uint64
	at     time.Time
}

const (
	// maxNoted messages of a connection are kept at a time: one that nobody takes makes room for one so much later.
	maxNoted = 64
	// notedFor so long a message is handled by another process: RFC 3261 §17.1.2.2, nobody waits for it any longer.
	notedFor = 32 * time.Second
)

// noteOf is the key of one message alone: whoever takes it late takes no other with it.
func noteOf(name string, number uint64) string { return fmt.Sprintf("%s%s#%d", keptNote, name, number) }

// note keeps a message until it is taken; "": the connection is not kept.
func (c *conn) note(msg []byte) string {
	name, number := c.nextNote()
	if name == "" || c.u.cfg.Keep == nil {
		return ""
	}
	if number > maxNoted {
		c.u.keep(noteOf(name, number-maxNoted), nil)
	}
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 16+len(msg)), number)
	value = binary.BigEndian.AppendUint64(value, uint64(c.u.now().UnixNano()))
	key := noteOf(name, number)
	c.u.keep(key, append(value, msg...))
	return key
}

func readNote(key string, value []byte) note {
	return note{
		arrival: arrival{data: value[16:], kept: key}, number: binary.BigEndian.Uint64(value),
		at: time.Unix(0, int64(binary.BigEndian.Uint64(value[8:]))),
	}
}

// nextNote is the number of the next message, and what the keeper knows the connection as; "": it is not kept.
func (c *conn) nextNote() (name string, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.kept == "" {
		return "", 0
	}
	c.noted++
	return c.kept, c.noted
}

// dropNotes: a connection has ended, and what is still noted of it is nobody's.
func (u *UA) dropNotes(name string, last uint64) {
	for i := range min(last, maxNoted) {
		u.keep(noteOf(name, last-i), nil)
	}
}

// unnote: a message has been taken, or is nobody's.
func (u *UA) unnote(key string) {
	if key != "" {
		u.keep(key, nil)
	}
}

// resumeNotes has the connection begin with what the process before had read of it.
func (c *conn) resumeNotes(all []note) {
	slices.SortFunc(all, func(a, b note) int { return cmp.Compare(a.number, b.number) })
	for _, n := range all {
		c.noted = n.number
		if c.u.now().Sub(n.at) > notedFor {
			c.u.unnote(n.kept)
			continue
		}
		c.unread = append(c.unread, n.arrival)
	}
}

// newSecret makes the secret of a UA, unless the config has one.
func newSecret(given []byte) []byte {
	if len(given) > 0 {
		return given
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, crypto/rand says
	return secret
}

// SteadyClock is the time since a process has begun, added to what the wall clock said then: it does not move when
// that one is set.
func SteadyClock() func() time.Time {
	begun := time.Now()
	return func() time.Time { return begun.Round(0).Add(time.Since(begun)) }
}
