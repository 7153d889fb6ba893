package trace

import (
	"slices"
	"sync"
	"time"

	"liandong/cmd/internal/object"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/sip/capture"
)

// Book keeps what calls have done. Safe for use by several goroutines; who tells it something never waits. A nil Book
// keeps nothing.
type Book struct {
	ring *capture.Ring
	disk *Disk // nil: nothing outlives the memory

	mu   sync.Mutex
	legs map[string][]*gathered // guarded by mu; measurements by call
	rtp  []sniffed              // guarded by mu; calls whose RTP headers are kept, the oldest first
}

// sniffed is a call whose RTP headers are kept.
type sniffed struct {
	ref   string
	heads *capture.Heads
}

// mostSniffed are calls whose RTP headers are kept at once.
const mostSniffed = 16

// Sniff gives the place for the RTP headers of a call; nil: it has one. Where there are too many the call that was
// asked for first, last, has no place any more.
func (b *Book) Sniff(ref string) (heads *capture.Heads, last string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heads(ref) != nil {
		return nil, ""
	}
	if len(b.rtp) == mostSniffed {
		last = b.rtp[0].ref
		b.rtp = slices.Delete(b.rtp, 0, 1)
	}
	heads = capture.NewHeads()
	b.rtp = append(b.rtp, sniffed{ref, heads})
	return heads, last
}

// Unsniff gives the place of a call back, of which no packets will come.
func (b *Book) Unsniff(ref string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rtp = slices.DeleteFunc(b.rtp, func(s sniffed) bool { return s.ref == ref })
}

// heads are those of a call, nil: none. Caller holds mu.
func (b *Book) heads(ref string) *capture.Heads {
	for _, s := range b.rtp {
		if s.ref == ref {
			return s.heads
		}
	}
	return nil
}

// RTP are the headers of a call that are kept, in order of time.
func (b *Book) RTP(ref string) []capture.RTP {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	h := b.heads(ref)
	b.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.All()
}

// NewBook keeps so many bytes.
func NewBook(room int) *Book {
	return &Book{ring: capture.NewRing(room), legs: map[string][]*gathered{}}
}

// Spill keeps what comes in files as well. It is given before anything comes, and is the book's from then on.
func (b *Book) Spill(to *Disk) { b.disk = to }

// Close brings what waits for the disk to it.
func (b *Book) Close() {
	if b != nil && b.disk != nil {
		b.settleAll()
		b.disk.Stop()
	}
}

// Message takes a message.
func (b *Book) Message(m capture.Message) {
	b.ring.Message(m)
	if b.disk != nil {
		kept := m
		b.disk.Put(capture.Entry{Message: &kept})
	}
}

// unkept are events that would fill the book and tell little.
var unkept = map[string]bool{"talking": true}

// dropped are fields that say who calls, without a mask, or that tell nothing of the moment.
var dropped = []string{"caller_e164", "caller_raw", "call_at", "ref"}

// Event takes what is told of a call, with its own reference in ref where call_ref is that of the switch before.
func (b *Book) Event(it news.Item) {
	ref, also := it.Get("call_ref"), ""
	if own := it.Get("ref"); own != "" {
		ref, also = own, ref
	}
	if b == nil || ref == "" || unkept[it.Event] {
		return
	}
	switch it.Event {
	case measured:
		b.measure(ref, also, it.Fields, time.Now())
		return
	case "ended", "gone":
		b.settle(ref)
	}
	shown := object.Shown{Without: dropped, Filled: true, Also: news.Fields{{Name: "caller", Value: it.Caller}}}
	b.note(ref, also, shown.Append(nil, it.Fields))
}

// Teller is Event for who would have nobody to tell; nil: there is no book.
func (b *Book) Teller() func(news.Item) {
	if b == nil {
		return nil
	}
	return b.Event
}

// Entry takes an entry of a ticket. What citizens have said in it is not kept.
func (b *Book) Entry(t ticket.Entry) {
	if b == nil {
		return
	}
	b.note(t.CallRef, "", object.Shown{Filled: true}.Append(nil, news.Of(
		news.Field{Name: "event", Value: "stub"}, news.Field{Name: "detail", Value: string(t.Event)},
		news.Field{Name: "stub_id", Value: t.StubID}, news.Field{Name: "from", Value: t.From},
		news.Field{Name: "to", Value: t.To}, news.Field{Name: "result", Value: string(t.Result)},
		news.Field{Name: "owner", Value: t.DecidedOwner}, news.Field{Name: "lines", Value: t.From + "," + t.To},
	)))
}

func (b *Book) note(ref, also string, data []byte) {
	n := capture.Note{At: time.Now(), Ref: ref, Also: also, Data: data}
	b.ring.Note(n)
	if b.disk != nil {
		kept := n
		b.disk.Put(capture.Entry{Note: &kept})
	}
}

// Of lists what is known of a call, in order of time.
func (b *Book) Of(ref string) (all []capture.Entry, lost int) {
	if b == nil {
		return nil, 0
	}
	all, lost = b.ring.Of(ref)
	all = append(all, b.unsettled(ref)...)
	if b.disk != nil {
		known := len(all)
		all = union(all, b.disk.Of(ref, dialogsOf(all)))
		lost = max(0, lost-(len(all)-known))
	}
	return all, lost
}

// Quality is how the legs of a call have sounded, as somebody may know of it, as far as that is in memory.
func (b *Book) Quality(ref string, of Eyes) []Sound {
	if b == nil {
		return nil
	}
	all, _ := b.ring.Of(ref)
	all = slices.DeleteFunc(append(all, b.unsettled(ref)...), func(e capture.Entry) bool { return e.Note == nil })
	seen, _ := of.See(ref, all)
	return Of(ref, seen, 0).Quality
}

// DiskStats are those of the files: their bytes, and the entries that the disk has not taken.
func (b *Book) DiskStats() (size, dropped int64) {
	if b == nil {
		return 0, 0
	}
	return b.disk.Stats()
}

// Stats are figures for the metrics page.
func (b *Book) Stats() capture.Stats {
	if b == nil {
		return capture.Stats{}
	}
	return b.ring.Stats()
}
