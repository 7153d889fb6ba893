package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"time"
)

// layered is one processor's image.
type layered struct {
	arch  string
	files []file
}

const ociVersion = "application/vnd.oci.image."

// descriptor names a blob (image-spec, descriptor.md).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

type imageConfig struct {
	Created      time.Time `json:"created"`
	Architecture string    `json:"architecture"`
	OS           string    `json:"os"`
	Config       struct {
		User       string              `json:"User"`
		Entrypoint []string            `json:"Entrypoint"`
		Cmd        []string            `json:"Cmd"`
		WorkingDir string              `json:"WorkingDir"`
		Volumes    map[string]struct{} `json:"Volumes"`
		StopSignal string              `json:"StopSignal"`
		Labels     map[string]string   `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// nobody is the user of the image; what it writes is a volume.
const nobody = "65534:65534"

// ociTar is an OCI image layout (image-spec 1.0, image-layout.md) in a tar, with an image for each processor.
func ociTar(images []layered, version string, at time.Time) ([]byte, error) {
	var blobs []file
	blob := func(mediaType string, data []byte) descriptor {
		sum := digest(data)
		blobs = append(blobs, file{path: "blobs/sha256/" + sum, mode: 0o644, data: data})
		return descriptor{MediaType: mediaType, Digest: "sha256:" + sum, Size: len(data)}
	}
	var list []descriptor
	for _, image := range images {
		layer, err := tarred(image.files, "", at)
		if err != nil {
			return nil, err
		}
		config, err := json.Marshal(configOf(image.arch, version, digest(layer), at))
		if err != nil {
			return nil, err
		}
		c := blob(ociVersion+"config.v1+json", config)
		text, err := json.Marshal(manifest{
			SchemaVersion: 2, MediaType: ociVersion + "manifest.v1+json", Config: &c,
			Layers: []descriptor{blob(ociVersion+"layer.v1.tar+gzip", zipped(layer))},
		})
		if err != nil {
			return nil, err
		}
		d := blob(ociVersion+"manifest.v1+json", text)
		d.Platform = &platform{image.arch, "linux"}
		list = append(list, d)
	}
	index := manifest{SchemaVersion: 2, MediaType: ociVersion + "index.v1+json", Manifests: list}
	text, err := json.Marshal(index)
	if err != nil {
		return nil, err
	}
	all := blob(index.MediaType, text)
	all.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	top, err := json.Marshal(manifest{SchemaVersion: 2, MediaType: index.MediaType, Manifests: []descriptor{all}})
	if err != nil {
		return nil, err
	}
	return tarred(append([]file{
		{path: "oci-layout", mode: 0o644, data: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{path: "index.json", mode: 0o644, data: top},
	}, blobs...), "", at)
}

func configOf(arch, version, layer string, at time.Time) (c imageConfig) {
	c.Created, c.Architecture, c.OS = at, arch, "linux"
	c.Config.User = nobody
	c.Config.Entrypoint = []string{"/usr/bin/liandong"}
	c.Config.Cmd = []string{"serve", "-c", "/etc/liandong/liandong.yaml"}
	c.Config.WorkingDir = "/var/lib/liandong"
	c.Config.Volumes = map[string]struct{}{"/etc/liandong": {}, "/var/lib/liandong": {}, "/dev/shm": {}}
	c.Config.StopSignal = "SIGTERM"
	c.Config.Labels = map[string]string{
		"org.opencontainers.image.title": "liandong", "org.opencontainers.image.version": version,
		"org.opencontainers.image.licenses": "Apache-2.0",
	}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{"sha256:" + layer}
	return c
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// blobName is where a layout has what a descriptor names.
func (d descriptor) blobName() string { return path.Join("blobs", "sha256", d.Digest[len("sha256:"):]) }
