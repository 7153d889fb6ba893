package codec

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// vectors reads a file of the ITU-T software tool library's sweep over all
// 16-bit samples: little-endian words.
func vectors(t *testing.T, name string) []uint16 {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../../shared/testdata/g711", name))
	if err != nil {
		t.Skipf("the ITU vectors are not there: %v", err)
	}
	words := make([]uint16, len(b)/2)
	for i := range words {
		words[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	if len(words) != 1<<16 {
		t.Fatalf("%s has %d words, want %d", name, len(words), 1<<16)
	}
	return words
}

func samplesOf(words []uint16) []int16 {
	out := make([]int16, len(words))
	for i, w := range words {
		out[i] = int16(w)
	}
	return out
}

func codesOf(words []uint16) []byte {
	out := make([]byte, len(words))
	for i, w := range words {
		out[i] = byte(w)
	}
	return out
}

func TestITUSweep(t *testing.T) {
	for _, test := range []struct {
		id                      ID
		coded, decoded, recoded string
	}{
		{PCMA, "sweep-r.a", "sweep-r.rea", "sweep-r.a-a"},
		{PCMU, "sweep-r.u", "sweep-r.reu", "sweep-r.u-u"},
	} {
		t.Run(test.id.Name(), func(t *testing.T) {
			source := samplesOf(vectors(t, "sweep.src"))
			coded, decoded := codesOf(vectors(t, test.coded)), samplesOf(vectors(t, test.decoded))

			gotCodes, gotSamples := make([]byte, len(source)), make([]int16, len(source))
			Encode(test.id, gotCodes, source)
			differ(t, "coded", source, gotCodes, coded)
			Decode(test.id, gotSamples, coded)
			differ(t, "decoded", source, gotSamples, decoded)

			Encode(test.id, gotCodes, decoded)
			Decode(test.id, gotSamples, gotCodes)
			differ(t, "coded again", source, gotSamples, samplesOf(vectors(t, test.recoded)))
		})
	}
}

func differ[T int16 | byte](t *testing.T, what string, source []int16, got, want []T) {
	t.Helper()
	bad := 0
	for i := range want {
		if got[i] == want[i] {
			continue
		}
		if bad++; bad <= 3 {
			t.Errorf("%s: sample %d gives %d, want %d", what, source[i], got[i], want[i])
		}
	}
	if bad > 3 {
		t.Errorf("%s: %d differ", what, bad)
	}
}
