package configs

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// daemonSet is what the test looks at; a key that is not here fails as little as in Kubernetes.
type daemonSet struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Spec       struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		UpdateStrategy struct{ Type string } `yaml:"updateStrategy"`
		Template       struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				HostNetwork bool `yaml:"hostNetwork"`
				Grace       int  `yaml:"terminationGracePeriodSeconds"`
				Containers  []struct {
					Args           []string
					Env            []struct{ Name string }
					LivenessProbe  any `yaml:"livenessProbe"`
					ReadinessProbe struct {
						HTTPGet struct {
							Host, Path string
							Port       int
						} `yaml:"httpGet"`
					} `yaml:"readinessProbe"`
					VolumeMounts []struct {
						Name string
						Path string `yaml:"mountPath"`
					} `yaml:"volumeMounts"`
				}
				Volumes []struct{ Name string }
			}
		}
	}
}

// What is shipped for Kubernetes fits the program: its arguments are a config that holds, its probe is a path of it, a
// pod that ends has the time that calls are given, and the folders are those of the image.
func TestKubernetesManifest(t *testing.T) {
	text, err := os.ReadFile("cluster/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d daemonSet
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if d.APIVersion != "apps/v1" || d.Kind != "DaemonSet" || !pod.HostNetwork ||
		d.Spec.UpdateStrategy.Type != "OnDelete" || len(pod.Containers) != 1 ||
		d.Spec.Selector.MatchLabels["app"] != d.Spec.Template.Metadata.Labels["app"] {
		t.Fatalf("%+v", d)
	}
	one := pod.Containers[0]
	if one.LivenessProbe != nil {
		t.Error("a container that is killed ends calls")
	}
	var set []string
	known := strings.NewReplacer("$(NODE_IP)", "10.9.8.7", "$(NODE_NAME)", "worker-3")
	for i, a := range one.Args {
		if i > 0 && one.Args[i-1] == "--set" {
			set = append(set, known.Replace(a))
		}
		for _, e := range one.Env {
			a = strings.ReplaceAll(a, "$("+e.Name+")", "")
		}
		if strings.Contains(a, "$(") {
			t.Errorf("%s: the pod does not know all that it names", a)
		}
	}
	if len(set) == 0 || !slices.Equal(one.Args[:3], []string{"serve", "-c", "/etc/liandong/liandong.yaml"}) {
		t.Fatalf("arguments %q", one.Args)
	}
	c := load(t, "liandong.yaml", set...)
	at := "10.9.8.7"
	if n := c.Networks["police"]; n.SIP.UDP.Addr().String() != at || n.SIP.TCP.Addr().String() != at ||
		n.RTP.Address.String() != at || c.Node != "worker-3" {
		t.Errorf("node %q, network %+v", c.Node, n)
	}
	if grace := time.Duration(pod.Grace) * time.Second; grace <= c.Shutdown.Drain {
		t.Errorf("a pod has %v to end, and calls have %v", grace, c.Shutdown.Drain)
	}
	probe := one.ReadinessProbe.HTTPGet
	asked := slices.ContainsFunc(c.HTTP.Listen, func(l netip.AddrPort) bool {
		return l.Addr().String() == probe.Host && int(l.Port()) == probe.Port
	})
	routes, err := os.ReadFile("../cmd/internal/api/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	if !asked || !strings.Contains(string(routes), `path: "`+probe.Path+`", open: true`) {
		t.Errorf("nobody answers the probe %+v; HTTP is at %v", probe, c.HTTP.Listen)
	}
	image, err := os.ReadFile("../cmd/liandong-release/oci.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range one.VolumeMounts {
		if !strings.Contains(string(image), `"`+m.Path+`": {}`) {
			t.Errorf("the image has no folder %s for %s", m.Path, m.Name)
		}
		if !slices.ContainsFunc(pod.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
			t.Errorf("there is no volume %s", m.Name)
		}
	}
}
