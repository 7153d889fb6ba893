package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 24, 0, 6, 29, 0, time.UTC)

func TestPackageVersion(t *testing.T) {
	for described, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-4-gabcdef0": "1.2.3+4.gabcdef0", "v1.2.3-4-gabcdef0-dirty": "1.2.3+4.gabcdef0.dirty",
		"abcdef0": "0+gabcdef0", "1234567-dirty": "0+g1234567.dirty",
	} {
		if got := packageVersion(described); got != want {
			t.Errorf("%s: %s, want %s", described, got, want)
		}
	}
	if dpkg, err := exec.LookPath("dpkg"); err == nil {
		versions := []string{"v0.9.0", "v1.2.3", "v1.2.3-4-gabcdef0", "v1.2.3-14-g0bcdef0", "v1.2.4", "v1.10.0"}
		for i, later := range versions[1:] {
			if exec.Command(dpkg, "--compare-versions", packageVersion(versions[i]), "lt",
				packageVersion(later)).Run() != nil {
				t.Errorf("%s is not before %s", versions[i], later)
			}
		}
	}
}

// Two runs give the same bytes. With LIANDONG_RELEASE=full they are from copies of the source in two directories, each
// with a build cache of its own, .deb, .rpm and all processors included, which takes many minutes.
func TestReproducible(t *testing.T) {
	full := os.Getenv("LIANDONG_RELEASE") == "full"
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LIANDONG_RELEASE") == "" || testing.Short() {
		t.Skip("a release takes a minute; LIANDONG_RELEASE=one tries it for this processor, full for all")
	}
	var sums [2]string
	for i := range sums {
		r := release{out: t.TempDir(), archs: []string{runtime.GOARCH}, log: io.Discard, skip: []string{"deb", "rpm"}}
		if full {
			t.Setenv("GOCACHE", t.TempDir())
			t.Chdir(copied(t, root))
			r.archs, r.skip = []string{"amd64", "arm64", "loong64", "riscv64"}, nil
		}
		if err := r.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(r.out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		if sums[i] = string(text); i > 0 {
			examine(t, r, full)
		}
		if _, err := os.Stat(r.stage); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", r.stage, err)
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of one revision:\n%s\n%s", sums[0], sums[1])
	}
}

// copied is the source at another place.
func copied(t *testing.T, root string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if out, err := exec.Command("git", "clone", "-q", "--no-local", root, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

var pageLinks = regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)

// The pages in a package lead to one another and to what lies beside them.
func TestLinksInAPackage(t *testing.T) {
	files, err := laid("../..")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, f := range files {
		there[f.path], there[path.Dir(f.path)] = true, true
	}
	pages := 0
	for _, f := range files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		pages++
		for _, link := range pageLinks.FindAllStringSubmatch(string(f.data), -1) {
			to := path.Join(path.Dir(f.path), link[1])
			if !strings.Contains(link[1], "://") && !there[to] {
				t.Errorf("%s: %s leads nowhere", f.path, link[1])
			}
		}
	}
	if pages < 30 {
		t.Error(pages)
	}
}

// Without any tag a later revision has a version that is newer.
func TestVersionsWithoutATag(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	git("init", "-q")
	r := release{root: dir}
	for _, want := range []string{`^v0\.0\.0-1-g[0-9a-f]{7,}$`, `^v0\.0\.0-2-g[0-9a-f]{7,}$`} {
		git("commit", "-q", "--allow-empty", "-m", "one")
		if v, err := r.described(t.Context()); err != nil || !regexp.MustCompile(want).MatchString(v) {
			t.Errorf("%s %v", v, err)
		}
	}
	git("tag", "v0.1.0")
	git("commit", "-q", "--allow-empty", "-m", "one")
	if v, err := r.described(t.Context()); err != nil || !strings.HasPrefix(v, "v0.1.0-1-g") {
		t.Errorf("%s %v", v, err)
	}
}

// examine looks into what a run has made.
func examine(t *testing.T, r release, full bool) {
	sums, _ := os.ReadFile(filepath.Join(r.out, "SHA256SUMS"))
	want := 3
	if full {
		want = 4*4 + 1
	}
	if n := bytes.Count(sums, []byte("\n")); n != want {
		t.Errorf("%d files, want %d:\n%s", n, want, sums)
	}
	for _, arch := range r.archs {
		base := "liandong-" + r.version + "-linux-" + arch
		files := unpacked(t, filepath.Join(r.out, base+".tar.gz"))
		binary := files[base+"/usr/bin/liandong"]
		f, err := elf.NewFile(bytes.NewReader(binary))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s asks for a dynamic linker", base)
			}
		}
		for _, name := range []string{"man/man1/liandong.1.gz", "man/zh_CN/man1/liandong.1.gz",
			"bash-completion/completions/liandong",
			"liandong/lab.yaml", "liandong/docs/taker.zh.md", "doc/liandong/copyright"} {
			if len(files[base+"/usr/share/"+name]) == 0 {
				t.Errorf("%s has no %s", base, name)
			}
		}
		unit := string(files[base+"/usr/lib/systemd/system/liandong.service"])
		if strings.Contains(unit, "/usr/local") || !strings.Contains(unit, "ExecStart=/usr/bin/liandong serve") ||
			!strings.Contains(unit, "ConditionPathExists=") {
			t.Error(unit)
		}
		var b bill
		text, _ := os.ReadFile(filepath.Join(r.out, base+".cdx.json"))
		if err := json.Unmarshal(text, &b); err != nil || len(b.Components) < 10 ||
			b.Metadata.Component.Hashes[0].Content != sum(binary) {
			t.Errorf("%s: %v %d components", base, err, len(b.Components))
		}
		if arch == runtime.GOARCH {
			tryProgram(t, binary, r.version)
		}
	}
	tryImage(t, r)
	if full {
		tryRPM(t, r)
	}
}

// tryImage runs what the image of this processor runs, where there is nothing else.
func tryImage(t *testing.T, r release) {
	if os.Getuid() != 0 {
		return
	}
	all := unpacked(t, filepath.Join(r.out, "liandong-"+r.version+"-oci.tar"))
	var top, index, m manifest
	var c imageConfig
	decode(t, all["index.json"], &top)
	decode(t, blobOf(t, all, top.Manifests[0]), &index)
	i := slices.IndexFunc(index.Manifests, func(d descriptor) bool { return d.Platform.Architecture == runtime.GOARCH })
	decode(t, blobOf(t, all, index.Manifests[i]), &m)
	decode(t, blobOf(t, all, *m.Config), &c)
	layer, dir := filepath.Join(t.TempDir(), "layer.gz"), t.TempDir()
	if err := os.WriteFile(layer, blobOf(t, all, m.Layers[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-xzf", layer, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	inside := func(args ...string) string {
		cmd := exec.Command("chroot", append([]string{"--userspec=" + c.Config.User, dir}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return string(out)
	}
	if out := inside(append(c.Config.Entrypoint, "version")...); !strings.HasPrefix(out, "liandong "+r.version+" ") {
		t.Error(out)
	}
	if out := inside(append(c.Config.Entrypoint, "check", "/usr/share/liandong/lab.yaml")...); !strings.Contains(out,
		"no mistakes") {
		t.Error(out)
	}
}

// tryRPM installs the package of this processor into a folder, and removes it.
func tryRPM(t *testing.T, r release) {
	if _, err := exec.LookPath("rpm"); err != nil || os.Getuid() != 0 {
		t.Log("the .rpm is not tried: it needs rpm and root")
		return
	}
	root := t.TempDir()
	rpm := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", append([]string{"--root", root}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("rpm %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	name := filepath.Join(r.out, fmt.Sprintf("liandong_%s_%s.rpm", packageVersion(r.version),
		packageArch["rpm"][runtime.GOARCH]))
	rpm("--initdb")
	// the scripts need a shell inside
	rpm("-i", "--nodeps", "--noscripts", name)
	if out, err := exec.Command("chroot", root, "/usr/bin/liandong", "version").Output(); err != nil ||
		!strings.HasPrefix(string(out), "liandong "+r.version+" ") {
		t.Errorf("%v %s", err, out)
	}
	for _, path := range []string{"/usr/lib/systemd/system/liandong.service", "/usr/share/man/man1/liandong.1.gz",
		"/etc/liandong", "/usr/share/liandong/cluster/cluster.yaml"} {
		if list := rpm("-ql", "liandong"); !strings.Contains(list, path+"\n") {
			t.Errorf("no %s in\n%s", path, list)
		}
	}
	if said := rpm("-q", "--scripts", "liandong"); !strings.Contains(said, "preinstall scriptlet") ||
		!strings.Contains(said, "useradd") || !strings.Contains(said, "liandong upgrade") {
		t.Error(said)
	}
	rpm("-e", "--noscripts", "liandong")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/liandong")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed, and there is still the program: %v", err)
	}
}

// tryProgram runs the binary, outside of its repository.
func tryProgram(t *testing.T, binary []byte, version string) {
	path := filepath.Join(t.TempDir(), "liandong")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "liandong "+version+" ") {
		t.Errorf("%v %s, want %s", err, out, version)
	}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// unpacked is what is in a tar, zipped or not.
func unpacked(t *testing.T, name string) map[string][]byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var in io.Reader = bytes.NewReader(data)
	if strings.HasSuffix(name, "gz") {
		if in, err = gzip.NewReader(in); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][]byte{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// The image's blobs have the names and sizes that its manifests say, down to the layer and what it is unpacked.
func TestImage(t *testing.T) {
	files := []file{{path: "usr/bin/liandong", mode: 0o755, data: []byte("program")}}
	image, err := ociTar([]layered{{"amd64", files}, {"arm64", files}}, "v1", at)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := ociTar([]layered{{"amd64", files}, {"arm64", files}}, "v1", at)
	if !bytes.Equal(image, again) {
		t.Error("two images of the same files differ")
	}
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(name, image, 0o600); err != nil {
		t.Fatal(err)
	}
	all := unpacked(t, name)
	var top, index manifest
	decode(t, all["index.json"], &top)
	decode(t, blobOf(t, all, top.Manifests[0]), &index)
	if len(index.Manifests) != 2 || string(all["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Fatalf("%+v", index)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		var m manifest
		var c imageConfig
		decode(t, blobOf(t, all, index.Manifests[i]), &m)
		decode(t, blobOf(t, all, *m.Config), &c)
		z, err := gzip.NewReader(bytes.NewReader(blobOf(t, all, m.Layers[0])))
		if err != nil {
			t.Fatal(err)
		}
		layer, err := io.ReadAll(z)
		if err != nil || c.RootFS.DiffIDs[0] != "sha256:"+sum(layer) || c.Architecture != arch ||
			index.Manifests[i].Platform.Architecture != arch || c.Config.User != nobody {
			t.Errorf("%v %+v", err, c)
		}
	}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func blobOf(t *testing.T, all map[string][]byte, d descriptor) []byte {
	t.Helper()
	data := all[d.blobName()]
	if len(data) != d.Size || d.Digest != "sha256:"+sum(data) {
		t.Fatalf("%+v: %d bytes, %s", d, len(data), sum(data))
	}
	return data
}

func TestBillOfMaterials(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{{Key: "GOARCH", Value: "riscv64"}},
		Deps: []*debug.Module{{Path: "a.b/c", Version: "v1.0.0", Sum: "h1:x"},
			{Path: "d", Version: "v2", Replace: &debug.Module{Path: "e", Version: "v3", Sum: "h1:y"}}}}
	text, err := billOfMaterials(info, "v1", []byte("program"), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"pkg:golang/a.b/c@v1.0.0"`, `"pkg:golang/e@v3"`, `"pkg:golang/std@go1.26.8"`,
		`"h1:x"`,
		`"riscv64"`, `"timestamp": "2026-11-24T00:06:29Z"`, sum([]byte("program")), `"specVersion": "1.6"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// The scripts are what sh takes, and purge leaves recordings and nothing else.
func TestScripts(t *testing.T) {
	list, err := scripts.ReadDir("scripts")
	if err != nil || len(list) != 4 {
		t.Fatal(list, err)
	}
	for _, s := range list {
		if out, err := exec.Command("sh", "-n", "scripts/"+s.Name()).CombinedOutput(); err != nil {
			t.Errorf("%s: %s", s.Name(), out)
		}
	}
	text, _ := scripts.ReadFile("scripts/postremove")
	dir := t.TempDir()
	inside := strings.NewReplacer("/etc/", dir+"/etc/", "/var/", dir+"/var/", " /run/liandong",
		" "+dir+"/run/liandong", "userdel", "true").Replace(string(text))
	script := filepath.Join(dir, "postremove")
	for name, data := range map[string]string{"etc/liandong/liandong.yaml": "",
		"var/lib/private/liandong/data/outbox.db":              "",
		"var/lib/private/liandong/data/voice/2026-11-24/a.wav": "", "run/liandong/journal": "", "postremove": inside} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	left := func(args ...string) (names []string) {
		if out, err := exec.CommandContext(context.Background(), "sh",
			append([]string{script}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && path != script {
				names = append(names, filepath.Base(path))
			}
			return err
		})
		return names
	}
	if got := left("remove"); len(got) != 4 {
		t.Errorf("remove leaves %v", got)
	}
	if got := left("purge"); len(got) != 1 || got[0] != "a.wav" {
		t.Errorf("purge leaves %v", got)
	}
}

// The units give their services no more than they need, as systemd itself judges.
func TestUnitsAreSafe(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	for _, unit := range []string{"liandong.service", "liandong-spool@.service"} {
		out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=25",
			"../../configs/systemd/"+unit).CombinedOutput()
		if err != nil {
			t.Errorf("the exposure of %s is above 2.5: %v\n%s", unit, err, out)
		}
	}
}
