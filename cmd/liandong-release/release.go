package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nfpm makes .deb and .rpm. Versions from 2.46 on need modules that are not on every module proxy.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// release is one run. Owned by run.
type release struct {
	out     string
	archs   []string
	version string // as git describe gives it
	skip    []string
	log     io.Writer

	root  string    // of the repository
	at    time.Time // of the commit: the time of every file
	stage string    // a directory that is removed at the end
	own   string    // the binary for this machine
	common
}

// common is what is the same for all processors.
type common struct {
	files []file // of a package, without the binary
}

// file is one file of a package: its content, and where it is installed.
type file struct {
	path string // such as usr/share/man/man1/liandong.1
	mode int64
	data []byte
}

func (r *release) run(ctx context.Context) (err error) {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(r.stage)) }()
	var made []string
	var images []layered
	for _, arch := range r.archs {
		binary := r.own
		if arch != runtime.GOARCH {
			if binary, err = r.compile(ctx, arch); err != nil {
				return err
			}
		}
		names, err := r.packages(ctx, arch, binary)
		if err != nil {
			return err
		}
		made = append(made, names...)
		images = append(images, layered{arch, r.installed(binary)})
	}
	if !slices.Contains(r.skip, "oci") {
		name := "liandong-" + r.version + "-oci.tar"
		image, err := ociTar(images, r.version, r.at)
		if err == nil {
			err = r.write(name, image)
		}
		if err != nil {
			return err
		}
		made = append(made, name)
	}
	return r.sums(made)
}

// prepare finds the version and its time, and makes what is the same for all processors.
func (r *release) prepare(ctx context.Context) error {
	root, err := r.output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("the version is git's, and this is no repository: %w", err)
	}
	r.root = root
	if r.version == "" {
		if r.version, err = r.described(ctx); err != nil {
			return err
		}
	}
	seconds, err := r.output(ctx, root, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the commit: %w", err)
	}
	r.at = time.Unix(n, 0).UTC()
	if r.stage, err = os.MkdirTemp("", "liandong-release-"); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if r.own, err = r.compile(ctx, runtime.GOARCH); err != nil { // it tells of its commands
		return err
	}
	r.common, err = gather(ctx, r.root, r.own)
	return err
}

// described is what git describe says. Where there is no tag it is what it would say of a v0.0.0 before the first
// revision, so that a later package is newer than an earlier one.
func (r *release) described(ctx context.Context) (string, error) {
	if v, err := r.output(ctx, r.root, "git", "describe", "--tags", "--dirty"); err == nil {
		return v, nil
	}
	n, err := r.output(ctx, r.root, "git", "rev-list", "--count", "HEAD")
	if err != nil {
		return "", err
	}
	hash, err := r.output(ctx, r.root, "git", "describe", "--always", "--dirty")
	return fmt.Sprintf("v0.0.0-%s-g%s", n, hash), err
}

func (r *release) output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s: %w: %s", name, err, failed.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// compile builds the static binary of a processor.
func (r *release) compile(ctx context.Context, arch string) (string, error) {
	binary := filepath.Join(r.stage, arch, "liandong")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags",
		"-s -w -buildid= -X main.release="+r.version, "-o", binary, "./cmd/liandong")
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build for %s: %w\n%s", arch, err, out)
	}
	return binary, nil
}

// installed are all files of a package.
func (r *release) installed(binary string) []file {
	data, _ := os.ReadFile(binary) // compile has just written it
	return append([]file{{path: "usr/bin/liandong", mode: 0o755, data: data}}, r.files...)
}

// packages makes what there is for one processor, and gives the names.
func (r *release) packages(ctx context.Context, arch, binary string) (names []string, err error) {
	base := "liandong-" + r.version + "-linux-" + arch
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	bill, err := billOfMaterials(info, r.version, data, r.at)
	if err != nil {
		return nil, err
	}
	archive, err := tarGz(r.installed(binary), base+"/", r.at)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{base + ".tar.gz": archive, base + ".cdx.json": bill} {
		if err := r.write(name, content); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	for _, kind := range []string{"deb", "rpm"} {
		if slices.Contains(r.skip, kind) {
			continue
		}
		name, err := r.pack(ctx, kind, arch, binary)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func (r *release) write(name string, content []byte) error {
	fmt.Fprintf(r.log, "%s  %d KiB\n", name, (len(content)+1023)/1024)
	return os.WriteFile(filepath.Join(r.out, name), content, 0o644)
}

// sums writes SHA256SUMS, as sha256sum -c reads it.
func (r *release) sums(names []string) error {
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		fmt.Fprintf(&b, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return r.write("SHA256SUMS", b.Bytes())
}

// packageVersion is a version as Debian and RPM compare them: a digit first, no hyphen. v1.2.3-4-gabc is 1.2.3+4.gabc,
// and a revision without any tag before it 0+gabc.
func packageVersion(described string) string {
	v := strings.TrimPrefix(described, "v")
	if v == "" || v[0] < '0' || v[0] > '9' || !strings.Contains(v, ".") {
		v = "0-g" + v
	}
	head, rest, more := strings.Cut(v, "-")
	if !more {
		return head
	}
	return head + "+" + strings.ReplaceAll(rest, "-", ".")
}
