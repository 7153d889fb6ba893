// Package speech is what scripted phones say: three voices, made by make.sh, 7 s each.
package speech

import (
	"embed"
	"fmt"

	"liandong/media/prompt"
)

// The voices.
const (
	Caller    = "caller"
	Desk110   = "desk110"
	Desk12345 = "desk12345"
)

//go:embed *.wav
var files embed.FS

// Clip is a voice in frames of 20 ms.
func Clip(voice string) (prompt.Clip, error) {
	b, err := files.ReadFile(voice + ".wav")
	if err != nil {
		return prompt.Clip{}, fmt.Errorf("speech: %w", err)
	}
	lib, err := prompt.Load(map[string][]byte{voice: b})
	if err != nil {
		return prompt.Clip{}, fmt.Errorf("speech: %w", err)
	}
	clip, _ := lib.Get(voice)
	return clip, nil
}

// Samples is a voice as 16-bit samples at 8 kHz.
func Samples(voice string) ([]int16, error) {
	clip, err := Clip(voice)
	if err != nil {
		return nil, err
	}
	var pcm []int16
	for i := range clip.Len() {
		pcm = append(pcm, clip.Frame(i)[:]...)
	}
	return pcm, nil
}
