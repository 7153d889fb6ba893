package console

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/report"
	"liandong/cmd/internal/trace"
	"liandong/configs"
	"liandong/routing/indicator"
	"liandong/routing/verb"
)

// pair is a text in Chinese and English.
type pair [2]string

func (p pair) in(lang string) string {
	if lang == "zh" {
		return p[0]
	}
	return p[1]
}

// place is a page, and who may see it.
type place struct {
	Name  string
	Title pair
	Roles []string
}

// all are the pages in the order of the menu.
var all = []place{
	{"desk", pair{"我的坐席", "My desk"}, []string{configs.RoleTaker}},
	{"wall", pair{"大屏", "Wallboard"}, []string{configs.RoleTaker, configs.RoleSupervisor, configs.RoleEngineer,
		configs.RoleAdmin}},
	{"calls", pair{"通话", "Calls"}, []string{configs.RoleTaker, configs.RoleSupervisor, configs.RoleEngineer,
		configs.RoleAdmin}},
	{"matters", pair{"事项", "Matters"}, []string{configs.RoleSupervisor, configs.RoleAdmin}},
	theIndicators,
	{"health", pair{"运行", "Health"}, []string{configs.RoleEngineer, configs.RoleAdmin}},
}

var theIndicators = place{"indicators", pair{"指标", "Indicators"}, []string{configs.RoleSupervisor, configs.RoleManager,
	configs.RoleAdmin}}

// oneCall is the page of a call.
var oneCall = place{"call", pair{"单通话", "A call"}, []string{configs.RoleSupervisor, configs.RoleEngineer,
	configs.RoleAdmin}}

// oneMatter is the page of a matter.
var oneMatter = place{"matter", pair{"单事项", "A matter"}, []string{configs.RoleSupervisor, configs.RoleAdmin}}

// data is what a template shows.
type data struct {
	Lang, Theme, Files, CSRF string
	Query                    template.URL // what was asked for, for the links that change how it looks
	Title, Fault             pair
	Page                     string
	User, Role, Seat         string
	Menu                     []place
	Words                    map[string]string
	Seats                    []choice
	Keys                     []key
	Reasons                  []reason
	Ref                      string
	Ladder                   ladder
	From, To                 string // the days of the indicators
	Lines                    []report.Line
	Curves                   []curve
	Drawn                    bool // with uPlot
	Clear                    bool // by HTTP
	Filters                  []filter
	Matters                  []api.Matter
	History                  *api.History
}

type choice struct{ User, Name, Line string }

// key is a verb as a desk presses it.
type key struct {
	Verb, Code, Label, Hint, Access string
}

// reason is why a desk is not ready.
type reason struct{ Name, Label string }

// reasons are those of the config, the usual ones in the reader's language.
func (s *Server) reasons(lang string) (list []reason) {
	for _, name := range s.conf().Reasons {
		label := name
		if p, ok := texts["r_"+name]; ok {
			label = p.in(lang)
		}
		list = append(list, reason{name, label})
	}
	return list
}

func parse() (map[string]*template.Template, error) {
	names := map[string]string{"signin": "", "call": "", "matter": ""}
	for _, p := range all {
		names[p.Name] = ""
	}
	list := map[string]*template.Template{}
	funcs := template.FuncMap{
		"t":      func(lang, zh, en string) string { return pair{zh, en}.in(lang) },
		"in":     func(p pair, lang string) string { return p.in(lang) },
		"amount": amount, "indicator": indicatorName,
		"state": stateName, "passage": passageName, "detail": detail, "clock": clockOf,
	}
	for name := range names {
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(pages, "pages/layout.html", "pages/"+name+".html")
		if err != nil {
			return nil, err
		}
		list[name] = t
	}
	return list, nil
}

// lang is what the page is to be in: as was chosen, as the browser asks, as the config says.
func (s *Server) lang(r *http.Request) string {
	if c, err := r.Cookie("lang"); err == nil && (c.Value == "zh" || c.Value == "en") {
		return c.Value
	}
	return cmp.Or(api.AcceptedLang(r), s.conf().Lang)
}

// theme is "light", "dark", or "" as the system has it.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// chosen notes ?lang= and ?theme= for the pages to come.
func chosen(w http.ResponseWriter, r *http.Request) bool {
	any := false
	for _, name := range []string{"lang", "theme"} {
		if v := r.URL.Query().Get(name); v != "" {
			http.SetCookie(w, &http.Cookie{Name: name, Value: strings.Trim(v, "\";, \r\n"), Path: "/",
				MaxAge: 365 * 86400,
				Secure: secure(r), HttpOnly: true, SameSite: http.SameSiteStrictMode})
			any = true
		}
	}
	return any
}

// asked is what a page was asked for, beside how it is to look.
func asked(r *http.Request) url.Values {
	q := r.URL.Query()
	q.Del("lang")
	q.Del("theme")
	return q
}

func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, name string, d data) {
	if chosen(w, r) {
		http.Redirect(w, r, (&url.URL{Path: r.URL.Path, RawQuery: asked(r).Encode()}).String(), http.StatusSeeOther)
		return
	}
	if q := asked(r); len(q) > 0 {
		d.Query = template.URL(q.Encode() + "&")
	}
	d.Lang, d.Theme, d.Files, d.Page, d.Clear = s.lang(r), theme(r), s.files, name, !secure(r)
	d.Words = words(d.Lang)
	var b bytes.Buffer
	if err := s.pages[name].Execute(&b, d); err != nil {
		s.log.Error("bug: a page cannot be made", "page", name, "err", err)
		http.Error(w, unshown.in(s.lang(r)), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the reader may be gone
}

func (p place) of(role string) bool { return slices.Contains(p.Roles, role) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// home is the first page of a role's menu.
func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	for _, p := range all {
		if p.of(visitOf(r).who.Role) {
			http.Redirect(w, r, "/"+p.Name, http.StatusSeeOther)
			return
		}
	}
}

// may says whether a page is for who asks; to others it says so.
func (s *Server) may(w http.ResponseWriter, r *http.Request, p place) bool {
	v := visitOf(r)
	if p.of(v.who.Role) {
		return true
	}
	s.audit(r, "refused at the console", "why", "the page is not for this role", "user", v.name)
	http.Error(w, notYours.in(s.lang(r)), http.StatusForbidden)
	return false
}

// page shows a page to whom it is for.
func (s *Server) page(p place) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.may(w, r, p) {
			return
		}
		v := visitOf(r)
		d := s.data(v, p)
		d.Ref = r.PathValue("id")
		lang := s.lang(r)
		switch p.Name {
		case "call":
			d.Drawn = true
			if d.Ladder = s.ladderOf(r); d.Ladder.Known {
				s.sessions.reads(v.token, d.Ref)
				s.audit(r, "the messages of a call are read", "user", v.name, "call", d.Ref)
			}
		case "desk":
			d.Seats, d.Keys, d.Reasons = s.choices(v), s.keys(lang), s.reasons(lang)
		case "indicators":
			s.indicators(r, v, &d)
		case "matters":
			s.openMatters(r, v, &d)
		}
		s.show(w, r, http.StatusOK, p.Name, d)
	}
}

// data is what every page of somebody shows.
func (s *Server) data(v visit, p place) data {
	d := data{Title: p.Title, CSRF: v.csrf, User: v.name, Role: v.who.Role, Seat: v.seat}
	for _, p := range all {
		if p.of(v.who.Role) {
			d.Menu = append(d.Menu, p)
		}
	}
	return d
}

// ladder is a call's story as its page shows it.
type ladder struct {
	Lang, Ref string
	Known     bool
	Picture   template.HTML
	Missing   string
	Messages  []trace.Entry
}

// mostSteps are shown of a call: of a longer one the newest. The file has all.
const mostSteps = 300

// ladderOf is the story of a request's call.
func (s *Server) ladderOf(r *http.Request) ladder {
	v, lang := visitOf(r), s.lang(r)
	show := ladder{Lang: lang, Ref: r.PathValue("id")}
	l, ok := s.api.Ladder(show.Ref, s.signedAs(v))
	if !ok {
		return show
	}
	l = l.Last(mostSteps)
	show.Known, show.Picture, show.Messages = true, trace.SVG(l, lang), trace.Entries(l, lang)
	show.Missing = l.Missing(strconv.Itoa(l.Lost), lang)
	return show
}

// ladder is the story alone, for a page that is open while the call goes on. It asks again and again: that somebody
// reads a call is written down once.
func (s *Server) ladder(w http.ResponseWriter, r *http.Request) {
	if !s.may(w, r, oneCall) {
		return
	}
	v := visitOf(r)
	show := s.ladderOf(r)
	if show.Known && s.sessions.reads(v.token, show.Ref) {
		s.audit(r, "the messages of a call are read", "user", v.name, "call", show.Ref)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.pages["call"].ExecuteTemplate(w, "ladder", show); err != nil {
		s.log.Debug("a reader went away", "err", err)
	}
}

// choices are the seats that a taker may sit at.
func (s *Server) choices(v visit) (list []choice) {
	if v.who.Phone != "" {
		return nil
	}
	all := s.conf().Seats
	for _, user := range slices.Sorted(maps.Keys(all)) {
		if seat := all[user]; contains(v.who.Lines, seat.Hotline) {
			list = append(list, choice{user, seat.Name, seat.Hotline})
		}
	}
	return list
}

// keys are the verbs as buttons, each with what is pressed on the phone for it.
func (s *Server) keys(lang string) (list []key) {
	codes := map[string]string{}
	for code, v := range s.conf().Keys {
		if old, ok := codes[v]; !ok || code < old {
			codes[v] = code
		}
	}
	for _, name := range verb.Names {
		if name == verb.Category { // the form has it
			continue
		}
		list = append(list, key{
			Verb: string(name), Code: codes[string(name)], Label: verbs[name].label.in(lang),
			Hint:   verbs[name].hint.in(lang),
			Access: strconv.Itoa(len(list) + 1),
		})
	}
	return list
}

// lines are those that somebody may see; nil: all.
func (v visit) lines() []string {
	if len(v.who.Lines) == 0 {
		return nil
	}
	return v.who.Lines
}

// table is the indicators for a spreadsheet.
func (s *Server) table(w http.ResponseWriter, r *http.Request) {
	if !s.may(w, r, theIndicators) {
		return
	}
	v := visitOf(r)
	span := api.SpanOf(r)
	span.Parts = true
	lines, err := s.api.Figures(r.Context(), v.lines(), span)
	switch {
	case errors.Is(err, api.ErrDay):
		http.Error(w, badDays.in(s.lang(r)), http.StatusBadRequest)
		return
	case err != nil || len(lines) == 0:
		http.Error(w, noFigures.in(s.lang(r)), http.StatusServiceUnavailable)
		return
	}
	lang := s.lang(r)
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="indicators-`+strings.ReplaceAll(lines[0].Period, "/", "-to-")+`.csv"`)
	fmt.Fprint(w, "\ufeff") // for spreadsheets that take it for another encoding else
	out := csv.NewWriter(w)
	_ = out.Write([]string{"hotline", "period", "indicator", "name", "of", "among", "value", "unit"})
	for _, l := range lines {
		spread(out, lang, l.Hotline, l.Period, l.Rows)
		for _, part := range l.Parts {
			spread(out, lang, l.Hotline, part.Period, part.Rows)
		}
	}
	out.Flush()
	s.audit(r, "indicators are exported", "user", v.name, "day", lines[0].Period)
}

// spread writes the figures of a time.
func spread(out *csv.Writer, lang, hotline, period string, rows []indicator.Row) {
	for _, row := range rows {
		among, value := "", ""
		if row.Among != nil {
			among = strconv.FormatInt(*row.Among, 10)
		}
		if row.Value != nil {
			value = strconv.FormatFloat(*row.Value, 'f', 4, 64)
		}
		_ = out.Write([]string{hotline, period, row.Name, indicatorName(row.Name, lang), strconv.FormatInt(row.Of, 10),
			among, value, row.Unit})
	}
}
