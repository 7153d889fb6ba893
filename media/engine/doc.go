// Package engine carries the sound of calls: it opens RTP ports, connects the
// parties of a call so that each hears what it should, plays announcements,
// sends and reports key presses, and says when a party's sound is lost.
//
// A call is a Session; its parties are legs. Every change is a Command posted
// with Session.Do and every result is an Event given to the session's sink.
// The engine knows no signalling and no reasons: who hears whom is decided by
// the caller, who sends the whole Listen of a leg again on each change.
//
// To each party the stream is one stream for ever: SSRC, sequence number and
// timestamp go on without a jump whatever is connected behind it.
//
// Inside, a call is placed whole on one shard. A shard is one goroutine locked
// to its thread that owns everything of its calls; commands reach it by a
// mailbox. Two parties who hear only each other are relayed packet by packet
// as the packets arrive; everything else is made in the 20 ms tick.
package engine
