// Package load plays callers and desks against a SIP server and measures how well it serves them: call attempts at a
// rate ([CPS]), calls of two parties ([Relay]), three-way calls ([Conf]), hand-overs ([Handover]), and all of it for
// long ([Soak]).
//
// Each of them is options with two methods: Check names every one that will not do, Measure makes the run and gives a
// [Report]. A run raises a world, which is phones of cmd/internal/phone for the signalling and an engine for the sound;
// lets calls stand; counts within a window; and takes all down again. It sends only to the server, and to what
// Target.MediaAllow names.
//
// Each packet of speech bears a stamp: who spoke it, which one it is and when it was sent. So a leg knows of each
// packet that reaches it whose it is and how long it was under way. In a mix no stamp survives; there the parties speak
// in turns, and the chirp at the beginning of a turn is looked for in what the others heard (script, chirpFound).
//
// The engine shares no code with media/engine, so that a mistake of the one is not hidden by the same mistake of the
// other. What it did not keep up with itself stands in [Generator], and makes the remarks at the end of a report.
package load
