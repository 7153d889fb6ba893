package configs

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"liandong/media/codec"
	"liandong/media/prompt"
)

// silence is the role's word for no clip at all.
const silence = "none"

// prompts reads every WAV file, and checks that each role names a clip.
func (c *checker) prompts() {
	lib, err := shippedClips()
	if err != nil {
		c.add("prompts", textBroken.of(err.Error()))
		return
	}
	names := slices.Concat(lib.Names(), sorted(c.Prompts.Files)) // a bad file has its message; its name is a name
	slices.Sort(names)
	names = slices.Compact(names)
	c.roles("prompts", c.Prompts.Roles, names)
	for _, id := range sorted(c.Hotlines) {
		c.roles(join("hotlines", id)+".prompts", c.Hotlines[id].Prompts, names)
		c.clipNamed(join("hotlines", id)+".recording.announce", c.Hotlines[id].Recording.Announce, names)
	}
	c.library = c.withFiles(lib)
}

// withFiles is the shipped library with the files of the config in it. Nothing is loaded twice where there are none.
func (c *checker) withFiles(lib *prompt.Library) *prompt.Library {
	clips := shipped()
	for _, name := range sorted(c.Prompts.Files) {
		if b, ok := c.clip(join("prompts.files", name), name, c.Prompts.Files[name]); ok {
			clips[name] = b
		}
	}
	if len(c.Prompts.Files) == 0 || len(c.list) > 0 {
		return lib
	}
	own, err := prompt.Load(clips)
	if err != nil {
		c.add("prompts", textBroken.of(err.Error()))
	}
	return own
}

func (c *checker) clip(key, name, path string) ([]byte, bool) {
	if path == "" { // reported when it was read
		return nil, false
	}
	b, fault := c.files.get(path, maxClip)
	if fault != nil {
		c.add(key, *fault)
		return nil, false
	}
	if law, raw := lawOf(path); raw {
		b = prompt.FromG711(law, b)
	}
	_, err := prompt.Load(map[string][]byte{name: b})
	switch {
	case errors.Is(err, prompt.ErrReserved):
		c.addName(key, textToneName.of(name))
	case err != nil:
		c.add(key, textBadClip.of(path, clipFault(err)))
	}
	return b, err == nil
}

// lawOf tells by its ending that a file is bare G.711, as PBXs keep their announcements.
func lawOf(path string) (law codec.ID, raw bool) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".al", ".alaw":
		return codec.PCMA, true
	case ".ul", ".ulaw":
		return codec.PCMU, true
	}
	return 0, false
}

func clipFault(err error) message {
	for fault, say := range map[error]text{
		prompt.ErrNotWAV: textNotWAV, prompt.ErrFormat: textWAVFormat, prompt.ErrEmpty: textNoSound,
		prompt.ErrTooLong: textLongClip,
	} {
		if errors.Is(err, fault) {
			return say.of()
		}
	}
	return text{"%s", "%s"}.of(err.Error())
}

// roles checks the clips of one set; those that a hotline has from the whole are reported there.
func (c *checker) roles(key string, r Roles, names []string) {
	own, whole := reflect.ValueOf(r), reflect.ValueOf(c.Prompts.Roles)
	for i, role := range keysOf(own.Type()) {
		name := own.Field(i).String()
		if key != "prompts" && name == whole.Field(i).String() {
			continue
		}
		c.clipNamed(join(key, role), name, names)
	}
}

func (c *checker) clipNamed(key, name string, names []string) {
	if name != silence && name != "" && !slices.Contains(names, name) {
		c.add(key, textNoClip.of(name, names))
	}
}

// orFrom takes what a hotline leaves open from the whole.
func (r Roles) orFrom(all Roles) Roles {
	own, from := reflect.ValueOf(&r).Elem(), reflect.ValueOf(all)
	for i := range own.NumField() {
		if own.Field(i).String() == "" {
			own.Field(i).Set(from.Field(i))
		}
	}
	return r
}
