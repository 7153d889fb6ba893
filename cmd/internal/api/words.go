package api

import (
	"fmt"
	"net/http"
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
	callBusy   = text{"the call did not answer in time", "通话未及时响应"}
)

// say answers in the config's language.
func (s *Server) say(w http.ResponseWriter, status int, t text, args ...any) {
	words := t.en
	if s.cfg.Lang == "zh" {
		words = t.zh
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, words+"\n", args...) // the reader may be gone
}
