package record

import (
	"encoding/binary"

	"liandong/media/pcm"
)

// wavHeader is the length of what stands before the sound.
const wavHeader = 58

// maxSound keeps a file within the 32-bit sizes of WAV.
const maxSound = 1<<32 - 1 - wavHeader

const formatALaw = 6 // WAVE_FORMAT_ALAW, RFC 2361 §A.6

// header makes a WAV header for so many bytes of interleaved A-law. Formats other than PCM
// have a fact chunk with the samples per channel, and a fmt chunk with an extension, here of
// no bytes.
func header(channels int, sound int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, wavHeader)
	b = le.AppendUint32(append(b, "RIFF"...), uint32(wavHeader-8+sound))
	b = le.AppendUint32(append(b, "WAVEfmt "...), 18)
	b = le.AppendUint16(b, formatALaw)
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, pcm.Rate)
	b = le.AppendUint32(b, uint32(pcm.Rate*channels)) // bytes in a second
	b = le.AppendUint16(b, uint16(channels))          // bytes of a sample of all channels
	b = le.AppendUint16(b, 8)                         // bits of a sample
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(append(b, "fact"...), 4)
	b = le.AppendUint32(b, uint32(sound/int64(channels)))
	return le.AppendUint32(append(b, "data"...), uint32(sound))
}

// channelsOf reads back what header wrote; false: it is another kind of file, or cut off.
func channelsOf(b []byte) (channels int, ok bool) {
	if len(b) < wavHeader {
		return 0, false
	}
	channels = int(binary.LittleEndian.Uint16(b[22:]))
	if channels < 1 || channels > MaxChannels {
		return 0, false
	}
	sound := int64(binary.LittleEndian.Uint32(b[54:]))
	return channels, string(b[:wavHeader]) == string(header(channels, sound))
}

// plain writes a WAV file. Its header is brought up to date after each block, never before it,
// so that it promises nothing that is not there.
type plain struct {
	file     file
	channels int
	sound    int64 // bytes that are written whole
}

func newPlain(f file, channels int) (*plain, error) {
	p := &plain{file: f, channels: channels}
	return p, p.promise()
}

func (p *plain) promise() error {
	_, err := p.file.WriteAt(header(p.channels, p.sound), 0)
	return err
}

func (p *plain) write(b []byte) error {
	if p.sound+int64(len(b)) > maxSound {
		return errTooLong
	}
	if _, err := p.file.WriteAt(b, wavHeader+p.sound); err != nil {
		return err
	}
	p.sound += int64(len(b))
	return p.promise()
}

// end has nothing to add.
func (p *plain) end() error { return nil }

// abandon leaves the file as it was before the write that failed.
func (p *plain) abandon() error { return p.file.Truncate(wavHeader + p.sound) }

func (p *plain) size() int64 { return wavHeader + p.sound }
