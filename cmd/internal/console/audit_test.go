package console_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"liandong/cmd/internal/phone"
)

// What people do is in a file of its own, which nobody else reads, and in a stream, with the same fields: who it was,
// from where, and what became of it; no number is whole and no secret stands in it.
func TestTrail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	r := newRig(t, "audit.dir="+dir)
	desk := r.phone("1101", phone.Policy{})
	r.browser().send("POST", "/signin", url.Values{"user": {"13812345678"}, "password": {"geheim"}})
	b := r.signIn("wang")
	call := r.call(r.phone("", phone.Policy{}), "110")
	if err := (<-desk.Incoming()).Answer(); err != nil {
		t.Fatal(err)
	}
	var ref string
	r.until("the call is there", func() bool {
		var list []struct{ ID, Desk string }
		_, body := b.send("GET", "/v1/calls", nil)
		if json.Unmarshal([]byte(body), &list) != nil || len(list) != 1 || list[0].Desk != "1101" {
			return false
		}
		ref = list[0].ID
		return true
	})
	b.send("GET", "/v1/calls/"+ref, nil)
	b.send("POST", "/v1/calls/"+ref+"/verbs/urgent?user=1101", nil, "X-CSRF-Token", b.csrf)
	b.send("GET", "/matters", nil)
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.send("POST", "/signout", url.Values{"csrf": {b.csrf}})
	want := []map[string]string{
		{"what": "a sign-in failed", "user": "unknown"},
		{"what": "signed in", "user": "wang", "role": "taker", "part": "console"},
		{"what": "by HTTP: a number is shown", "by": "http.users.wang", "call": ref, "user": "1101"},
		{"what": "by HTTP: a key is pressed", "verb": "urgent", "call": ref},
		{"what": "refused at the console", "user": "wang"},
		{"what": "signed out", "user": "wang"},
	}
	inFile := func() (all []map[string]string) {
		files, _ := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
		for _, name := range files {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info.Mode(), err)
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, leak := range []string{"13812345678", "geheim", password, b.csrf} {
				if strings.Contains(string(text), leak) {
					t.Errorf("%q stands in\n%s", leak, text)
				}
			}
			for line := range strings.Lines(string(text)) {
				var fields map[string]any
				if json.Unmarshal([]byte(line), &fields) != nil {
					continue
				}
				plain := map[string]string{}
				for k, v := range fields {
					plain[k], _ = v.(string)
				}
				all = append(all, plain)
			}
		}
		return all
	}
	client := redis.NewClient(&redis.Options{Addr: r.redis.Addr()})
	defer client.Close()
	inStream := func() (all []map[string]string) {
		list, err := client.XRange(t.Context(), "liandong:audit", "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			plain := map[string]string{}
			for k, v := range m.Values {
				plain[k], _ = v.(string)
			}
			all = append(all, plain)
		}
		return all
	}
	for where, read := range map[string]func() []map[string]string{"the file": inFile, "the stream": inStream} {
		for _, one := range want {
			r.until(one["what"]+" in "+where, func() bool {
				for _, line := range read() {
					if line["at"] != "" && line["from"] != "" && holdsAll(line, one) {
						return true
					}
				}
				return false
			})
		}
	}
}

func holdsAll(line, want map[string]string) bool {
	for k, v := range want {
		if line[k] != v {
			return false
		}
	}
	return true
}
