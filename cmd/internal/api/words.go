package api

import (
	"fmt"
	"net/http"
	"strings"
)

// text is one thing that the interface says: phones show it on their display,
// admins read it in a terminal.
type text struct{ en, zh string }

var (
	done         = text{"ok", "好的"}
	readyNow     = text{"ready", "就绪"}
	draining     = text{"the switch is about to stop and takes no new calls", "即将停机，不再接新通话"}
	switchesOver = text{"the address is moved, and the other machine goes on with the calls", "地址即将移动，由另一台机器接续通话"}
	noDisk       = text{"the outbox file takes no entries", "工单队列文件无法写入"}
	noDiskOf     = text{"the outbox file of Redis %q takes no entries", "Redis %q 的工单队列文件无法写入"}
	noSeatsOn    = text{"warning: no phone of line %s is registered; its calls wait or are lost",
		"警告：热线 %s 没有话机注册，来话只能排队或丢失"}
	redisDown = text{"warning: Redis does not take entries; %d wait on disk",
		"警告：Redis 无法写入；%d 条在磁盘上等待"}
	notShared = text{"warning: Redis does not share registrations: this switch rings the phones that it knows of",
		"警告：Redis 无法共用注册，本机只按已知的注册振铃"}
	seatsNotShared = text{"warning: Redis does not say which switch has a seat: two switches may ring one desk",
		"警告：Redis 无法说明坐席归哪台交换机，两台可能同时振铃同一坐席"}
	webhookDown = text{"warning: webhook %s takes no ticket entries; they wait in their stream",
		"警告：webhook %s 不收存根；存根在流里等待"}
	trunkDown  = text{"warning: trunk %s does not answer at %s", "警告：中继 %s 的 %s 无应答"}
	notAllowed = text{"not allowed: neither the address nor the token is known", "不允许：地址和令牌都不被认可"}
	notHere    = text{"not allowed: a page of another site asks", "不允许：来自其他网站的页面"}
	onlyPhones = text{"by GET keys are pressed by the desk's own phone or with a token; use POST /v1/calls/{id}/verbs/{verb}", "GET 方式仅限坐席自己的话机或携带令牌；请用 POST /v1/calls/{id}/verbs/{verb}"}
	notYours   = text{"not allowed: this desk is of another line", "不允许：该坐席不属于您的热线"}
	noHost     = text{"%q is no name of this switch; allowed: its address, and the names in http.hosts",
		"%q 不是本机名称；可用：本机地址，或 http.hosts 中的名称"}
	noVerb = text{"no such verb; allowed: %s (category with ?code=NN)",
		"没有这个操作；可用：%s（category 需加 ?code=NN）"}
	noState    = text{"state: ready or not_ready", "state：ready（就绪）或 not_ready（示忙）"}
	noReason   = text{"reason: one of %s", "reason：可用 %s"}
	noSeat     = text{"there is no such seat", "没有这个坐席"}
	noMissed   = text{"there is no such missed call", "没有这条漏接"}
	noCallback = text{"line %s does not call back: give hotlines.%s.callback a trunk", "热线 %s 没有配置回拨：hotlines.%s.callback 需给出 trunk"}
	noNumber   = text{"there is no number of this country to call back", "没有可回拨的国内号码"}
	isCalling  = text{"desk %s is calling this citizen", "坐席 %s 正在回拨"}
	isReached  = text{"this citizen has been reached, by desk %s", "该市民已由坐席 %s 联系上"}
	deskBusy   = text{"this desk is in a call", "该坐席正在通话"}
	deskAway   = text{"the phone of this desk is not registered", "该坐席的话机未注册"}
	noUser     = text{"user: name the desk, as in ?user=1101", "缺少 user：请写明坐席，例如 ?user=1101"}
	noCall     = text{"this desk is in no call", "该坐席当前没有通话"}
	noRecord   = text{"there is no such recording", "没有这个录音"}
	noKey      = text{"the recording is sealed with a key that the switch does not have", "录音所用的密钥未配置"}
	damaged    = text{"the recording is damaged or was tampered with", "录音已损坏或被改动"}
	noStub     = text{"there is no such stub", "没有这个存根"}
	otherText  = text{"this event_id was given to other content before; give each addition an id of its own",
		"这个 event_id 已用于其他内容；每次补充请用新的编号"}
	noRedis = text{"Redis does not answer, and this stub is of no call of late here; try again",
		"Redis 无应答，且该存根不是本机近期通话的；请稍后重试"}
	noTraces   = text{"this switch keeps nothing of calls: trace.memory_mb is 0", "本机不留存通话信令：trace.memory_mb 为 0"}
	noTrace    = text{"nothing is kept of this call", "这通电话没有留存的信令"}
	goneMatter = text{"there is no such matter", "没有这件事项"}
	goneCall   = text{"there is no such call", "没有这通电话"}
	badDay     = text{"day, from, to: must be like 2024-04-03, from no later than to, at most %d days",
		"day、from、to：应如 2024-04-03，from 不晚于 to，最多 %d 天"}
	noFigures   = text{"the figures cannot be read: Redis does not answer", "指标无法读取：Redis 无应答"}
	manyReaders = text{"there are %d readers of events already", "事件读取者已达 %d 个"}
	callBusy    = text{"the call did not answer in time", "通话未及时响应"}
)

// What may be wrong with the fields of a request, and what is allowed.
var (
	notJSON = text{`the body must be a JSON object of strings, such as {"place": "…"}`,
		`正文应为值均为字符串的 JSON 对象，例如 {"place": "…"}`}
	longBody = text{"the body is too long, at most %d bytes", "正文过长，最多 %d 字节"}
	noFields = text{"nothing is said; allowed: %s", "没有内容；可用字段：%s"}
	noField  = text{"%s: no such field; allowed: %s", "%s：没有这个字段；可用：%s"}
	badField = text{"%s: will not do; allowed: %s", "%s：不合规；可用：%s"}
	tooLong  = text{"%s: too long; allowed: %d bytes in UTF-8, not %d",
		"%s：过长；最多 %d 字节（UTF-8，每个汉字 3 字节），现为 %d"}
	anyText = text{"one line of text, without control characters and marks of direction",
		"一行文字，不含控制字符和文字方向标记"}
	wantRegion  = text{"6 to 12 digits (GB/T 2260)", "6 到 12 位数字（GB/T 2260）"}
	wantUrgency = text{"normal, urgent, critical", "normal、urgent、critical"}
	wantFlag    = text{"0, 1", "0、1"}
	otherMode   = text{"category %s %s should go over by %s, and this went by %s",
		"分类 %s %s 应以 %s 方式移交，本次为 %s"}
)

func (t text) in(lang string, args ...any) string {
	format := t.en
	if lang == "zh" {
		format = t.zh
	}
	return fmt.Sprintf(format, args...)
}

// AcceptedLang is the first of our languages, zh and en, that a request names in Accept-Language; "": none.
func AcceptedLang(r *http.Request) string {
	for want := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		for _, ours := range []string{"zh", "en"} {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(want)), ours) {
				return ours
			}
		}
	}
	return ""
}

// speaker is an answer to somebody whose language is known.
type speaker struct {
	http.ResponseWriter
	lang string
}

// Unwrap is for [http.ResponseController].
func (w speaker) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// langOf is the language of an answer: the reader's, where it is known, or the config's.
func (s *Server) langOf(w http.ResponseWriter) string {
	if to, ok := w.(speaker); ok {
		return to.lang
	}
	return s.conf().Lang
}

// say answers in the reader's language.
func (s *Server) say(w http.ResponseWriter, status int, t text, args ...any) {
	s.lines(w, status, t.in(s.langOf(w), args...))
}

// lines answers with several.
func (s *Server) lines(w http.ResponseWriter, status int, all ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, strings.Join(all, "\n")) // the reader may be gone
}
