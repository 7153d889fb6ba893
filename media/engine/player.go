package engine

import (
	"liandong/media/pcm"
	"liandong/media/prompt"
)

// player walks through a leg's playlist, a frame a tick. Owned by the leg.
type player struct {
	id    uint32
	clips []prompt.Clip
	loop  bool
	clip  int      // that plays; len(clips): the list has ended
	at    int      // the next frame of it
	left  int      // frames until the last clip begins, however long those before are; -1: as long as they are
	ended [2]int16 // the last samples of the frame before
}

// start begins a playlist. It gives the first name that the library does not have; the
// list plays without those.
func (p *player) start(list Playlist, library *prompt.Library) (missing string) {
	*p = player{id: list.ID, loop: list.Loop, clips: p.clips[:0], left: -1}
	if list.Most > 0 {
		p.left = int(list.Most / frameTime)
	}
	if list.ID == 0 {
		return ""
	}
	for _, name := range list.Items {
		clip, ok := find(library, name)
		if ok && clip.Len() > 0 {
			p.clips = append(p.clips, clip)
		} else if missing == "" {
			missing = name
		}
	}
	return missing
}

func find(library *prompt.Library, name string) (prompt.Clip, bool) {
	if library == nil {
		return prompt.Clip{}, false
	}
	return library.Get(name)
}

func (p *player) plays() bool { return p.clip < len(p.clips) }

// frame, and samples at a rate, give the frame that is due; only while it plays.
func (p *player) frame() *pcm.Frame { return p.clips[p.clip].Frame(p.at) }

func (p *player) samples(rate int) []int16 { return samplesOf(p.clips[p.clip], p.at, rate) }

// skip goes on at a place of the list, or at its end when that is behind it.
func (p *player) skip(to Position) {
	if p.left > 0 {
		p.left = max(1, p.left-to.Frame)
	}
	for p.clip < to.Clip && p.plays() {
		p.clip++
	}
	p.at = to.Frame
	for p.plays() && p.at >= p.clips[p.clip].Len() {
		p.at -= p.clips[p.clip].Len()
		if !p.loop || p.clip < len(p.clips)-1 {
			p.clip++
		}
	}
}

// jumps says that another clip, or the same one again, begins elsewhere than the one before
// it ended: by a step that is larger than those around it.
func (p *player) jumps() bool {
	if p.at > 0 {
		return false
	}
	next := p.frame()
	slope := max(distance(p.ended[0], p.ended[1]), distance(next[0], next[1]))
	return distance(p.ended[1], next[0]) > 2*slope+smallStep
}

func distance(a, b int16) int {
	d := int(a) - int(b)
	return max(d, -d)
}

// advance moves on by a frame; true: that was the last one.
func (p *player) advance() bool {
	frame := p.frame()
	p.ended = [2]int16(frame[len(frame)-2:])
	p.at++
	if p.left > 0 {
		p.left--
	}
	if last := len(p.clips) - 1; p.left == 0 && p.clip < last {
		p.clip, p.at = last, 0
		return false
	}
	if p.at < p.clips[p.clip].Len() {
		return false
	}
	p.at = 0
	if p.loop && p.clip == len(p.clips)-1 {
		return false
	}
	p.clip++
	return !p.plays()
}
