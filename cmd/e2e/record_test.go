package e2e

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/phone"
	"liandong/media/codec"
	"liandong/media/pcm"
	"liandong/media/record"
)

// get asks the switch's HTTP side.
func (l *lab) get(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	return l.ask(t, http.MethodGet, path, header...)
}

func (l *lab) post(t testing.TB, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	return l.ask(t, http.MethodPost, path, header...)
}

func (l *lab) ask(t testing.TB, method, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t, 20*time.Second), method, "http://"+l.http+path, nil)
	must(t, err)
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(t, err)
	return res, body
}

// closedRecording waits until a recording is closed.
func (l *lab) closedRecording(t testing.TB, ref string) (m record.Meta) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		res, body := l.get(t, "/v1/recordings/"+ref+"/meta")
		if res.StatusCode != http.StatusOK {
			continue // the file is made in the background
		}
		must(t, json.Unmarshal(body, &m))
		if !m.Ended.IsZero() {
			return m
		}
	}
	t.Fatalf("recording %s is not closed: %+v", ref, m)
	return m
}

// channels decodes a WAV of interleaved A-law.
func channels(t testing.TB, wav []byte) [][]int16 {
	t.Helper()
	if len(wav) < 58 || string(wav[:4]) != "RIFF" || binary.LittleEndian.Uint16(wav[20:]) != 6 ||
		string(wav[50:54]) != "data" {
		t.Fatalf("no A-law WAV: %d bytes", len(wav))
	}
	sound, n := wav[58:], int(binary.LittleEndian.Uint16(wav[22:]))
	out := make([][]int16, n)
	for c := range out {
		one := make([]byte, 0, len(sound)/n)
		for i := c; i < len(sound); i += n {
			one = append(one, sound[i])
		}
		out[c] = make([]int16, len(one))
		codec.Decode(codec.PCMA, out[c], one)
	}
	return out
}

// fits says how well a tone is found in the half second of a channel that has most of it.
func fits(channel []int16, hz float64) float64 {
	const piece = 4000
	best := 0.0
	tone := phone.Tone(hz, time.Second)[:piece]
	for at := 0; at+piece <= len(channel); at += piece {
		_, r := pcm.Correlate(tone, channel[at:at+piece], piece/2)
		best = max(best, r)
	}
	return best
}

// Three parties who speak at once, each alone on a channel of its own; the ref of tickets and events leads to it.
func TestRecordThreeWay(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{"plain": "", "sealed": strings.Repeat("5a", record.KeySize)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "recordings")
			set := []string{"hotlines.110.recording.mode=always", "recording.dir=" + dir}
			if key != "" {
				set = append(set, "recording.key="+key)
			}
			h := talking(t, phone.AnswerAfter(200*time.Millisecond), set...)
			pushes(t, h.desk, "*3")
			p := waitConfirmed(t, next(t, h.partner))
			must(t, p.WaitHeard(within(t, 15*time.Second), time.Second, func(pcm []int16) bool {
				return phone.Share(pcm, callerTone) > 0.3 && phone.Share(pcm, deskTone) > 0.3
			}))
			hangUp(t, h.desk)
			hears(t, p, callerTone)
			hangUp(t, h.caller)
			ended(t, p)
			entries := readEntries(t, h.redis, "liandong:tickets:12345", 3)
			ref := entries[0]["recording_ref"]
			for _, e := range entries {
				if len(e["recording_ref"]) != 26 || e["recording_ref"] != ref {
					t.Errorf("%s has the recording %q", e["event"], e["recording_ref"])
				}
			}
			m := h.closedRecording(t, ref)
			if m.CallRef != entries[0]["call_ref"] || m.Interrupted || m.Failure != "" || m.Dropped != 0 ||
				(m.KeyID != "") != (key != "") {
				t.Errorf("%+v", m)
			}
			res, wav := h.get(t, "/v1/recordings/"+ref)
			if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "audio/wav" {
				t.Fatalf("%v", res.Status)
			}
			sound := channels(t, wav)
			if len(sound) != 3 {
				t.Fatalf("%d channels", len(sound))
			}
			for c, own := range []float64{callerTone, deskTone, partnerTone} {
				for _, hz := range []float64{callerTone, deskTone, partnerTone} {
					r := fits(sound[c], hz)
					if hz == own && r < 0.95 || hz != own && r > 0.2 {
						t.Errorf("channel %d (%s) has %v Hz with correlation %.2f", c, m.Channels[c].Role, hz, r)
					}
				}
			}
			if res, part := h.get(t, "/v1/recordings/"+ref, "Range",
				"bytes=30000-30999"); res.StatusCode != http.StatusPartialContent ||
				string(part) != string(wav[30000:31000]) {
				t.Errorf("a range: %s, %d bytes", res.Status, len(part))
			}
			onlyOurs(t, dir)
			toldOfRecording(t, h, ref, "started", "paused", "stopped") // 12345 alone records nothing
		})
	}
}

// onlyOurs: nobody else on the machine reads what is kept, and no file has a number in it.
func onlyOurs(t testing.TB, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		if filepath.Ext(path) == ".json" {
			b, err := os.ReadFile(path)
			must(t, err)
			if strings.Contains(string(b), number) {
				t.Errorf("the caller's number stands in %s", b)
			}
		}
		return nil
	}))
}

// toldOfRecording: the stream of call events has these, and no others, of the recording.
func toldOfRecording(t testing.TB, h handing, ref string, want ...string) {
	t.Helper()
	var got []string
	for n := 1; ; n++ {
		e := readEntries(quiet{t}, h.redis, "liandong:calls", n)[n-1]
		if e["event"] == "recording" {
			got = append(got, e["detail"])
			if e["recording_ref"] != ref {
				t.Errorf("%v of the recording %s", e, ref)
			}
		}
		if e["event"] == "ended" {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("told of the recording: %v, want %v", got, want)
	}
}

// quiet does not mind that a stream holds more than asked for.
type quiet struct{ testing.TB }

func (quiet) Errorf(string, ...any) {}

// The desk's key, and the record key of phones that send an INFO for it: what is said between is kept, and everybody
// hears that it is.
func TestRecordByKey(t *testing.T) {
	t.Parallel()
	h := talking(t, phone.NeverAnswer(), "hotlines.110.recording.mode=key", "recording.dir="+t.TempDir())
	record := func(want string) {
		t.Helper()
		res, err := h.desk.Request(within(t, 10*time.Second), "INFO", []phone.Header{{Name: "Record", Value: want}},
			nil)
		must(t, err)
		if res.Code != 200 {
			t.Fatalf("INFO with Record: %s is answered %d", want, res.Code)
		}
	}
	pushes(t, h.desk, "*7")
	for _, c := range []*phone.Call{h.caller, h.desk} {
		mixed := func(pcm []int16) bool {
			return phone.Loudness(pcm) > 50 && phone.Share(pcm, callerTone)+phone.Share(pcm, deskTone) < 0.8
		}
		must(t, c.WaitHeard(within(t, 15*time.Second), 200*time.Millisecond, mixed))
	}
	hears(t, h.caller, deskTone) // the announcement is over
	record("off")
	aWhile := func([]int16) bool { return true }
	must(t, h.caller.WaitHeard(within(t, 15*time.Second), 1500*time.Millisecond, aWhile))
	record("on")
	hears(t, h.caller, deskTone)
	hangUp(t, h.caller)
	ended(t, h.desk)
	ref := ""
	for n := 1; ref == ""; n++ {
		ref = readEntries(quiet{t}, h.redis, "liandong:calls", n)[n-1]["recording_ref"]
	}
	m := h.closedRecording(t, ref)
	if len(m.Pauses) != 1 || m.Pauses[0].To.Sub(m.Pauses[0].From) < time.Second {
		t.Fatalf("pauses %+v", m.Pauses)
	}
	_, wav := h.get(t, "/v1/recordings/"+ref)
	sound := channels(t, wav)
	within := func(from, to time.Time) []int16 {
		at := func(t time.Time) int { return int(t.Sub(m.Started).Seconds() * 8000) }
		return sound[0][at(from):at(to)]
	}
	pause := m.Pauses[0]
	if r := fits(within(m.Started, pause.From), callerTone); r < 0.95 {
		t.Errorf("before the pause the caller is heard with %.2f", r)
	}
	if level := pcm.Level(within(pause.From.Add(200*time.Millisecond),
		pause.To.Add(-200*time.Millisecond))); level > -60 {
		t.Errorf("in the pause there is sound of %.0f dBFS", level)
	}
	toldOfRecording(t, h, ref, "started", "paused", "resumed", "stopped")
}

// Nothing is recorded, and nothing can be asked for, where no line records.
func TestNoRecording(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	for _, path := range []string{"/v1/recordings/01M85E0AZ1CD2HSYZ85ZB5PVQ2",
		"/v1/recordings/01M85E0AZ1CD2HSYZ85ZB5PVQ2/meta", "/v1/recordings/x"} {
		if res, _ := l.get(t, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}
