package load

import (
	"net/netip"

	"liandong/cmd/internal/phone"
	"liandong/media/codec"
	"liandong/media/prompt"
)

// voice is a stream as the phone that signals for it sees it.
type voice struct {
	thread *thread
	stream *stream
}

var laws = map[phone.Codec]codec.ID{phone.PCMA: codec.PCMA, phone.PCMU: codec.PCMU}

// newVoice opens a stream on the thread whose turn it is.
func (e *engine) newVoice(s side, at netip.Addr, clip prompt.Clip) (*voice, error) {
	id := e.id(s)
	t := e.threads[int(id)%len(e.threads)]
	v := &voice{t, newStream(id, s, &t.window)}
	v.stream.voice = clip
	// The beginnings are spread over the clip, so that no two parties say the same at once.
	v.stream.spoken = int(id) * 37 % clip.Len()
	if err := t.open(v.stream, at); err != nil {
		return nil, err
	}
	return v, nil
}

// Addr is where the stream hears.
func (v *voice) Addr() netip.AddrPort { return v.stream.addr }

// Connect lets the stream speak as was agreed.
func (v *voice) Connect(t phone.Talk) {
	to, s := sockaddr(t.To), v.stream
	v.thread.post(func() {
		if s.fd < 0 {
			return
		}
		if s.sealing.Rekey(t.Ours, t.Theirs) != nil {
			return // it stays silent, which is seen
		}
		s.marker = s.marker || s.sending != t.Sends
		s.to, s.sending, s.law, s.events = to, t.Sends, laws[t.Codec], t.Events
	})
}

// Mute ends what is said.
func (v *voice) Mute() { v.thread.post(func() { v.stream.sending = false }) }

// Close ends the stream; what it counted stays.
func (v *voice) Close() { v.thread.post(func() { v.thread.drop(v.stream) }) }

// press lets the stream press keys by RFC 4733; false: the other side takes none.
func (v *voice) press(keys string) (ok bool) {
	v.thread.do(func() {
		if ok = v.stream.events != 0 && v.stream.sending; ok {
			v.stream.keys.Queue(keys)
		}
	})
	return ok
}

// silentMedia is the voice of a call that takes no part in its sound: a port that the server may send to.
type silentMedia struct{ addr netip.AddrPort }

func (m silentMedia) Addr() netip.AddrPort { return m.addr }
func (m silentMedia) Connect(phone.Talk)   {}
func (m silentMedia) Mute()                {}
func (m silentMedia) Close()               {}
