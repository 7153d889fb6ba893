// Package record keeps the sound of calls as evidence: one file per call, a
// channel per party, each party as its packets came, in time with the clock on
// the wall.
//
// A [Recorder] has two goroutines for all recordings, however many there are.
// The writer takes packets from each [Recording]'s ring and writes blocks of
// half a second; the keeper does what takes long: it syncs and hashes files that
// are closed, mends those that a crash left open, and deletes what is old.
// Whoever carries the sound calls [Recording.Put] only, which copies the packet
// into the ring and never waits, locks or allocates: when the disk cannot keep
// up, packets are dropped and counted, and the call goes on.
//
// On disk there are, for each recording, the sound and a [Meta] in JSON, in a
// directory per day. The sound is a WAV file (A-law, 8 kHz) whose header is
// right while it grows, so that any player plays what is there; or, when there
// is a key, a file sealed with AES-256-GCM (sealed.go says how), of which
// [Recorder.Open] makes the same WAV. A-law that came is kept bit by bit;
// µ-law and G.722 are turned into A-law.
//
// A recording is known by its ref, a ULID. Its path follows from it and is
// nobody else's business.
package record
