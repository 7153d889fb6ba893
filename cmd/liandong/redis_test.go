package main

import (
	"strings"
	"testing"

	"liandong/routing/link/redistest"
)

// check asks the Redis of the config what it does with what it is given, and warns of one that keeps nothing, in the
// language of the file.
func TestCheckWarnsOfARedisThatForgets(t *testing.T) {
	t.Parallel()
	forgets := redistest.Start(t, "--appendonly", "no", "--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb")
	keeps := redistest.Start(t)
	for lang, words := range map[string][]string{
		"en": {"no append-only file", "may throw away streams"},
		"zh": {"没有开启 AOF", "会淘汰数据流"},
	} {
		_, stderr, code := call(t, nil, "check", "configs/lab.yaml", "--set", "lang="+lang,
			"--set", "redis.url=redis://"+forgets.Addr()+"/0")
		for _, word := range words {
			if code != 0 || !strings.Contains(stderr, word) {
				t.Errorf("%s: code %d, not warned of %q:\n%s", lang, code, word, stderr)
			}
		}
		_, stderr, code = call(t, nil, "check", "configs/lab.yaml", "--set", "lang="+lang,
			"--set", "redis.url=redis://"+keeps.Addr()+"/0")
		for _, word := range words {
			if code != 0 || strings.Contains(stderr, word) {
				t.Errorf("%s: code %d, warned of %q though it keeps all:\n%s", lang, code, word, stderr)
			}
		}
	}
}
