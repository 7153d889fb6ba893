package engine

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"time"

	"liandong/media/codec"
	"liandong/media/dtmf"
	"liandong/media/mixer"
	"liandong/media/pcm"
	"liandong/media/prompt"
	"liandong/media/report"
	"liandong/media/socket"
)

// mode is how the sound that a leg hears is made.
type mode uint8

const (
	silent   mode = iota // nothing to hear
	relaying             // one party's packets, passed on as they arrive
	playing              // a playlist, from frames encoded in advance
	mixing               // decoded, summed and encoded in the tick
)

// comfort is what a party hears that has nothing to hear.
var comfort = prompt.Comfort()

// pair is the two open ports of a leg.
type pair struct {
	network   string
	port      uint16
	rtp, rtcp socket.ID
	kept      *keptPair // nil: no call has had them before
}

// leg is one party of a room. Owned by the shard's thread. A relay of a thousand legs finds
// none of them in the cache: what each packet touches stands together, in front.
type leg struct {
	stream      Stream
	ready       bool        // a Stream has come
	lost        bool        // MediaLost was said
	keyDown     bool        // DigitReleased is still to come
	care        socket.Care // for its RTP
	mode        mode
	mixers      int     // who hear it in the tick
	relays      []*leg  // who hear it packet by packet
	first       [2]*leg // where relays begins
	shard       *shard
	heardAt     time.Time // last packet, or when Receive began
	mutedTill   time.Time // a key is down: its tone must not be heard beside the event
	dialTill    time.Time // a key is being sent: it takes the place of sound
	record      Record    // who keeps what it says
	latch       latch
	reception   report.Reception
	loudness    loudness
	toneKeys    *toneKeys // nil: keys do not come as tones here
	rewriter    rewriter
	out         outgoing
	protection  protection
	inbound     inbound
	carried     *carried // what the kernel relays to it; nil: nothing
	feeds       *leg     // to whom the kernel relays what the party sends; nil: to nobody
	left        *left    // what the kernel relays to it for the process before; nil: nothing
	owed        []copied // what it has said, for who is to record it here
	packer      *packer  // nil: frames are encoded one by one, most of them in advance
	pair        pair
	room        *room
	id          LegID
	silence     silence
	checkpoints checkpoints
	crossfade   crossfade

	// Touched by each tick as well.
	codecs     [128]codec.ID
	course     course // of what it is relayed
	voice      voice
	sources    []*leg // that are heard
	player     player
	ear        mixer.Output
	hears      uint64 // stands for mode and sources
	mixes      uint64 // stands for those of them that are in the mix, and their gains
	noise      int    // the frame of comfort noise that is due
	quietTicks int
	noisy      bool // the party has sent comfort noise
	spoke      bool // it has sent sound
	tones      tones
	dial       dtmf.Sender
	reports    reports

	// Seldom touched.
	keys     dtmf.Receiver
	listen   Listen
	played   Position // of a playlist, in the process before
	unsent   string   // keys from before the first Stream
	feedback report.Feedback
	opinion  opinion
	down     pcm.Downsampler // of the mix, for who hears narrowband
	about    any             // of its Close
}

func newLeg(r *room, o openLeg) *leg {
	l := &leg{
		id: o.id, room: r, shard: r.shard, pair: o.pair,
		latch:   latch{need: r.shard.cfg.LatchPackets, permits: r.shard.cfg.Networks[o.pair.network].Latch},
		out:     newOutgoing(),
		noise:   rand.IntN(comfort.Len()),
		reports: newReports(),
	}
	l.relays = l.first[:0]
	return l
}

func (l *leg) network() Network { return l.shard.cfg.Networks[l.pair.network] }

// configure applies what offer and answer came to.
func (l *leg) configure(c Stream, now time.Time) {
	if !c.Codec.Known() {
		l.shard.log.Warn("stream with unknown codec ignored", "session", l.room.session.ref, "leg", l.id, "codec",
			c.Codec)
		return
	}
	if err := l.protection.protect(c); err != nil {
		l.shard.log.Error("stream with unusable keys ignored", "session", l.room.session.ref, "leg", l.id, "err", err)
		return
	}
	l.latch.signaller = c.Signaller
	if usable(c.Remote) {
		l.latch.signal(c.Remote, l.stream.Remote)
	} else {
		c.Remote = l.stream.Remote // c=0.0.0.0 is a hold, the party has not moved
	}
	if !l.ready || c.Receive != l.stream.Receive {
		l.silence.since, l.silence.said = now, false
	}
	if c.Receive && !l.stream.Receive || c.Timeout != l.stream.Timeout {
		l.heardAt, l.lost = now, false
	}
	l.codecs, l.dial.ClockRate = payloadTypes(c), c.Codec.ClockRate()
	first, before := !l.ready, l.stream
	other := first || c.Codec != before.Codec || packetTime(c.Ptime) != packetTime(before.Ptime)
	if other || c.PT != before.PT || !c.Send {
		l.unpack()
	}
	l.stream, l.ready = c, true
	l.checkpoints.changed = true
	if other {
		l.recode(before.Codec, now)
	}
	if first {
		l.reports.start(now)
		l.press(l.unsent)
	}
}

// recode makes what the party hears in another codec than before, or in packets of another time.
func (l *leg) recode(before codec.ID, now time.Time) {
	id, past := l.stream.Codec, l.packer
	l.packer = newPacker(id, packetTime(l.stream.Ptime))
	if id == before {
		if l.packer != nil && past != nil {
			l.packer.encoder = past.encoder // its party's decoder goes on
		}
		return
	}
	l.out.retime(report.ClockOf(id), now)
	l.inbound.expect(id)
	l.rewriter.live, l.crossfade.due = false, true
	l.down = pcm.Downsampler{}
}

// keyEvent stands among the codecs for telephone-event.
const keyEvent codec.ID = 0xff

func payloadTypes(c Stream) (types [128]codec.ID) {
	if len(c.Recv) == 0 {
		types[c.PT&0x7f] = c.Codec
	}
	for pt, id := range c.Recv {
		types[pt&0x7f] = id
	}
	for pt := range c.DTMFRecv {
		types[pt&0x7f] = keyEvent
	}
	return types
}

// usable says whether packets can be sent there.
func usable(a netip.AddrPort) bool {
	return a.IsValid() && a.Port() != 0 && !a.Addr().IsUnspecified()
}

// attend changes what the leg hears; the caller routes the room afterwards.
func (l *leg) attend(c Listen) {
	l.listen = c
	if c.Play.ID == l.player.id {
		return
	}
	l.crossfade.due = true
	if l.player.plays() {
		l.crossfade.cut(l.player.frame(), l.player.samples(pcm.WideRate), l.mode == playing)
	}
	l.checkpoints.changed = true
	if missing := l.player.start(c.Play, l.shard.cfg.library()); missing != "" {
		l.shard.log.Warn("prompt not found", "session", l.room.session.ref, "leg", l.id, "prompt", missing)
	}
	if c.Play.ID != 0 && c.Play.ID == l.played.ID {
		l.player.skip(l.played)
	}
	l.played = Position{}
	if c.Play.ID != 0 && !c.Play.Loop && !l.player.plays() {
		// nothing to play: whoever waits for the end must not wait for ever
		l.room.emit(PlayDone{Leg: l.id, ID: c.Play.ID})
	}
}

// choose finds how the leg's sound is made, and tells its sources.
func (l *leg) choose() {
	l.sources = l.room.sources(l)
	plays := l.player.plays()
	switch {
	case len(l.sources) == 0 && plays:
		l.mode = playing
	case len(l.sources) == 0:
		l.mode = silent
	case len(l.sources) == 1 && !plays && l.fits(l.sources[0]):
		l.mode = relaying
		l.sources[0].relays = append(l.sources[0].relays, l)
	default:
		l.mode = mixing
		for _, source := range l.sources {
			source.mixers++
		}
	}
	l.notice()
}

// notice finds out that the leg hears something else than before.
func (l *leg) notice() {
	hears := uint64(l.mode)
	for _, source := range l.sources {
		hears = digest(hears, uint64(source.id))
	}
	if hears == l.hears {
		return
	}
	if l.hears = hears; l.mode == mixing {
		l.ear = mixer.Output{}
	}
	l.crossfade.due = true
}

// digest makes one number of several.
func digest(sum, next uint64) uint64 { return (sum ^ next) * 0x9e3779b97f4a7c15 }

// attention has a party's packets looked for as soon as they come when someone is relayed to, or their times are
// wanted, and else in the tick.
func (l *leg) attention() {
	care := socket.OnDemand
	if len(l.relays) > 0 || l.mixers > 0 && l.room.survey.ticks > 0 {
		care = socket.Promptly
	}
	if care != l.care {
		l.care = care
		l.shard.net.Watch(l.pair.rtp, care)
	}
}

// watch says once when the party is not heard any more.
func (l *leg) watch(now time.Time) {
	l.missSigns(now)
	if l.keyDown && now.Sub(l.mutedTill) > releasedAfter {
		l.keyReleased()
	}
	patience := cmp.Or(l.stream.Timeout, l.shard.cfg.MediaTimeout)
	if !l.ready || !l.stream.Receive || l.lost || now.Sub(l.heardAt) <= patience {
		return
	}
	l.lost = true
	l.shard.count.lost.Add(1)
	l.checkpoints.changed = true
	l.room.emit(MediaLost{Leg: l.id})
}

// alive notes that the party is heard.
func (l *leg) alive(now time.Time) {
	l.heardAt = now
	if l.lost {
		l.lost, l.checkpoints.changed = false, true
		l.room.emit(MediaBack{Leg: l.id})
	}
}
