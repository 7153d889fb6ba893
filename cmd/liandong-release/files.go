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
	"configs/lab.yaml", "configs/liandong.yaml", "configs/categories", "configs/cluster", "configs/consumers",
	"configs/docs", "configs/grafana", "configs/indicators", "configs/pbx", "configs/phones", "configs/prometheus",
	"configs/prompts", "configs/redis", "configs/split",
}

// relinked leads from page to page as they lie in a package: the front pages in usr/share/doc/liandong, those of
// configs in folders of usr/share/liandong.
func relinked(page []byte) []byte {
	return []byte(strings.NewReplacer("](configs/", "](../../liandong/", "](LICENSE)", "](copyright)",
		"](../../README", "](../../doc/liandong/README").Replace(string(page)))
}

// gather makes all files of a package but the binary.
func gather(ctx context.Context, root, program string) (c common, err error) {
	if c.files, err = laid(root); err != nil {
		return c, err
	}
	own, err := told(ctx, program)
	c.files = append(c.files, own...)
	slices.SortFunc(c.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return c, err
}

// told is what the program itself writes: its manual page and completions.
func told(ctx context.Context, program string) (files []file, err error) {
	for path, args := range map[string][]string{
		"usr/share/man/man1/liandong.1.gz":                  {"man", "--lang=en"},
		"usr/share/man/zh_CN/man1/liandong.1.gz":            {"man", "--lang=zh"},
		"usr/share/bash-completion/completions/liandong":    {"--lang=en", "completion", "bash"},
		"usr/share/zsh/vendor-completions/_liandong":        {"--lang=en", "completion", "zsh"},
		"usr/share/fish/vendor_completions.d/liandong.fish": {"--lang=en", "completion", "fish"},
	} {
		out, err := exec.CommandContext(ctx, program, args...).Output()
		if err != nil {
			return nil, fmt.Errorf("%s %v: %w", program, args, err)
		}
		if strings.HasSuffix(path, ".gz") {
			out = zipped(out)
		}
		files = append(files, file{path: path, mode: 0o644, data: out})
	}
	return files, nil
}

// laid are the files of the repository where a package has them.
func laid(root string) (files []file, err error) {
	add := func(from, to string, as func([]byte) []byte) error {
		data, err := os.ReadFile(from)
		files = append(files, file{path: to, mode: 0o644, data: as(data)})
		return err
	}
	for from, to := range map[string]string{
		"configs/systemd/liandong.service":        "usr/lib/systemd/system/liandong.service",
		"configs/systemd/liandong-spool@.service": "usr/lib/systemd/system/liandong-spool@.service",
		"LICENSE":      "usr/share/doc/liandong/copyright",
		"README.md":    "usr/share/doc/liandong/README.md",
		"README.zh.md": "usr/share/doc/liandong/README.zh.md",
	} {
		as := relinked
		if strings.HasSuffix(from, ".service") {
			as = unitOf
		}
		if err := add(filepath.Join(root, from), to, as); err != nil {
			return nil, err
		}
	}
	for _, path := range shared {
		err := filepath.WalkDir(filepath.Join(root, path), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
				return err
			}
			as := func(data []byte) []byte { return data }
			switch filepath.Ext(name) {
			case ".md":
				as = relinked
			case ".conf":
				as = installed
			}
			return add(name, sharePath(root, name), as)
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func sharePath(root, name string) string {
	inner, _ := filepath.Rel(filepath.Join(root, "configs"), name) // it lies there
	return "usr/share/liandong/" + filepath.ToSlash(inner)
}

// installed names the program where a package has it.
func installed(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("/usr/local/bin"), []byte("/usr/bin"))
}

// unitOf is a unit for a program that a package has installed.
func unitOf(text []byte) []byte {
	return bytes.ReplaceAll(installed(text), []byte("[Service]\n"),
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
