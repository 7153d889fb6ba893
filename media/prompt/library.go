// Package prompt holds what the switch itself says and plays to people:
// announcements read from WAV files, and the tones and the music that it makes
// by itself.
//
// A Library is made once, whole, from the bytes of its files, and never
// changes; any number of goroutines may use it. Every clip is kept as frames
// of samples, at 8 and at 16 kHz, and encoded in advance in G.711, A-law and µ-law, so playing it
// there costs nothing per listener.
package prompt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// The reasons for which Load refuses a file. Each error names the file and says what is allowed.
var (
	ErrNotWAV   = errors.New("not a WAV file")
	ErrFormat   = errors.New("sound format is not allowed")
	ErrEmpty    = errors.New("no sound in it")
	ErrTooLong  = errors.New("too long")
	ErrReserved = errors.New("the name is that of a generated tone")
)

// MaxLength is the longest file that is taken.
const MaxLength = 10 * time.Minute

// wideSamples is a frame at 16 kHz.
const wideSamples = pcm.FrameSamples * pcm.WideRate / pcm.Rate

// Library is a set of clips by name. Immutable.
type Library struct {
	clips map[string]Clip
}

// Clip is a piece of sound in frames of 20 ms. Immutable: what its methods
// give is shared and must not be written to. The zero Clip is empty.
type Clip struct {
	frames []pcm.Frame
	wide   []int16                // the same at 16 kHz
	coded  [codec.PCMU + 1][]byte // by codec.ID for G.711, all frames one behind the other
}

// Load makes a library of the tones and of files: name → the bytes of a WAV
// file, mono, 16-bit PCM at 8 or 16 kHz, or G.711 at 8 kHz. It reports every
// file that it cannot use.
func Load(files map[string][]byte) (*Library, error) {
	clips := maps.Clone(generated())
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if _, taken := clips[name]; taken {
			errs = append(errs, fmt.Errorf("prompt: %s: %w", name, ErrReserved))
			continue
		}
		clip, err := readWAV(files[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("prompt: %s: %w", name, err))
			continue
		}
		clips[name] = clip
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Library{clips: clips}, nil
}

// Get finds a clip.
func (l *Library) Get(name string) (Clip, bool) {
	c, ok := l.clips[name]
	return c, ok
}

// Names lists all clips in order.
func (l *Library) Names() []string { return slices.Sorted(maps.Keys(l.clips)) }

// newClip keeps sound at 8 kHz, and the same at 16 kHz.
func newClip(samples, wide []int16) Clip {
	c := Clip{frames: make([]pcm.Frame, (len(samples)+pcm.FrameSamples-1)/pcm.FrameSamples)}
	c.wide = make([]int16, len(c.frames)*wideSamples)
	copy(c.wide, wide)
	for i := range c.frames {
		copy(c.frames[i][:], samples[i*pcm.FrameSamples:])
	}
	for _, id := range []codec.ID{codec.PCMA, codec.PCMU} {
		c.coded[id] = encode(id, c.frames)
	}
	return c
}

func encode(id codec.ID, frames []pcm.Frame) []byte {
	coded := make([]byte, len(frames)*pcm.FrameSamples)
	for i := range frames {
		codec.Encode(id, coded[i*pcm.FrameSamples:], frames[i][:])
	}
	return coded
}

// Len is the number of frames; the last one is filled up with silence.
func (c Clip) Len() int { return len(c.frames) }

// Duration is how long the clip plays.
func (c Clip) Duration() time.Duration { return time.Duration(len(c.frames)) * pcm.FrameTime }

// Frame gives frame i of 0 to Len()-1.
func (c Clip) Frame(i int) *pcm.Frame { return &c.frames[i] }

// Wide gives frame i at 16 kHz, 320 samples, for who hears wideband: as it was in the file when that
// had 16 kHz, and otherwise with nothing above 4 kHz in it.
func (c Clip) Wide(i int) []int16 {
	return c.wide[i*wideSamples : (i+1)*wideSamples : (i+1)*wideSamples]
}

// Encoded gives frame i as an RTP payload; nil for a codec other than G.711:
// one that remembers the sound before cannot be encoded in advance.
func (c Clip) Encoded(id codec.ID, i int) []byte {
	if !id.Stateless() {
		return nil
	}
	at := i * pcm.FrameSamples
	return c.coded[id][at : at+pcm.FrameSamples : at+pcm.FrameSamples]
}
