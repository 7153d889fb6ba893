package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// shared are the files and folders of the repository that are installed under usr/share/liandong.
var shared = []string{
	"configs/lab.yaml", "configs/liandong.yaml", "configs/categories", "configs/consumers", "configs/docs",
	"configs/grafana", "configs/indicators", "configs/pbx", "configs/phones", "configs/prometheus", "configs/prompts",
	"configs/redis", "configs/split",
}

// gather makes all files of a package but the binary; the program itself writes its manual page and completions.
func gather(ctx context.Context, root, program string) (c common, err error) {
	add := func(path string, data []byte) {
		c.files = append(c.files, file{path: path, mode: 0o644, data: data})
	}
	for path, args := range map[string][]string{
		"usr/share/man/man1/liandong.1.gz":                  {"man", "--lang=en"},
		"usr/share/man/zh_CN/man1/liandong.1.gz":            {"man", "--lang=zh"},
		"usr/share/bash-completion/completions/liandong":    {"--lang=en", "completion", "bash"},
		"usr/share/zsh/vendor-completions/_liandong":        {"--lang=en", "completion", "zsh"},
		"usr/share/fish/vendor_completions.d/liandong.fish": {"--lang=en", "completion", "fish"},
	} {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		if err != nil {
			return c, fmt.Errorf("%s %v: %w", program, args, err)
		}
		if strings.HasSuffix(path, ".gz") {
			out = zipped(out)
		}
		add(path, out)
	}
	for _, unit := range []string{"liandong.service", "liandong-spool@.service"} {
		text, err := os.ReadFile(filepath.Join(root, "configs/systemd", unit))
		if err != nil {
			return c, err
		}
		add("usr/lib/systemd/system/"+unit, unitOf(text))
	}
	for from, to := range map[string]string{"LICENSE": "copyright", "README.md": "README.md",
		"README.zh.md": "README.zh.md"} {
		text, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return c, err
		}
		add("usr/share/doc/liandong/"+to, text)
	}
	for _, path := range shared {
		err := filepath.WalkDir(filepath.Join(root, path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(name) == ".go" {
				return err
			}
			data, err := os.ReadFile(name)
			if err == nil {
				add(sharePath(root, name), data)
			}
			return err
		})
		if err != nil {
			return c, err
		}
	}
	slices.SortFunc(c.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return c, nil
}

func sharePath(root, name string) string {
	inner, _ := filepath.Rel(filepath.Join(root, "configs"), name) // it lies there
	return "usr/share/liandong/" + filepath.ToSlash(inner)
}

// unitOf is a unit for a program that a package has installed.
func unitOf(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("/usr/local/bin"), []byte("/usr/bin"))
	return bytes.ReplaceAll(text, []byte("[Service]\n"),
		[]byte("# until there is a config: liandong init /etc/liandong/liandong.yaml\n"+
			"ConditionPathExists=/etc/liandong/liandong.yaml\n\n[Service]\n"))
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level there is
	_, _ = w.Write(data)                                  // a buffer takes all
	_ = w.Close()
	return b.Bytes()
}
