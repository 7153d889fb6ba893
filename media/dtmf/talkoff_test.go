package dtmf

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/prompt"
)

// speech is all that is spoken in this repository, and the speech of ITU-T G.191's G.722 vectors
// when they are there, at 8 kHz.
func speech(t *testing.T) (all []int16) {
	t.Helper()
	var files []string
	for _, dir := range []string{"../../configs/prompts/zh", "../../cmd/internal/demo/speech"} {
		found, err := filepath.Glob(dir + "/*.wav")
		if err != nil || len(found) == 0 {
			t.Fatalf("no speech in %s: %v", dir, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		wav, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		library, err := prompt.Load(map[string][]byte{"it": wav})
		if err != nil {
			t.Fatal(err)
		}
		clip, _ := library.Get("it")
		for i := range clip.Len() {
			all = append(all, clip.Frame(i)[:]...)
		}
	}
	return append(all, itu(t)...)
}

func itu(t *testing.T) []int16 {
	raw, err := os.ReadFile("../../../shared/testdata/g722-stl/inpsp.bin")
	if err != nil {
		t.Log("without the speech of the G.722 test vectors: ", err)
		return nil
	}
	wide := make([]int16, len(raw)/2)
	for i := range wide {
		wide[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	narrow := make([]int16, len(wide)/2)
	return narrow[:new(pcm.Downsampler).Down(narrow, wide)]
}

// voiced plays sound at another speed, which makes it another, higher or lower voice.
func voiced(sound []int16, speed, gain float64) []int16 {
	out := make([]int16, int(float64(len(sound)-1)/speed))
	for i := range out {
		at := float64(i) * speed
		k := int(at)
		part := at - float64(k)
		out[i] = pcm.Clip(int32(gain * ((1-part)*float64(sound[k]) + part*float64(sound[k+1]))))
	}
	return out
}

// TestTalkOff: an hour of speech, low and high voices, soft and loud ones that clip, through the
// codecs, has no key in it; and hardly a frame is kept back because it might become one.
func TestTalkOff(t *testing.T) {
	t.Parallel()
	all := speech(t)
	first, step := 0.72, 0.05
	if testing.Short() {
		step = 0.6
	}
	minutes, held := 0.0, 0
	for speed := first; speed < 1.6; speed += step {
		for i, gain := range []float64{0.1, 0.5, 1, 4} {
			sound := voiced(all, speed, gain)
			if id := codec.List()[i%len(codec.List())]; id.Stateless() {
				sound = coded(id, sound)
			}
			keys, frames := listen(sound)
			if held += frames; keys != "" {
				t.Errorf("at speed %.2f and gain %v the speech has keys %q", speed, gain, keys)
			}
			minutes += float64(len(sound)) / pcm.Rate / 60
		}
	}
	t.Logf("%.0f minutes of speech; %d frames of 20 ms kept back", minutes, held)
	if float64(held) > minutes {
		t.Errorf("%d frames were kept back in %.0f minutes, want at most one in a minute", held, minutes)
	}
}

// TestMusicHasNoKeys: neither has the music for who waits, nor have the tones of the network.
func TestMusicHasNoKeys(t *testing.T) {
	t.Parallel()
	library, err := prompt.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range prompt.Tones() {
		clip, _ := library.Get(name)
		var sound []int16
		for len(sound) < 20*pcm.Rate {
			for i := range clip.Len() {
				sound = append(sound, clip.Frame(i)[:]...)
			}
		}
		speeds := []float64{0.8, 0.9, 1, 1.1, 1.2}
		if testing.Short() {
			speeds = speeds[2:3]
		}
		for _, speed := range speeds {
			if keys, _ := listen(voiced(sound, speed, 1)); keys != "" {
				t.Errorf("%s at speed %v has keys %q", name, speed, keys)
			}
		}
	}
}

// listen gives the keys in sound, and the number of frames with what might become one.
func listen(sound []int16) (found string, held int) {
	var d Detector
	var keys []byte
	for ; len(sound) >= pcm.FrameSamples; sound = sound[pcm.FrameSamples:] {
		keys = d.Push(keys, sound[:pcm.FrameSamples])
		if d.Sounds() {
			held++
		}
	}
	return string(keys), held
}
