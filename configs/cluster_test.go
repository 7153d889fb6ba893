package configs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkedBy is the path of a program that checks its own configs; without it the test is skipped, unless nothing may
// be.
func checkedBy(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("LIANDONG_PEERS") == "required" {
		t.Fatal("required by LIANDONG_PEERS: ", err)
	}
	if err != nil {
		t.Skip(name, " is not installed")
	}
	return path
}

// What is shipped for a pair is what each program takes: keepalived, Kamailio, and our own config with it.
func TestClusterFiles(t *testing.T) {
	conf, err := os.ReadFile("cluster/keepalived.conf")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"keepalived": {"-t", "-f", "cluster/keepalived.conf"},
		"kamailio":   {"-c", "-f", "cluster/kamailio.cfg", "-A", "NODES=\"cluster/dispatcher.list\""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(checkedBy(t, name), args...)
			if name == "keepalived" {
				cmd = withInterface(t, cmd.Args)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("liandong", func(t *testing.T) {
		part, err := os.ReadFile("cluster/cluster.yaml")
		if err != nil {
			t.Fatal(err)
		}
		lab, err := os.ReadFile("lab.yaml")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(lab), "127.0.0.1:5060", "10.1.0.10:5060")
		text = strings.ReplaceAll(text, "address: 127.0.0.1", "address: 10.1.0.10") + "\n" + string(part)
		secret := "cluster.secret"
		c, err := Parse("both.yaml", []byte(text), Options{Lang: "en",
			Read: func(path string, most int64) ([]byte, error) {
				if filepath.Base(path) == secret {
					return []byte("0123456789abcdeffedcba9876543210\n"), nil
				}
				return readPlain(path, most)
			}})
		if err != nil {
			t.Fatal(err)
		}
		p := c.Pair()
		if p == nil || p.Machines[0] == p.Machines[1] || len(p.Moving) != 1 || p.Witness || p.Secret == "" {
			t.Errorf("%+v", p)
		}
		if !strings.Contains(string(conf), p.Moving[0].String()+"/") {
			t.Errorf("keepalived moves another address than %v", p.Moving)
		}
	})
}

// withInterface runs a command where there is the interface that the file names.
func withInterface(t *testing.T, args []string) *exec.Cmd {
	t.Helper()
	const add = "ip link add eth0 type dummy && ip link set eth0 up"
	if out, err := exec.Command("unshare", "-n", "sh", "-c", add).CombinedOutput(); err != nil {
		t.Skipf("namespaces are not allowed here: %v: %s", err, out)
	}
	return exec.Command("unshare", append([]string{"-n", "sh", "-c", add + ` && exec "$@"`, "sh"}, args...)...)
}

// Sentinel takes its file, and watches what that says.
func TestSentinelFile(t *testing.T) {
	path := checkedBy(t, "redis-server")
	text, err := os.ReadFile("cluster/sentinel.conf")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	_ = l.Close()
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text = regexp.MustCompile(`(?m)^port \d+$`).ReplaceAll(text, []byte("port "+port))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	err = errors.New("never asked")
	for end := time.Now().Add(30 * time.Second); err != nil &&
		time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		err = watches(at, "liandong")
	}
	if err != nil {
		t.Error(err)
	}
}

// watches asks a sentinel for a set.
func watches(at, set string) error {
	c, err := net.DialTimeout("tcp", at, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(c, "SENTINEL GET-MASTER-ADDR-BY-NAME %s\r\n", set)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "*2") {
		err = fmt.Errorf("the sentinel says %q", line)
	}
	return err
}

// The tables of a cluster's metrics are all that the program has of them.
func TestMetricsOfACluster(t *testing.T) {
	names := func(text []byte, name string) (all []string) {
		for _, m := range regexp.MustCompile(name).FindAllSubmatch(text, -1) {
			all = append(all, string(m[1]))
		}
		slices.Sort(all)
		return all
	}
	program, err := os.ReadFile("../cmd/internal/api/cluster.go")
	if err != nil {
		t.Fatal(err)
	}
	for of, name := range map[string]string{
		"a pair": `cluster_\w+`, "shared registrations": `shared_\w+`,
	} {
		want := names(program, `to\.(?:now|total)\("(`+name+`)"`)
		for _, page := range []string{"docs/operations.md", "docs/operations.zh.md"} {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			_, table, _ := bytes.Cut(text, []byte("<!-- table: metrics of "+of+" -->"))
			table, _, _ = bytes.Cut(table, []byte("\n\n"))
			if got := names(table, "`("+name+")`"); len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", page, got, want)
			}
		}
	}
}

// A pair is warned of when one network that fails between its machines has both act: without Redis' say, and with the
// copy in the network of the address that moves.
func TestOneCable(t *testing.T) {
	lab, err := os.ReadFile("lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:5060", "10.1.0.10:5060", "address: 127.0.0.1", "address: 10.1.0.10").
		Replace(string(lab))
	for _, tt := range []struct {
		machines, witness string
		warned            bool
	}{
		{"[\"10.1.0.11:7460\", \"10.1.0.12:7460\"]", "vrrp", true},
		{"[\"10.2.0.11:7460\", \"10.1.0.12:7460\"]", "vrrp", true},
		{"[\"10.2.0.11:7460\", \"10.2.0.12:7460\"]", "vrrp", false},
		{"[\"10.1.0.11:7460\", \"10.1.0.12:7460\"]", "redis", false},
	} {
		c, err := Parse("pair.yaml", []byte(text+"\ncluster:\n  machines: "+tt.machines+
			"\n  secret: 0123456789abcdeffedcba9876543210\n  witness: "+tt.witness+"\n"), Options{Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(c.Warnings(), func(p Problem) bool {
			return strings.Contains(p.Text, "both act") && strings.HasPrefix(p.Key, "cluster.machines")
		})
		if got != tt.warned {
			t.Errorf("%s by %s: warned %v\n%v", tt.machines, tt.witness, got, c.Warnings())
		}
	}
}
