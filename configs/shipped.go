package configs

import (
	"embed"
	"path"
	"strings"
	"sync"

	"liandong/media/prompt"
)

// wavs are the announcements that come with the switch: placeholders of a speech synthesiser, there so that a lab
// speaks at once. A config puts a city's own recordings in their place with prompts.files.
//
//go:embed prompts/zh/*.wav
var wavs embed.FS

const wavDir = "prompts/zh"

// shipped gives the embedded clips by name: prompts/zh/transfer.wav is "transfer".
func shipped() map[string][]byte {
	clips := map[string][]byte{}
	entries, err := wavs.ReadDir(wavDir)
	if err != nil {
		return clips
	}
	for _, e := range entries {
		if b, err := wavs.ReadFile(path.Join(wavDir, e.Name())); err == nil {
			clips[strings.TrimSuffix(e.Name(), ".wav")] = b
		}
	}
	return clips
}

// shippedClips is the library of the shipped clips and the tones: what there is without a file of the admin's.
var shippedClips = sync.OnceValues(func() (*prompt.Library, error) { return prompt.Load(shipped()) })

// defaultRoles is which clip is heard when.
func defaultRoles() Roles {
	return Roles{
		Handover: "transfer", Failed: "transfer_failed", TakerGone: "keep_waiting", Conference: "three_way",
		Left: "party_left",
		Wait: "queue", Sorry: "all_busy",
		Music: "music", Ringback: "ring", Busy: "busy", Confirm: "confirm", Refuse: "refuse", Already: "already",
	}
}

//go:embed lab.yaml
var lab []byte

// Lab is the lab's config, for programs that run a lab of their own.
func Lab(o Options) (*Config, error) { return Parse("lab.yaml", lab, o) }

// LabFile is the text of the lab's config, for programs that make a larger lab of it.
func LabFile() string { return string(lab) }
