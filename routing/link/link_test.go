package link

import (
	"errors"
	"strings"
	"testing"

	"liandong/routing/desk"
)

func TestURL(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:6379/0":                     "single",
		"rediss://user:pw@redis.example/1":             "single",
		"redis://a:1?addr=b:2&addr=c:3":                "cluster",
		"redis://s1:26379?master_name=m&addr=s2:26379": "sentinel",
		"http://a":                             "",
		"redis://:secret%zz@a:1":               "",
		"redis://:secret@":                     "",
		"redis://user:secret@127.0.0.1:6379/x": "",
		"":                                     "",
	} {
		cfg := Default()
		cfg.URL = desk.NewSecret(url)
		opt, err := cfg.options()
		if (want == "") != (err != nil) {
			t.Errorf("%s: %v", url, err)
		}
		if err != nil {
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
			continue
		}
		kind := "single"
		if opt.MasterName != "" {
			kind = "sentinel"
		} else if opt.IsClusterMode {
			kind = "cluster"
		}
		if kind != want {
			t.Errorf("%s: %s, want %s", url, kind, want)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"url", "timeout"} {
		if err := (Config{}).Validate(); !strings.Contains(err.Error(), "redis: "+key+": must") {
			t.Errorf("%s is not reported: %v", key, err)
		}
	}
}

// Redis quotes what it was sent: a number that was must not come into the log.
func TestPlain(t *testing.T) {
	if got := Plain(errors.New("ERR wrong value '13812345678'")); got != "ERR wrong value '*'" {
		t.Error(got)
	}
}
