package configs

import (
	"liandong/media/record"
	"liandong/routing/desk"
)

// Records says that there is a hotline whose calls may be recorded.
func (c *Config) Records() bool {
	for _, h := range c.Hotlines {
		if h.Recording.line().Mode != desk.RecordOff {
			return true
		}
	}
	return false
}

// Record is what the recorder needs.
func (c *Config) Record() record.Config {
	r := c.Recording
	keys, _ := record.ParseKeys(r.Key.Reveal()) // checked when it was loaded; none: not sealed
	return record.Config{Dir: r.Dir, Days: r.Days, MaxShare: r.MaxShare, Keys: keys}
}

func (r LineRecording) line() desk.RecordingPolicy {
	mode, _ := desk.RecordByName(r.Mode)
	if r.Announce == silence {
		r.Announce = ""
	}
	return desk.RecordingPolicy{Mode: mode, Announce: r.Announce}
}

// recording checks the keys without ever quoting them.
func (c *checker) recording() {
	r := c.Recording
	if r.Key.IsZero() {
		return
	}
	if _, err := record.ParseKeys(r.Key.Reveal()); err == nil {
		return
	}
	key := "recording.key"
	if r.KeyFile != "" {
		key += "_file"
	}
	c.add(key, textRecordKey.of())
}
