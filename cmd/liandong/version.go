package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
)

type version struct{ speaking }

// release is what the build was told that it is: go build -ldflags "-X main.release=v1.2.3".
var release string

func (version) Run(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, built())
	return err
}

func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if release != "" {
		info.Main.Version = release
	}
	return describe(info)
}

// describe is one line: liandong (devel) 1a2b3c4d5e6f modified 2026-01-02T03:04:05Z go1.26.
func describe(info *debug.BuildInfo) string {
	set := map[string]string{}
	for _, s := range info.Settings {
		set[s.Key] = s.Value
	}
	words := []string{"liandong", info.Main.Version}
	if rev := set["vcs.revision"]; rev != "" {
		words = append(words, rev[:min(len(rev), 12)])
	} else {
		words = append(words, "no-revision")
	}
	if set["vcs.modified"] == "true" {
		words = append(words, "modified")
	}
	words = append(words, set["vcs.time"], info.GoVersion)
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}
