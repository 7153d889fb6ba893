// Package capture keeps the last SIP messages of each call, and what was told of it meanwhile, for whoever looks at the
// call afterwards.
//
// Who gives it a message never waits: what is kept is bounded in bytes, in all and by dialog, and the oldest makes
// room. Secrets are masked before anything is kept: answers to challenges, keys of SRTP, passwords in URIs.
package capture

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Message is a SIP message that has passed a socket. Immutable.
type Message struct {
	At        time.Time      `json:"at"`
	Ref       string         `json:"ref,omitempty"` // of its call; "": it is not known yet, or there is none
	CallID    string         `json:"call_id"`
	Out       bool           `json:"out,omitempty"` // sent by the switch
	Network   string         `json:"network"`
	Transport string         `json:"transport"` // udp, tcp, tls
	Local     netip.AddrPort `json:"local"`
	Remote    netip.AddrPort `json:"remote"`
	Text      []byte         `json:"text"`
	Fault     string         `json:"fault,omitempty"` // why it could not be sent
}

// Note is something that was told of a call: a JSON object of strings. Immutable.
type Note struct {
	At   time.Time `json:"at"`
	Ref  string    `json:"ref"`
	Also string    `json:"also,omitempty"` // what another switch calls the same call
	Data []byte    `json:"data"`
}

// Entry is a message or a note; one of both is set. Immutable.
type Entry struct {
	Message *Message `json:"message,omitempty"`
	Note    *Note    `json:"note,omitempty"`
}

// at is when it was.
func (e Entry) at() time.Time {
	if e.Message != nil {
		return e.Message.At
	}
	return e.Note.At
}

// overhead is what an entry takes beside its text, in bytes.
const overhead = 400

func (e Entry) size() int {
	if e.Message != nil {
		return overhead + len(e.Message.Text) + len(e.Message.CallID) + len(e.Message.Fault)
	}
	return overhead + len(e.Note.Data)
}

// Ring holds the last entries of all calls. Safe for use by several goroutines; nobody waits in it.
type Ring struct {
	room, share int // bytes in all, and of one dialog

	mu      sync.Mutex
	size    int                 // guarded by mu
	oldest  *item               // guarded by mu; a list in the order in which they came
	newest  *item               // guarded by mu
	dialogs map[string]*thread  // guarded by mu; messages by Call-ID
	stories map[string]*thread  // guarded by mu; notes by call
	ties    map[string][]string // guarded by mu; Call-IDs by call
	names   map[string]string   // guarded by mu; calls by what other switches call them
	dropped uint64              // guarded by mu; entries that have made room
}

// item is an entry in its place.
type item struct {
	Entry
	of         *thread
	prev, next *item
}

// thread is what belongs together: the messages of a Call-ID, or the notes of a call.
type thread struct {
	items []*item
	size  int
	lost  int      // how many have made room
	with  []string // of a dialog: its calls
	also  string   // another name of a call
	name  string
	notes bool

	roomItems [8]*item // for items, as most need it
	roomWith  [1]string
}

// head is how many entries of a dialog stay where the others make room: they say how it began.
const head = 16

// NewRing makes one for so many bytes. No dialog has more than a sixteenth.
func NewRing(room int) *Ring {
	return &Ring{room: room, share: room / 16, dialogs: map[string]*thread{}, stories: map[string]*thread{},
		ties: map[string][]string{}, names: map[string]string{}}
}

// Message keeps a message whose secrets are masked.
func (r *Ring) Message(m Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.Ref != "" {
		r.tie(m.Ref, m.CallID)
	}
	one := &struct { // in one piece, as there are many
		item
		kept Message
	}{kept: m}
	one.Message = &one.kept
	r.add(r.thread(r.dialogs, m.CallID, false), &one.item)
}

// Note keeps what is told of a call.
func (r *Ring) Note(n Note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own, ok := r.names[n.Ref]; ok {
		n.Ref = own
	}
	t := r.thread(r.stories, n.Ref, true)
	if n.Also != "" && t.also == "" {
		t.also = n.Also
		r.names[n.Also] = n.Ref
	}
	one := &struct {
		item
		kept Note
	}{kept: n}
	one.item.Note = &one.kept
	r.add(t, &one.item)
}

// maxDialogs bounds those of one call that are found: more are no call's.
const maxDialogs = 256

// tie notes that a dialog is of a call. Caller holds mu.
func (r *Ring) tie(ref, callID string) {
	if of := r.ties[ref]; !slices.Contains(of, callID) && len(of) < maxDialogs {
		r.ties[ref] = append(of, callID)
		t := r.thread(r.dialogs, callID, false)
		t.with = append(t.with, ref)
	}
}

// thread is the one of a name. Caller holds mu.
func (r *Ring) thread(of map[string]*thread, name string, notes bool) *thread {
	t := of[name]
	if t == nil {
		t = &thread{name: name, notes: notes}
		t.items, t.with = t.roomItems[:0], t.roomWith[:0]
		of[name] = t
	}
	return t
}

// add puts an entry at the end. Caller holds mu.
func (r *Ring) add(t *thread, it *item) {
	it.of, it.prev = t, r.newest
	if r.newest != nil {
		r.newest.next = it
	} else {
		r.oldest = it
	}
	r.newest = it
	t.items = append(t.items, it)
	t.size += it.size()
	r.size += it.size()
	for t.size > r.share && len(t.items) > 1 {
		r.remove(t.items[min(head, len(t.items)-2)])
	}
	for r.size > r.room && r.oldest != nil {
		r.remove(r.oldest)
	}
}

// remove makes room. Caller holds mu.
func (r *Ring) remove(it *item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		r.oldest = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		r.newest = it.prev
	}
	it.prev, it.next = nil, nil // who looks at it holds nothing else
	t := it.of
	i := slices.Index(t.items, it) // it is among the first
	t.items = slices.Delete(t.items, i, i+1)
	t.size -= it.size()
	r.size -= it.size()
	t.lost++
	r.dropped++
	if len(t.items) == 0 {
		r.forget(t)
	}
}

// forget takes an empty thread out of the books. Caller holds mu.
func (r *Ring) forget(t *thread) {
	if t.notes {
		delete(r.stories, t.name)
		if r.names[t.also] == t.name {
			delete(r.names, t.also)
		}
		return
	}
	delete(r.dialogs, t.name)
	for _, ref := range t.with {
		of := slices.DeleteFunc(r.ties[ref], func(id string) bool { return id == t.name })
		if r.ties[ref] = of; len(of) == 0 {
			delete(r.ties, ref)
		}
	}
}

// Of lists what is known of a call, in order of time: its notes and the messages of all its dialogs. lost counts what
// has made room.
func (r *Ring) Of(ref string) (all []Entry, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if own, ok := r.names[ref]; ok && r.stories[ref] == nil {
		ref = own
	}
	threads := []*thread{r.stories[ref]}
	for _, id := range r.ties[ref] {
		threads = append(threads, r.dialogs[id])
	}
	for _, t := range threads {
		if t == nil {
			continue
		}
		lost += t.lost
		for _, it := range t.items {
			all = append(all, it.Entry)
		}
	}
	Sort(all)
	return all, lost
}

// Sort puts entries in order of time.
func Sort(all []Entry) {
	slices.SortStableFunc(all, func(a, b Entry) int { return a.at().Compare(b.at()) })
}

// Stats are figures for the metrics page.
type Stats struct {
	Bytes, Calls int
	Dropped      uint64 // entries that have made room
}

// Stats counts now.
func (r *Ring) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Bytes: r.size, Calls: cmp.Or(len(r.stories), len(r.ties)), Dropped: r.dropped}
}
