package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/phone"
	"liandong/routing/link/redistest"
)

// rehearsed are the lines of a block of the page of operations, which are the same in both languages.
func rehearsed(t *testing.T, name string) (lines []string) {
	t.Helper()
	for _, page := range []string{"operations.md", "operations.zh.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "configs", "docs", page))
		must(t, err)
		m := regexp.MustCompile("<!-- rehearsed: " + name + " -->\n```\n((?s:.*?))```").FindSubmatch(text)
		if m == nil {
			t.Fatal(page, " has no such block: ", name)
		}
		these := strings.Split(strings.TrimSpace(string(m[1])), "\n")
		if lines != nil && !slices.Equal(lines, these) {
			t.Errorf("%s differs: %q", page, these)
		}
		lines = these
	}
	return lines
}

// site is a machine of which the folder root is the disk. The services are the test's.
type site struct {
	root, backup, program string
	redis                 *redistest.Server
	config                string
	set                   []string
}

// do carries out a line of the page.
func (s *site) do(t *testing.T, line string) {
	t.Helper()
	words := strings.NewReplacer(" -C / ", " -C "+s.root+" ", "/etc/liandong", s.root+"/etc/liandong", " /var/lib/",
		" "+s.root+"/var/lib/", "/srv/backup", s.backup).Replace(line)
	args := strings.Fields(words)
	switch args[0] {
	case "chown": // everything is the test's
		return
	case "redis-cli":
		args = slices.Insert(args, 1, "-p", strings.Split(s.redis.Addr(), ":")[1])
	case "liandong":
		args[0] = s.program
		args = append(args, s.set...)
		if args[1] == "status" {
			args = append(args, "-c", s.config)
		}
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// A machine is backed up and given up, and another one made of the backup, by the lines of the page of operations: the
// entries of all calls are in its Redis once, those too that came after the copy of Redis was made; recordings are
// there; the next call is served.
func TestRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("three calls in real time")
	}
	t.Parallel()
	program(t, "redis-cli", "redis-tools")
	backup := t.TempDir()
	old, other := &site{root: t.TempDir(), backup: backup}, &site{root: t.TempDir(), backup: backup}
	for _, s := range []*site{old, other} {
		for _, dir := range []string{"etc/liandong", "var/lib/liandong/data", "var/lib/redis"} {
			must(t, os.MkdirAll(filepath.Join(s.root, dir), 0o700))
		}
		s.config = filepath.Join(s.root, "etc/liandong/liandong.yaml")
	}
	lab, err := os.ReadFile(labFile)
	must(t, err)
	must(t, os.WriteFile(old.config, lab, 0o600))
	old.redis = redistest.Start(t)
	data := filepath.Join(old.root, "var/lib/liandong/data")
	s := startServing(t, old.redis.Addr(), "outbox.path="+filepath.Join(data, "outbox.db"), "lang=en",
		"recording.dir="+filepath.Join(data, "recordings"), "hotlines.110.recording.mode=always")
	first, partner := s.desk(t, "1101", deskTone, phone.AnswerAfter(0)),
		s.desk(t, "2101", partnerTone, phone.AnswerAfter(0))
	old.program, other.program = s.path, s.path
	s.handsOver(t, first, partner)
	ref := readEntries(t, old.redis.Addr(), "liandong:tickets:12345", 2)[0]["recording_ref"]
	s.closedRecording(t, ref)
	for _, line := range rehearsed(t, "backup") {
		if line == "systemctl stop liandong" {
			s.handsOver(t, first, partner) // which the copy of Redis has not
			readEntries(t, old.redis.Addr(), "liandong:tickets:12345", 4)
			s.stop(t)
			continue
		}
		old.do(t, line)
	}
	want := wholeStream(t, old.redis.Addr(), "liandong:tickets:12345")
	old.redis.Kill()

	next := *s
	for _, line := range rehearsed(t, "restore") {
		switch line {
		case "systemctl start redis-server":
			other.redis = redistest.Start(t, "--appendonly", "no", "--dir", filepath.Join(other.root, "var/lib/redis"))
			if got := wholeStream(t, other.redis.Addr(), "liandong:tickets:12345"); len(got) != 2 {
				t.Errorf("the copy of Redis has %d entries", len(got))
			}
		case "systemctl start liandong":
			next.run = filepath.Join(t.TempDir(), "run")
			next.args = slices.Clone(s.args)
			next.args[2] = other.config
			for i, a := range next.args {
				a = strings.ReplaceAll(a, old.root, other.root)
				a = strings.ReplaceAll(a, old.redis.Addr(), other.redis.Addr())
				next.args[i] = strings.ReplaceAll(a, s.run, next.run)
			}
			other.set = next.args[3:]
			next.start(t)
			t.Cleanup(func() { next.stop(t) })
		default:
			other.do(t, line)
		}
	}
	next.redis = other.redis.Addr()
	var got []map[string]string
	eventually(t, "the entries after the copy of Redis are there", func() bool {
		got = wholeStream(t, other.redis.Addr(), "liandong:tickets:12345")
		return len(got) >= len(want)
	})
	ids := map[string]int{}
	for _, e := range slices.Concat(want, got) {
		ids[e["event_id"]]++
	}
	for id, n := range ids {
		if n != 2 {
			t.Errorf("event %s is there %d times, in both", id, n)
		}
	}
	if res, wav := next.get(t, "/v1/recordings/"+ref); res.StatusCode != http.StatusOK || len(wav) < 8000 {
		t.Errorf("the recording: %s, %d bytes", res.Status, len(wav))
	}
	next.await(t, func(p keeper.Status) bool { return p.Worker != 0 })
	for _, p := range []*phone.Phone{first, partner} {
		must(t, p.Register(within(t, 10*time.Second)))
	}
	next.handsOver(t, first, partner)
}
