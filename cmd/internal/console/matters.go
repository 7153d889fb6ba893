package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"liandong/cmd/internal/api"
	"liandong/routing/matter"
)

// filters are what of the open matters may be looked at.
var filters = []struct {
	name  string
	title pair
	of    func(api.Matter) bool
}{
	{"", pair{"全部", "All"}, func(api.Matter) bool { return true }},
	{"overdue", pair{"逾期", "Overdue"}, func(m api.Matter) bool { return m.Overdue }},
	{"supervised", pair{"督办", "Supervised"}, func(m api.Matter) bool { return m.Supervise > 0 }},
	{"returned", pair{"退回", "Returned"}, func(m api.Matter) bool { return m.Returns > 0 }},
}

// filter is a choice of the page, with how many matters there are.
type filter struct {
	Name  string
	Title pair
	Count int
	On    bool
}

// openMatters fills in the open matters; of them those that were asked for.
func (s *Server) openMatters(r *http.Request, v visit, d *data) {
	list, err := s.api.Matters(r.Context(), v.lines())
	if err != nil {
		s.log.Warn("matters cannot be read", "err", err)
		d.Fault = pair{"事项无法读取：Redis 无应答", "The matters cannot be read: Redis does not answer"}
		return
	}
	show := r.URL.Query().Get("show")
	for _, f := range filters {
		some := slices.DeleteFunc(slices.Clone(list), func(m api.Matter) bool { return !f.of(m) })
		d.Filters = append(d.Filters, filter{f.name, f.title, len(some), f.name == show})
		if f.name == show {
			d.Matters = some
		}
	}
}

// history shows one matter with all that has been written of it.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	if !s.may(w, r, oneMatter) {
		return
	}
	v := visitOf(r)
	d, status := s.data(v, oneMatter), http.StatusOK
	h, ok, err := s.api.History(r.Context(), v.lines(), r.PathValue("stub"))
	switch {
	case ok:
		d.History = &h
		s.audit(r, "a matter is read", "user", v.name, "stub", h.Stub)
	case err != nil:
		s.log.Warn("a matter cannot be read", "err", err)
		d.Fault = pair{"事项无法读取：Redis 无应答", "The matter cannot be read: Redis does not answer"}
		status = http.StatusServiceUnavailable
	default:
		d.Fault = pair{"没有这件事项", "There is no such matter"}
		status = http.StatusNotFound
	}
	s.show(w, r, status, "matter", d)
}

// states are those of a matter in words.
var states = map[matter.State]pair{
	matter.Pushed: {"已推送", "pushed"}, matter.Received: {"已接收", "received"}, matter.Signed: {"已签收", "signed"},
	matter.Accepted: {"已受理", "accepted"}, matter.Assigned: {"已交办", "assigned"},
	matter.Feedback: {"已反馈", "answered once"}, matter.Closed: {"已办结", "closed"}, matter.Visited: {"已回访", "visited"},
	matter.Archived: {"已归档", "archived"}, matter.Returned: {"已退回", "returned"}, matter.Reopened: {"已重办", "reopened"},
}

// passages are the entries and updates of a matter in words.
var passages = map[string]pair{
	"opened": {"建单", "opened"}, "answered": {"对方接听", "the other line answered"},
	"failed": {"转接未成", "the hand-over failed"}, "abandoned": {"市民挂机", "the citizen hung up"},
	"decided": {"确定归属", "decided"}, "urgent": {"险情", "danger"}, "enriched": {"补充内容", "more is known"},
	"reminded": {"到期提醒", "reminded"}, "overdue": {"逾期", "overdue"}, "supervised": {"督办", "supervised"},
	"recheck": {"每日复核", "looked at again"}, "hotspot": {"集中诉求", "many reports"}, "closed": {"办结", "closed"},
	"received": {"接收", "received"}, "signed": {"签收", "signed"}, "accepted": {"受理", "accepted"},
	"assigned": {"交办", "assigned"}, "returned": {"退回", "returned"}, "first_feedback": {"首次反馈", "first answer"},
	"progress": {"进展", "progress"}, "extension_requested": {"申请延期", "more time is asked for"},
	"extension_granted": {"同意延期", "more time is granted"}, "extension_denied": {"不同意延期", "more time is denied"},
	"visited": {"回访", "visited"}, "reopened": {"重办", "reopened"}, "archived": {"归档", "archived"},
	"missed": {"漏接", "missed"},
}

// particulars are the fields of an entry or an update, in the order in which they are shown.
var particulars = []struct {
	name  string
	title pair
}{
	{"mode", pair{"方式", "mode"}}, {"from_agent", pair{"发起坐席", "from desk"}}, {"to_agent", pair{"接听坐席", "to desk"}},
	{"result", pair{"结果", "result"}}, {"reason", pair{"原因", "reason"}}, {"decided_owner", pair{"归属", "whose"}},
	{"decision_basis", pair{"依据", "by"}}, {"urgency", pair{"紧急程度", "urgency"}}, {"category", pair{"分类", "category"}},
	{"title", pair{"标题", "title"}}, {"place", pair{"地点", "place"}}, {"unit_name", pair{"承办单位", "unit"}},
	{"handler", pair{"经办人", "handler"}}, {"text", pair{"说明", "text"}}, {"reason_code", pair{"原因代码", "reason code"}},
	{"due_at", pair{"时限", "due"}}, {"satisfaction", pair{"满意度", "satisfaction"}},
	{"peer_ticket_no", pair{"对方工单号", "their number"}},
}

// values are what fields say in words of the schema, in the reader's.
var values = map[string]map[string]pair{
	"mode": {"direct": {"直接转接", "direct"}, "three_way": {"三方", "three-way"}, "ticket_only": {"仅转工单", "ticket only"}},
	"result": {"answered": {"接通", "answered"}, "busy": {"忙", "busy"}, "no_answer": {"无人接听", "no answer"},
		"failed": {"未接通", "failed"}, "abandoned": {"市民挂机", "the citizen hung up"}},
	"reason": {"taken_back": {"收回", "taken back"}, "corrected": {"更正", "corrected"},
		"switch_lost": {"交换机故障", "the switch ended"}, "desk_lost": {"坐席断线", "the desk was lost"},
		"overload": {"超负荷", "overload"}, "abandoned": {"市民挂机", "the citizen hung up"},
		"no_answer": {"无人接听", "no answer"}, "receive": {"接收", "to be received"}, "sign": {"签收", "to be signed"},
		"first_feedback": {"首次反馈", "first answer"}, "close": {"办结", "to be closed"}},
	"decision_basis": {"agreed": {"双方商定", "agreement"}, "first_receiver": {"首接负责", "first receiver"},
		"emergency": {"险情先行", "emergency"}},
	"urgency": {"normal": {"一般", "normal"}, "urgent": {"急", "urgent"}, "critical": {"险情", "critical"}},
}

// valueName is a field's value in words; what is no word of the schema stays as it is.
func valueName(field, value, lang string) string {
	if p, ok := values[field][value]; ok {
		return p.in(lang)
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil && field == "due_at" {
		return clockOf(at)
	}
	return value
}

func stateName(s matter.State, lang string) string {
	if p, ok := states[s]; ok {
		return p.in(lang)
	}
	return string(s)
}

func passageName(event, lang string) string {
	if p, ok := passages[event]; ok {
		return p.in(lang)
	}
	return event
}

func detail(p api.Passed, lang string) string {
	var words []string
	for _, f := range particulars {
		if v := p.Fields[f.name]; v != "" {
			words = append(words, f.title.in(lang)+pair{"：", ": "}.in(lang)+valueName(f.name, v, lang))
		}
	}
	return strings.Join(words, pair{"；", "; "}.in(lang))
}

// clockOf is a time as the page shows it.
func clockOf(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04")
}
