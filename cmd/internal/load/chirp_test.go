package load

import (
	"testing"
	"time"

	"liandong/cmd/internal/demo/speech"
	"liandong/media/codec"
	"liandong/media/pcm"
)

// mix is the sound of parties added up, in A-law.
func mix(parts ...[]int16) []byte {
	sum := make([]int16, len(parts[0]))
	for _, p := range parts {
		for i, x := range p {
			sum[i] = pcm.Clip(int32(sum[i]) + int32(x))
		}
	}
	codes := make([]byte, len(sum))
	codec.Encode(codec.PCMA, codes, sum)
	return codes
}

// recorded is codes as they came: 20 ms a packet from a time on.
func recorded(codes []byte, from int64) *record {
	r := &record{}
	for i := 0; i+pcm.FrameSamples <= len(codes); i += pcm.FrameSamples {
		r.keep(codes[i:][:pcm.FrameSamples], at(from+int64(i/pcm.FrameSamples)*20))
	}
	return r
}

// A chirp is found to the sample, mixed with another's murmur and cut into other packets than it was sent in.
func TestChirpFound(t *testing.T) {
	all := makeChirps()
	murmur, err := speech.Samples(speech.Desk110)
	if err != nil {
		t.Fatal(err)
	}
	for i := range murmur {
		murmur[i] /= 4
	}
	for s := range sides {
		for _, samples := range []int{0, 1, 159, 160, 400, 2000} { // after the beginning of a packet of ours
			sound := make([]int16, 8000)
			copy(sound[samples:], all[s].samples[:])
			r := recorded(mix(sound, murmur[:8000]), 1007)
			got, ok := r.chirpFound(codec.PCMA, &all[s], at(1000))
			want := 7*time.Millisecond + time.Duration(samples)*125*time.Microsecond
			if !ok || got != want {
				t.Errorf("%v, %d samples: %v, %v, want %v", s, samples, got, ok, want)
			}
			for other := range sides {
				if _, ok := r.chirpFound(codec.PCMA, &all[other], at(1000)); ok && other != s {
					t.Errorf("the %v's chirp passes for the %v's", s, other)
				}
			}
		}
	}
}

func TestChirpNotFound(t *testing.T) {
	all := makeChirps()
	for _, voice := range []string{speech.Caller, speech.Desk110, speech.Desk12345} {
		r := recorded(spoken(t, voice, codec.PCMA), 0)
		for sent := int64(0); sent < 6000; sent += 400 {
			for s := range sides {
				if took, ok := r.chirpFound(codec.PCMA, &all[s], at(sent)); ok {
					t.Errorf("%s at %d ms: a chirp of the %v after %v", voice, sent, s, took)
				}
			}
		}
	}
	if _, ok := (&record{}).chirpFound(codec.PCMA, &all[0], at(0)); ok {
		t.Error("found in nothing")
	}
	quiet := recorded(mix(make([]int16, 8000)), 0)
	if _, ok := quiet.chirpFound(codec.PCMA, &all[0], at(0)); ok {
		t.Error("found in silence")
	}
}

// The parties of a script take turns: one chirp a second in all, whole, and never two voices at once.
func TestScript(t *testing.T) {
	w := &window{at(0), at(1 << 40)}
	sc := &script{from: at(100), chirps: makeChirps()}
	var all [sides]*stream
	var said [sides][]byte
	for s := range sides {
		all[s] = speaking(t, s, w)
		all[s].script, all[s].record = sc, &record{}
	}
	for now := int64(0); now < 6100; now += 20 {
		talking := 0
		for s := range sides {
			// Each stream has its own phase, and a generator that is late now and then.
			p, ok := parseRTP(all[s].tick(at(now + int64(s)*6 + now%3)))
			if !ok {
				t.Fatal("no packet")
			}
			if p.payload[0] != quietA[0] || p.payload[99] != quietA[99] {
				talking++
			}
			said[s] = append(said[s], p.payload...)
		}
		if talking > 1 {
			t.Errorf("%d talk at %d ms", talking, now)
		}
	}
	for s := range sides {
		if n := len(all[s].record.chirps); n != 2 {
			t.Fatalf("%d chirps of the %v, want 2", n, s)
		}
		r := recorded(said[s], 0)
		for _, sent := range all[s].record.chirps {
			if took, ok := r.chirpFound(codec.PCMA, &sc.chirps[s], sent-20*msec); !ok {
				t.Errorf("the %v's chirp is not whole: %v", s, took)
			}
		}
	}
}

func BenchmarkChirpFound(b *testing.B) {
	all := makeChirps()
	r := recorded(spoken(b, speech.Caller, codec.PCMA), 0)
	for b.Loop() {
		r.chirpFound(codec.PCMA, &all[0], at(1000))
	}
}
