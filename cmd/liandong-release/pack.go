package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// scripts run when a package comes and goes; both kinds of package have the same.
//
//go:embed scripts
var scripts embed.FS

// packageArch is a processor's name in Debian and in RPM.
var packageArch = map[string]map[string]string{
	"deb": {"amd64": "amd64", "arm64": "arm64", "loong64": "loong64", "riscv64": "riscv64"},
	"rpm": {"amd64": "x86_64", "arm64": "aarch64", "loong64": "loongarch64", "riscv64": "riscv64"},
}

// recipe is nfpm's config.
type recipe struct {
	Name        string            `json:"name"`
	Arch        string            `json:"arch"`
	Platform    string            `json:"platform"`
	Version     string            `json:"version"`
	Schema      string            `json:"version_schema"`
	Section     string            `json:"section"`
	Priority    string            `json:"priority"`
	Maintainer  string            `json:"maintainer"`
	Description string            `json:"description"`
	License     string            `json:"license"`
	ModTime     time.Time         `json:"mtime"`
	Recommends  []string          `json:"recommends,omitempty"`
	Contents    []content         `json:"contents"`
	Scripts     map[string]string `json:"scripts"`
	RPM         map[string]string `json:"rpm,omitempty"`
	Deb         map[string]string `json:"deb,omitempty"`
}

type content struct {
	Source string         `json:"src,omitempty"`
	Path   string         `json:"dst"`
	Type   string         `json:"type,omitempty"`
	Info   map[string]any `json:"file_info,omitempty"`
}

// pack makes a .deb or an .rpm, and gives its name.
func (r *release) pack(ctx context.Context, kind, arch, binary string) (string, error) {
	other := packageArch[kind][arch]
	if other == "" {
		return "", fmt.Errorf("%s has no name for %s", kind, arch)
	}
	dir := filepath.Join(r.stage, kind+"-"+arch)
	c, err := r.layOut(dir, kind, other, binary)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(c) // which is YAML, too
	if err != nil {
		return "", err
	}
	config := filepath.Join(dir, "nfpm.yaml")
	if err := os.WriteFile(config, text, 0o644); err != nil {
		return "", err
	}
	name := fmt.Sprintf("liandong_%s_%s.%s", c.Version, other, kind)
	target, err := filepath.Abs(filepath.Join(r.out, name))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "run", nfpm, "package", "--config", config, "--packager", kind, "--target",
		target)
	cmd.Dir = r.stage // in no module, so that ours stays as it is
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.at.Unix()), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	fmt.Fprintln(r.log, name)
	return name, nil
}

// layOut writes what goes into a package, with its scripts, and gives the recipe for it. arch is as the package names
// it.
func (r *release) layOut(dir, kind, arch, binary string) (c recipe, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return c, err
	}
	c = recipe{
		Name: "liandong", Arch: arch, Platform: "linux", Version: packageVersion(r.version), Schema: "none",
		Section:  "comm",
		Priority: "optional", Maintainer: "liandong", License: "Apache-2.0", ModTime: r.at,
		Scripts:     map[string]string{},
		Description: "switch between hotlines\n110 and 12345 hand calls to each other, with a ticket for each.",
	}
	if kind == "deb" {
		c.Recommends = []string{"redis-server"}
	} else {
		c.RPM = map[string]string{"buildhost": "liandong"}
	}
	for i, f := range r.installed(binary) {
		source := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(source, f.data, 0o644); err != nil {
			return c, err
		}
		c.Contents = append(c.Contents, content{Source: source, Path: "/" + f.path,
			Info: map[string]any{"mode": f.mode, "mtime": r.at}})
	}
	c.Contents = append(c.Contents, content{Path: "/etc/liandong", Type: "dir",
		Info: map[string]any{"mode": 0o2750, "group": "liandong", "mtime": r.at}})
	for _, script := range []string{"preinstall", "postinstall", "preremove", "postremove"} {
		text, err := scripts.ReadFile("scripts/" + script)
		if err != nil {
			return c, err
		}
		path := filepath.Join(dir, script)
		if err := os.WriteFile(path, text, 0o755); err != nil {
			return c, err
		}
		c.Scripts[script] = path
	}
	return c, nil
}
