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
	done       = text{"ok", "好的"}
	readyNow   = text{"ready", "就绪"}
	noDisk     = text{"the outbox file takes no entries", "工单队列文件无法写入"}
	notAllowed = text{"not allowed: neither the address nor the token is known", "不允许：地址和令牌都不被认可"}
	noVerb     = text{"no such verb; allowed: %s (category with ?code=NN)", "没有这个操作；可用：%s（category 需加 ?code=NN）"}
	noUser     = text{"user: name the desk, as in ?user=1101", "缺少 user：请写明坐席，例如 ?user=1101"}
	noCall     = text{"this desk is in no call", "该坐席当前没有通话"}
	noRecord   = text{"there is no such recording", "没有这个录音"}
	noKey      = text{"the recording is sealed with a key that the switch does not have", "录音所用的密钥未配置"}
	damaged    = text{"the recording is damaged or was tampered with", "录音已损坏或被改动"}
	noStub     = text{"there is no such stub", "没有这个存根"}
	noRedis    = text{"Redis does not answer, and this stub is of no call of late here; try again", "Redis 无应答，且该存根不是本机近期通话的；请稍后重试"}
	callBusy   = text{"the call did not answer in time", "通话未及时响应"}
)

// What may be wrong with the fields of a request, and what is allowed.
var (
	notJSON     = text{`the body must be a JSON object of strings, such as {"place": "…"}`, `正文应为值均为字符串的 JSON 对象，例如 {"place": "…"}`}
	longBody    = text{"the body is too long, at most %d bytes", "正文过长，最多 %d 字节"}
	noFields    = text{"nothing is said; allowed: %s", "没有内容；可用字段：%s"}
	noField     = text{"%s: no such field; allowed: %s", "%s：没有这个字段；可用：%s"}
	badField    = text{"%s: will not do; allowed: %s", "%s：不合规；可用：%s"}
	tooLong     = text{"%s: too long; allowed: %d bytes in UTF-8, not %d", "%s：过长；最多 %d 字节（UTF-8，每个汉字 3 字节），现为 %d"}
	anyText     = text{"any text", "任意文字"}
	wantRegion  = text{"6 to 12 digits (GB/T 2260)", "6 到 12 位数字（GB/T 2260）"}
	wantUrgency = text{"normal, urgent, critical", "normal、urgent、critical"}
	wantFlag    = text{"0, 1", "0、1"}
	otherMode   = text{"category %s %s should go over by %s, and this went by %s", "分类 %s %s 应以 %s 方式移交，本次为 %s"}
)

// words are in the config's language.
func (s *Server) words(t text, args ...any) string {
	format := t.en
	if s.cfg.Lang == "zh" {
		format = t.zh
	}
	return fmt.Sprintf(format, args...)
}

// say answers in the config's language.
func (s *Server) say(w http.ResponseWriter, status int, t text, args ...any) {
	s.lines(w, status, s.words(t, args...))
}

// lines answers with several.
func (s *Server) lines(w http.ResponseWriter, status int, all ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, strings.Join(all, "\n")) // the reader may be gone
}
