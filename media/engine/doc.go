// Package engine carries the sound of calls: it opens RTP ports, connects the
// parties of a call so that each hears what it should, plays announcements,
// sends and reports key presses, gives what a party says to a recording, and
// says when a party's sound is lost, who talks, and how each leg sounds.
//
// A call is a Session; its parties are legs. Every change is a Command posted
// with Session.Do and every result is an Event given to the session's sink.
// The engine knows no signalling and no reasons: who hears whom is decided by
// the caller, who sends the whole Listen of a leg again on each change.
//
// To each party the stream is one stream for ever: SSRC, sequence number and
// timestamp go on without a jump whatever is connected behind it. Sound that
// takes the place of other sound begins without a click (crossfade), and who has
// nothing to hear gets comfort noise.
//
// # Shards and ticks
//
// Inside, a call is a room, placed whole on one shard. A shard is one goroutine
// locked to its thread that owns everything of its calls, so that nothing of a
// call needs a lock. Commands reach it by a mailbox. What it reports goes to the
// sinks on a goroutine of its own; when they are too slow events are dropped and
// counted, sound is never held up.
//
// Who hears just one other party, and it as loud as it is, gets its packets as
// they come when codec and packet time are right for it, A-law and µ-law turned
// into each other: a relay. Everything else, such as announcements, mixes, other
// codecs, tones and silence, is made in a tick each 20 ms; it is mixed at 16 kHz
// as soon as somebody hears wideband. The rooms of a shard are in twenty
// groups that tick a millisecond after one another, so that the work and the
// packets are spread; a room in which sound is mixed comes to that which ticks
// right after its parties' packets. A room in which every party is relayed to, and gets its
// packets, is calm: it is left alone two ticks of three.
//
// A Tap gets a party's packets as they came, on the shard's thread, whoever
// hears them and whether anybody does.
//
// # Transports
//
// Package socket moves the datagrams of a shard, by what the machine and the process' privileges allow. Parties who
// are relayed are read as soon as something comes, the others in their tick, RTCP ten times a second. The ports of a
// leg that has ended stay open for another, half a minute at most, unless somebody still sends to them.
package engine
