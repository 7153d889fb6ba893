package load

import (
	"testing"

	"liandong/cmd/internal/demo/speech"
	"liandong/media/codec"
	"liandong/media/pcm"
)

// spoken is a voice in codes of a law.
func spoken(t testing.TB, voice string, law codec.ID) []byte {
	t.Helper()
	samples, err := speech.Samples(voice)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]byte, len(samples))
	codec.Encode(law, codes, samples)
	return codes
}

var someStamp = stamp{speaker: 0x812345, count: 0xfedc, at: 0xdeadbeef}

func TestStampIsRead(t *testing.T) {
	for _, law := range []codec.ID{codec.PCMA, codec.PCMU} {
		payload := spoken(t, speech.Caller, law)[8000:8160]
		someStamp.put(payload)
		if got, ok := readStamp(payload); !ok || got != someStamp {
			t.Errorf("%v: %+v, %v", law, got, ok)
		}
	}
}

// A server that decodes and encodes again hands stamps on, whatever the sound: all codes are tried in all places.
func TestStampSurvivesTheLaw(t *testing.T) {
	for _, law := range []codec.ID{codec.PCMA, codec.PCMU} {
		for first := range 256 {
			payload := make([]byte, pcm.FrameSamples)
			for i := range payload {
				payload[i] = byte(first + i)
			}
			someStamp.put(payload)
			linear := make([]int16, len(payload))
			codec.Decode(law, linear, payload)
			codec.Encode(law, payload, linear)
			if got, ok := readStamp(payload); !ok || got != someStamp {
				t.Fatalf("%v from %d: %+v, %v", law, first, got, ok)
			}
		}
	}
}

func TestStampIsNotFoundWhereNoneIs(t *testing.T) {
	for _, voice := range []string{speech.Caller, speech.Desk110, speech.Desk12345} {
		codes := spoken(t, voice, codec.PCMA)
		for at := 0; at+pcm.FrameSamples <= len(codes); at++ {
			if s, ok := readStamp(codes[at:][:pcm.FrameSamples]); ok {
				t.Fatalf("%s at %d: %+v", voice, at, s)
			}
		}
	}
	if _, ok := readStamp(make([]byte, stampBits-1)); ok {
		t.Error("a short payload has a stamp")
	}
}

// Any single bit that is wrong makes the stamp unreadable, and so does another voice.
func TestStampIsDestroyedWhole(t *testing.T) {
	payload := spoken(t, speech.Caller, codec.PCMA)[8000:8160]
	someStamp.put(payload)
	for bit := range stampBits {
		payload[bit] ^= 1
		if s, ok := readStamp(payload); ok {
			t.Errorf("bit %d: %+v", bit, s)
		}
		payload[bit] ^= 1
	}
	mixed := make([]int16, len(payload))
	other := make([]int16, len(payload))
	codec.Decode(codec.PCMA, mixed, payload)
	codec.Decode(codec.PCMA, other, spoken(t, speech.Desk110, codec.PCMA)[16000:])
	for i := range mixed {
		mixed[i] = pcm.Clip(int32(mixed[i]) + int32(other[i]))
	}
	codec.Encode(codec.PCMA, payload, mixed)
	if s, ok := readStamp(payload); ok {
		t.Errorf("in a mix: %+v", s)
	}
}

// Marked speech is still that speech.
func TestStampLeavesSpeech(t *testing.T) {
	codes := spoken(t, speech.Caller, codec.PCMA)
	marked := append([]byte{}, codes...)
	for i := 0; i+pcm.FrameSamples <= len(marked); i += pcm.FrameSamples {
		stamp{speaker: 7, count: uint16(i), at: uint32(i) * 12345}.put(marked[i:])
	}
	a, b := make([]int16, len(codes)), make([]int16, len(codes))
	codec.Decode(codec.PCMA, a, codes)
	codec.Decode(codec.PCMA, b, marked)
	if lag, r := pcm.Correlate(a, b, 10); lag != 0 || r < 0.99 {
		t.Errorf("lag %d, r %.4f", lag, r)
	}
}
