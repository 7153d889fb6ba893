//go:build opus

package codec

/*
#cgo pkg-config: opus
#cgo noescape liandong_encode
#cgo nocallback liandong_encode
#cgo noescape liandong_decode
#cgo nocallback liandong_decode

#include <opus.h>

// The states lie in memory of Go, which libopus allows: it is position
// independent and has no destructor. void * so that Go knows it as its own.

static int liandong_encoder_init(void *state, int rate, int bits, int complexity) {
	OpusEncoder *e = state;
	int err = opus_encoder_init(e, rate, 1, OPUS_APPLICATION_VOIP);
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_BITRATE(bits));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(complexity));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_BANDWIDTH(OPUS_BANDWIDTH_WIDEBAND));
	if (err == OPUS_OK) err = opus_encoder_ctl(e, OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
	return err;
}

static int liandong_decoder_init(void *state, int rate) {
	return opus_decoder_init((OpusDecoder *)state, rate, 1);
}

static int liandong_encode(void *state, const opus_int16 *src, int samples, unsigned char *dst, int room) {
	return opus_encode((OpusEncoder *)state, src, samples, dst, room);
}

// A payload of no bytes stands for one that was lost.
static int liandong_decode(void *state, const unsigned char *payload, int bytes, opus_int16 *dst, int room) {
	return opus_decode((OpusDecoder *)state, bytes > 0 ? payload : NULL, bytes, dst, room, 0);
}
*/
import "C"

import "unsafe"

const opusBuilt = true

const (
	opusRate = 16000
	// opusBits per second: a little more than the 16 to 20 kbit/s that RFC 7587
	// §3.1.1 has for wideband speech, as what is not understood here costs time.
	opusBits = 24000
	// opusComplexity of 10: above, speech gains little for what it costs.
	opusComplexity = 5
)

type opusEncoder struct {
	state  []uint64 // opaque to us; not bytes, so that it is aligned
	frames [opusMostFrames][opusMostBytes]byte
}

func newOpusEncoder() Encoder {
	e := &opusEncoder{state: opusState(C.opus_encoder_get_size(1))}
	if C.liandong_encoder_init(unsafe.Pointer(&e.state[0]), opusRate, opusBits, opusComplexity) != C.OPUS_OK {
		return nil // cannot be: all of it is constant
	}
	return e
}

func opusState(bytes C.int) []uint64 { return make([]uint64, (bytes+7)/8) }

func (e *opusEncoder) Encode(dst []byte, src []int16) int {
	switch len(src) {
	case opusRate / 100, opusRate / 50, opusRate / 25, opusRate * 60 / 1000:
		return e.frame(dst, src)
	case opusRate * 30 / 1000, opusRate * 50 / 1000: // no frame is so long: RFC 6716 §2.1.4
		return e.packet(dst, src)
	}
	return 0
}

// packet codes src by frames of 10 ms.
func (e *opusEncoder) packet(dst []byte, src []int16) int {
	var frames [opusMostFrames][]byte
	n := len(src) / (opusRate / 100)
	for i := range n {
		size := e.frame(e.frames[i][:], src[i*opusRate/100:(i+1)*opusRate/100])
		frames[i] = e.frames[i][:size]
	}
	return packOpus(dst, frames[:n])
}

func (e *opusEncoder) frame(dst []byte, src []int16) int {
	if len(dst) == 0 {
		return 0
	}
	n := C.liandong_encode(unsafe.Pointer(&e.state[0]), (*C.opus_int16)(&src[0]), C.int(len(src)), (*C.uchar)(&dst[0]),
		C.int(len(dst)))
	return max(0, int(n)) // negative is an error: no room
}

type opusDecoder struct {
	state []uint64
	none  [1]byte
}

func newOpusDecoder() Decoder {
	d := &opusDecoder{state: opusState(C.opus_decoder_get_size(1))}
	if C.liandong_decoder_init(unsafe.Pointer(&d.state[0]), opusRate) != C.OPUS_OK {
		return nil // cannot be: all of it is constant
	}
	return d
}

func (d *opusDecoder) Decode(dst []int16, payload []byte) int {
	if len(payload) == 0 {
		return 0
	}
	return d.decode(dst, &payload[0], len(payload))
}

// Conceal is of Concealer. libopus makes up sound by 2.5 ms.
func (d *opusDecoder) Conceal(dst []int16) int {
	const least = opusRate / 400
	return d.decode(dst[:len(dst)/least*least], &d.none[0], 0)
}

func (d *opusDecoder) decode(dst []int16, payload *byte, bytes int) int {
	if len(dst) == 0 {
		return 0
	}
	n := C.liandong_decode(unsafe.Pointer(&d.state[0]), (*C.uchar)(payload), C.int(bytes), (*C.opus_int16)(&dst[0]),
		C.int(len(dst)))
	return max(0, int(n)) // negative is an error: corrupt, or no room
}
