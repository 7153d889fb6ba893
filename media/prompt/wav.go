package prompt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"liandong/media/codec"
	"liandong/media/pcm"
)

// The format tags of WAVE that are taken (Microsoft's mmreg.h), and the one
// that says that the tag stands at the beginning of a GUID further on.
const (
	tagPCM        = 1
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe
)

const allowed = "mono, 16-bit PCM at 8000 or 16000 Hz, or G.711 at 8000 Hz"

// subFormat is the end of every GUID that stands for a format tag.
var subFormat = []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}

type format struct {
	tag, channels, bits uint16
	rate                uint32
}

func (f format) String() string {
	name := map[uint16]string{tagPCM: "PCM", tagALaw: "A-law", tagMuLaw: "µ-law"}[f.tag]
	if name == "" {
		name = fmt.Sprintf("format %d", f.tag)
	}
	return fmt.Sprintf("%s, %d channels, %d bits, %d Hz", name, f.channels, f.bits, f.rate)
}

// readWAV gives the sound of a file.
func readWAV(file []byte) (Clip, error) {
	f, data, err := chunks(file)
	if err != nil {
		return Clip{}, err
	}
	if err := f.check(len(data)); err != nil {
		return Clip{}, err
	}
	samples := f.samples(data)
	if len(samples) == 0 {
		return Clip{}, ErrEmpty
	}
	soften(samples, int(f.rate))
	if f.rate == pcm.WideRate {
		return newClip(halve(samples), samples), nil
	}
	return newClip(samples, double(samples, make([]int16, settling), make([]int16, settling))), nil
}

// soften lets sound that ends within a frame end in 5 ms: what fills the frame up is silence,
// and must not begin with a click. A whole number of frames may be a loop, and is left alone.
func soften(samples []int16, rate int) {
	if len(samples)%(rate*pcm.FrameSamples/pcm.Rate) == 0 {
		return
	}
	end := samples[max(0, len(samples)-rate/200):]
	for i, x := range end {
		end[i] = int16(int(x) * (len(end) - 1 - i) / len(end))
	}
}

// chunks finds the format and the sound.
func chunks(file []byte) (f format, data []byte, err error) {
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return f, nil, fmt.Errorf("%w: it does not begin with RIFF and WAVE; allowed: %s", ErrNotWAV, allowed)
	}
	for rest := file[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		whole := size <= uint64(len(body))
		if id == "data" {
			return f, sound(body, size), tail(f, size, len(body))
		}
		if !whole {
			break
		}
		if id == "fmt " {
			if f, err = readFormat(body[:size]); err != nil {
				return f, nil, err
			}
		}
		rest = body[min(size+size&1, uint64(len(body))):] // chunks begin at even offsets
	}
	return f, nil, fmt.Errorf("%w: it has no data chunk, or is cut off", ErrNotWAV)
}

// streamed says that a size was not known when the file was begun: sox and
// others that write into a pipe put the largest there.
func streamed(size uint64) bool { return size >= 0x7ffff000 }

func sound(body []byte, size uint64) []byte {
	if streamed(size) {
		return body
	}
	return body[:min(size, uint64(len(body)))]
}

func tail(f format, size uint64, have int) error {
	switch {
	case f == format{}:
		return fmt.Errorf("%w: the fmt chunk is missing", ErrNotWAV)
	case size > uint64(have) && !streamed(size):
		return fmt.Errorf("%w: it is cut off, %d of %d bytes of sound are there", ErrNotWAV, have, size)
	}
	return nil
}

func readFormat(body []byte) (format, error) {
	if len(body) < 16 {
		return format{}, fmt.Errorf("%w: the fmt chunk has %d bytes, it must have 16", ErrNotWAV, len(body))
	}
	f := format{
		tag:      binary.LittleEndian.Uint16(body),
		channels: binary.LittleEndian.Uint16(body[2:]),
		rate:     binary.LittleEndian.Uint32(body[4:]),
		bits:     binary.LittleEndian.Uint16(body[14:]),
	}
	if f.tag == tagExtensible && len(body) >= 40 && bytes.Equal(body[26:40], subFormat) {
		f.tag = binary.LittleEndian.Uint16(body[24:])
	}
	return f, nil
}

func (f format) check(bytes int) error {
	linear := f.tag == tagPCM && f.bits == 16 && (f.rate == pcm.Rate || f.rate == pcm.WideRate)
	g711 := (f.tag == tagALaw || f.tag == tagMuLaw) && f.bits == 8 && f.rate == pcm.Rate
	if f.channels != 1 || !linear && !g711 {
		return fmt.Errorf("%w: %v; allowed: %s", ErrFormat, f, allowed)
	}
	length := time.Duration(bytes/int(f.bits/8)) * time.Second / time.Duration(f.rate)
	if length > MaxLength {
		return fmt.Errorf("%w: %v; allowed: up to %v", ErrTooLong, length.Round(time.Second), MaxLength)
	}
	return nil
}

func (f format) samples(data []byte) []int16 {
	switch f.tag {
	case tagALaw:
		return expand(codec.PCMA, data)
	case tagMuLaw:
		return expand(codec.PCMU, data)
	}
	samples := make([]int16, len(data)/2)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	return samples
}

// halve brings sound from 16 to 8 kHz, and takes away the delay of the filter.
func halve(samples []int16) []int16 {
	const late = (pcm.ResampleDelay + 1) / 2 // whole, with one sample of silence in front
	padded := make([]int16, 1+len(samples)+2*late)
	copy(padded[1:], samples)
	var d pcm.Downsampler
	n := d.Down(padded, padded)
	return padded[late:n]
}

func expand(id codec.ID, data []byte) []int16 {
	samples := make([]int16, len(data))
	codec.Decode(id, samples, data)
	return samples
}

// FromG711 makes a WAV file of bare G.711 at 8 kHz: the codes and nothing else.
func FromG711(law codec.ID, codes []byte) []byte {
	tag := uint16(tagALaw)
	if law == codec.PCMU {
		tag = tagMuLaw
	}
	codes = codes[:min(len(codes), int(MaxLength/time.Second)*pcm.Rate+1)] // beyond that it is refused anyway
	le := binary.LittleEndian
	file := le.AppendUint32([]byte("RIFF"), uint32(36+len(codes)))
	file = le.AppendUint32(append(file, "WAVEfmt "...), 16)
	for _, v := range []uint16{tag, 1} { // mono
		file = le.AppendUint16(file, v)
	}
	for range 2 { // samples and bytes in a second
		file = le.AppendUint32(file, pcm.Rate)
	}
	for _, v := range []uint16{1, 8} { // bytes a frame, bits a sample
		file = le.AppendUint16(file, v)
	}
	file = le.AppendUint32(append(file, "data"...), uint32(len(codes)))
	return append(file, codes...)
}
