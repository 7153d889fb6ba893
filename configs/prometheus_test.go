package configs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The alert rules are taken by promtool, and fire as their tests say.
func TestAlertRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here (Debian: prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

// Every metric that a rule names is on the pages of operations and of ticket systems; each alert says what
// to do, twice.
func TestAlertsNameMetricsThereAre(t *testing.T) {
	rules, err := os.ReadFile("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var page []byte
	for _, name := range []string{"docs/operations.md", "docs/tickets.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		page = append(page, text...)
	}
	for _, m := range regexp.MustCompile(`liandong_(\w+)`).FindAllStringSubmatch(string(rules), -1) {
		name := strings.TrimSuffix(m[1], "_certificate_seconds")
		if !onPage(page, m[1]) && name == m[1] {
			t.Errorf("no metric %s", m[0])
		}
	}
	alerts := strings.Count(string(rules), "- alert:")
	for _, key := range []string{"summary_zh", "summary_en", "action_zh", "action_en"} {
		if strings.Count(string(rules), key+":") != alerts {
			t.Errorf("%s is not said at each alert", key)
		}
	}
}

// onPage says that a metric stands in a table of metrics.
func onPage(page []byte, name string) bool {
	return strings.Contains(string(page), "`"+name+"`") || strings.Contains(string(page), "`liandong_"+name+"`")
}

// dashboard is as much of Grafana's format as is looked at.
type dashboard struct {
	Panels []struct {
		Title   string
		Type    string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ Expr string }
	}
}

// The dashboard's questions are taken by promtool, ask for metrics there are, and each panel is titled in both
// languages.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("grafana/liandong.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, n := "groups:\n- name: dashboard\n  rules:\n", 0
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 || len(p.Targets) == 0 {
			t.Errorf("%s: does not stand on the page, or asks for nothing: %+v", p.Title, p.GridPos)
		}
		if p.Title != "Redis" && !strings.Contains(p.Title, " · ") {
			t.Errorf("%s: in one language", p.Title)
		}
		for _, target := range p.Targets {
			n++
			expr := strings.ReplaceAll(target.Expr, "$instance", ".*")
			rules += fmt.Sprintf("  - record: dashboard:question:%d\n    expr: %q\n", n, expr)
			for _, m := range regexp.MustCompile(`liandong_(\w+)`).FindAllStringSubmatch(expr, -1) {
				if name := strings.TrimSuffix(m[1], "_bucket"); !onPage(page, name) {
					t.Errorf("%s: no metric %s", p.Title, m[0])
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("%d questions", n)
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here (Debian: prometheus)")
	}
	file := filepath.Join(t.TempDir(), "questions.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The pages of operations have all alarms, in order and in the words of the rules.
func TestAlertsOnPages(t *testing.T) {
	rules, err := os.ReadFile("prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	label := regexp.MustCompile(`\{\{ \$labels\.(\w+) \}\}`)
	for name, lang := range map[string]string{"docs/operations.md": "en", "docs/operations.zh.md": "zh"} {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, below, _ := strings.Cut(string(page), "<!-- table: alarms -->\n")
		shown, _, _ := strings.Cut(below, "\n\n")
		var want strings.Builder
		said := func(alert, key string) string {
			text := regexp.MustCompile(key + `_` + lang + `: '(.*)'`).FindStringSubmatch(alert)
			if text == nil {
				t.Fatalf("%s_%s is missing in\n%s", key, lang, alert)
			}
			return label.ReplaceAllString(strings.ReplaceAll(text[1], "''", "'"), "*$1*")
		}
		for _, alert := range strings.Split(string(rules), "- alert: ")[1:] {
			title, _, _ := strings.Cut(alert, "\n")
			fmt.Fprintf(&want, "\n| `%s` | %s | %s |", title, said(alert, "summary"), said(alert, "action"))
		}
		if !strings.HasSuffix(shown, want.String()) || strings.Count(shown, "\n") != strings.Count(want.String(),
			"\n")+1 {
			t.Errorf("%s has\n%s\nthe rules\n%s", name, shown, want.String())
		}
	}
}
