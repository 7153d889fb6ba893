package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
)

// bill is a CycloneDX 1.6 bill of materials, as far as it can be told from a binary.
type bill struct {
	Schema       string      `json:"$schema"`
	Format       string      `json:"bomFormat"`
	SpecVersion  string      `json:"specVersion"`
	Serial       string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []depends   `json:"dependencies"`
}

type metadata struct {
	Timestamp time.Time `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type     string    `json:"type"`
	Ref      string    `json:"bom-ref"`
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	PURL     string    `json:"purl,omitempty"`
	Hashes   []hash    `json:"hashes,omitempty"`
	Licenses []license `json:"licenses,omitempty"`
	Notes    []note    `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type note struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// billOfMaterials lists the modules that are in a binary, as its linker has written them down, and Go itself. The sum
// of each is that of go.sum.
func billOfMaterials(info *debug.BuildInfo, version string, binary []byte, at time.Time) ([]byte, error) {
	sum := sha256.Sum256(binary)
	own := component{
		Type: "application", Ref: "liandong", Name: "liandong", Version: version,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}, Licenses: make([]license, 1),
	}
	own.Licenses[0].License.ID = "Apache-2.0"
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" {
			own.Notes = append(own.Notes, note{s.Key, s.Value})
		}
	}
	b := bill{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Serial:   "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceOID, sum[:]).String(),
		Metadata: metadata{at, own},
	}
	on := depends{Ref: own.Ref}
	add := func(name, version string, notes ...note) {
		purl := fmt.Sprintf("pkg:golang/%s@%s", name, version)
		b.Components = append(b.Components, component{Type: "library", Ref: purl, Name: name, Version: version,
			PURL: purl, Notes: notes})
		on.On = append(on.On, purl)
	}
	add("std", info.GoVersion)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(m.Path, m.Version, note{"go:sum", m.Sum})
	}
	b.Dependencies = []depends{on}
	return json.MarshalIndent(b, "", "  ")
}
