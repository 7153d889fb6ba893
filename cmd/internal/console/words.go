package console

import (
	"fmt"

	"liandong/cmd/internal/report"
	"liandong/routing/indicator"
	"liandong/routing/verb"
)

// verbs are what a desk asks for, in words.
var verbs = map[verb.Name]struct{ label, hint pair }{
	verb.Handover: {pair{"一键转接", "Hand over"}, pair{"把市民转给对方热线", "the other line takes the citizen"}},
	verb.Consult: {pair{"先咨询", "Consult"}, pair{"先与对方通话，市民听音乐",
		"talk with the other line, the citizen hears music"}},
	verb.Conference: {pair{"三方通话", "Three-way"}, pair{"市民、本线、对方一起通话",
		"the citizen, you and the other line"}},
	verb.TakeBack:     {pair{"收回", "Take back"}, pair{"取消，回到与市民通话", "undo: you and the citizen again"}},
	verb.Accept:       {pair{"我方受理", "We take it"}, pair{"事项归本热线", "the matter is this line's"}},
	verb.OtherAccepts: {pair{"对方受理", "They take it"}, pair{"事项归对方热线", "the matter is the other line's"}},
	verb.Urgent: {pair{"紧急", "Urgent"}, pair{"险情，立即通知 110",
		"danger: the emergency line is told at once"}},
	verb.Record: {pair{"录音", "Record"}, pair{"开始或停止录音", "start or stop recording"}},
}

// texts are what the script says.
var texts = map[string]pair{
	"ringing": {"振铃", "ringing"}, "talking": {"通话", "talking"}, "handing_over": {"转接中", "handing over"},
	"consulting": {"咨询中", "consulting"}, "conferencing": {"三方接入中", "joining a third"},
	"three_way": {"三方通话", "three-way"},
	"leaving":   {"即将结束", "leaving"}, "ended": {"已结束", "ended"},
	"calling_back": {"回拨中", "calling back"}, "e_callback": {"回拨市民", "a citizen is called back"},
	"takeback_rung": {"回拨：请摘机，然后呼叫市民", "Calling back: pick up, then the citizen is rung"},
	"takeback_call": {"正在呼叫市民", "The citizen is being rung"},
	"s_missed":      {"漏接", "a missed call"}, "s_missed_again": {"再次漏接", "missed again"},
	"s_called_back": {"回拨：{5}", "called back: {5}"}, "s_reached": {"市民再次来电并已接听", "called again and was answered"},
	"m_call": {"回拨", "Call back"}, "m_times": {"{0} 次", "{0} times"}, "m_waited": {"等 {0}", "waited {0}"},
	"m_open": {"待回拨", "to be called"}, "m_calling": {"{0} 正在回拨", "{0} is calling"},
	"m_called_back": {"{0} 已回拨", "{0} called back"}, "m_reached": {"{0} 已接听", "{0} answered"},
	"m_tried":     {"回拨 {0} 次：{1}", "called {0} times: {1}"},
	"m_abandoned": {"未接通即挂机", "gave up"}, "m_no_answer": {"无人接听", "nobody answered"},
	"m_overload": {"话务过载", "no room"}, "m_switch_lost": {"交换机故障", "a fault of the switch"},
	"m_desk_lost": {"坐席掉线", "the desk was lost"}, "m_failed": {"故障", "a fault"}, "m_busy": {"忙", "busy"},
	"not_ready": {"示忙", "not ready"}, "after_call": {"整理", "after call"},
	"r_break": {"小休", "break"}, "r_meal": {"用餐", "meal"}, "r_training": {"培训", "training"},
	"r_no_answer": {"久叫不应", "no answer"},
	"r_meeting":   {"会议", "meeting"},
	"resting":     {"示忙，来电先给其他坐席", "Not ready, calls go to others first"},
	"writing":     {"话后整理", "After-call work"},
	"free":        {"空闲", "free"}, "unregistered": {"未注册", "away"}, "waiting": {"排队", "waiting"},
	"longest": {"最长等待", "longest wait"}, "in15": {"15 秒接通率", "answered in 15 s"}, "diversion": {"分流率",
		"diversion rate"},
	"linking": {"联动中", "linking"}, "overdue": {"逾期事项", "overdue"}, "calls": {"今日来话", "calls today"},
	"none": {"无", "none"}, "nocalls": {"没有通话", "No calls"}, "withheld": {"未知号码", "number withheld"},
	"selftest": {"自检呼叫", "own test calls"}, "running": {"{0} 通，重启 {1} 次", "{0} calls, {1} restarts"},
	"callsnow": {"{0} 通", "{0} now"},
	"live":     {"实时", "live"}, "lost": {"连接中断，正在重连", "connection lost, trying again"},
	"stale":  {"指标读取失败，数字可能过时", "figures may be old: Redis does not answer"},
	"nobody": {"没有坐席在线", "no seat is there"}, "rings": {"{0} 的话机在振铃", "{0}'s phone rings"},
	"e_arrived": {"来电 {0}", "a call comes: {0}"}, "e_queued": {"排队等候 {0}", "waits for {0}"},
	"e_ringing":  {"{0} 振铃（{1}）", "{0} rings ({1})"},
	"e_answered": {"{0} 接听", "{0} answers"}, "e_key": {"{0} 按下 {1}", "{0} presses {1}"},
	"colon":           {"：", ": "},
	"e_refused":       {"现在不能 {1}", "{1} cannot be done now"},
	"e_cut_short":     {"{0} 的按键代码不完整", "the key code of {0} was cut short"},
	"n_handover":      {"没有市民在线，或已在转接", "nobody is there to hand over, or it is on its way"},
	"n_consult":       {"没有市民在线，或对方不可商量", "there is nobody to talk with in private"},
	"n_conference":    {"没有市民在线，或对方不可接入", "there is nobody to join"},
	"n_take_back":     {"没有可收回的转接", "there is nothing to take back"},
	"n_accept":        {"没有三方事项可定归属，或险情已定", "no three-way matter to decide, or danger has decided it"},
	"n_other_accepts": {"没有三方事项可定归属，或险情已定", "no three-way matter to decide, or danger has decided it"},
	"n_urgent":        {"没有配置紧急热线", "no emergency line is configured"},
	"n_category":      {"分类目录中没有 {0}", "there is no category {0}"},
	"n_record":        {"本线的录音不由坐席控制", "recording is not the desk's to decide here"},
	"e_already":       {"{1}：已经如此", "{1}: it is so already"}, "e_partner_answered": {"{0} 接听，双方已联通",
		"{0} answers, the lines are linked"},
	"e_supervisor":         {"班长 {0}：{2}", "supervisor {0}: {2}"},
	"e_supervisor_refused": {"班长 {0} 被拒绝：{2}", "supervisor {0} is refused: {2}"},
	"a_listen":             {"监听", "Listen"}, "a_whisper": {"密语", "Whisper"}, "a_join": {"强插", "Join"},
	"a_end":       {"强拆", "End"},
	"a_take_back": {"收回", "Take back"}, "x_take_back": {"收回转接", "takes back who was handed over"},
	"a_leave":  {"退出", "Leave"},
	"x_listen": {"监听", "listens"}, "x_whisper": {"密语", "whispers"}, "x_join": {"强插", "joins"},
	"x_end": {"强拆", "ends the call"}, "x_leave": {"退出", "leaves"}, "x_let_go": {"通话已不属本线，释放",
		"is let go, the call is another line's"},
	"yourphone": {"您的话机 {0} 正在振铃，请接听", "Your phone {0} rings: answer it"},
	"nophone": {"您的账号没有登记话机（phone），只能收回和强拆",
		"No phone is set for you (phone): you can only take back and end calls"},
	"sureend":  {"结束与 {0} 的通话？", "End the call with {0}?"},
	"e_joined": {"{0} 加入", "{0} joins"}, "e_picked_up": {"{0} 代接", "{0} picks up"}, "e_overflow": {"溢出到 {2}",
		"overflows to {2}"},
	"e_outside": {"转出到外部", "goes to a number outside"}, "e_recording": {"录音 {2}", "recording {2}"},
	"e_three_way_ended": {"三方通话结束", "the three-way call ends"}, "e_ended": {"通话结束：{2}",
		"the call ends: {2}"},
	"s_opened": {"存根已建立：{3} → {4}", "stub opened: {3} → {4}"}, "s_answered": {"{4} 已接听", "{4} has answered"},
	"s_failed": {"未能接通 {4}：{5}", "{4} was not reached: {5}"}, "s_abandoned": {"市民在转接中挂机",
		"the citizen hung up meanwhile"},
	"s_decided": {"归属已定：{6}", "decided: {6} takes the matter"}, "s_enriched": {"存根已补充", "the stub has more"},
	"x_normal": {"正常挂机", "hung up"}, "x_withdrawn": {"市民挂机", "the citizen hung up"}, "x_failure": {"故障",
		"a fault"},
	"x_no_answer": {"无人接听", "no answer"}, "x_completed_elsewhere": {"他处接听", "answered elsewhere"},
	"x_started": {"开始", "starts"}, "x_stopped": {"停止", "stops"}, "x_paused": {"暂停", "pauses"},
	"x_resumed": {"继续", "goes on"},
	"no_answer": {"无人接听", "no answer"}, "busy": {"忙", "busy"}, "failed": {"故障", "failed"},
	"abandoned": {"放弃", "given up"},
	"answered":  {"已接听", "answered"}, "talks": {"在说话", "talks"},
	"idle": {"空闲，等待来电", "Free, waiting for a call"}, "away": {"话机未注册：来电不会到这里",
		"The phone is not registered: no call comes here"},
	"elsewhere": {"正在另一台交换机上接听", "In a call by another switch"},
	"rung":      {"来电！请用话机接听", "A call! Answer it on the phone"}, "with": {"正在与市民通话",
		"Talking with the citizen"},
	"theyring": {"{0} 振铃中，{1} 秒", "{0} rings, {1} s"}, "theytalk": {"与 {0} 联通", "linked with {0}"},
	"done":  {"已送达", "taken"},
	"saved": {"已保存 {0}", "saved {0}"}, "draft": {"暂存本页，转接后自动保存",
		"kept on this page, saved once the matter is handed on"},
	"saving": {"保存中…", "saving…"}, "unsaved": {"未保存：{0}", "not saved: {0}"},
	"offline": {"连接不上，稍后自动重试", "no connection, tried again soon"},
	"owner":   {"归口", "handled by"}, "answer": {"可答复", "may be said"}, "nomatch": {"没有符合的分类",
		"no category fits"},
	"up": {"正常", "up"}, "down": {"中断", "down"}, "ok": {"正常", "fine"}, "warn": {"注意", "attention"},
	"bad":  {"故障", "fault"},
	"time": {"时间", "Time"}, "figures": {"数值", "Figures"}, "nothing": {"这段时间没有数据", "There is nothing in this time"},
	"allwell": {"一切正常", "All is well"}, "applied": {"配置已应用", "The config is applied"}, "seats": {"坐席",
		"seats"},
	"room":   {"磁盘余 {0} %", "{0} % free"},
	"nocall": {"没有这通电话的记录", "Nothing is known of this call"},
	"matter": {"事项", "Matter"}, "recorded": {"录音（WAV）", "Recording (WAV)"},
	"sniffs": {"正在留存，下载的抓包文件里会有（不含语音内容）", "They are kept, and are in the capture file (without what is said)"},
	"config": {"配置", "config"}, "readAt": {"读取于", "read"}, "changedAt": {"修改于", "changed"},
	"asread":    {"与磁盘一致", "as on the disk"},
	"notasread": {"磁盘上的文件已改", "the files on the disk are others"},
	"reloadAt":  {"上次重新读取", "last read anew"}, "taken": {"已采用", "taken"}, "nottaken": {"未采用", "not taken"},
	"outbox":    {"待发队列", "outbox"},
	"waitingIn": {"条在磁盘等待", "waiting on disk"}, "expires": {"到期", "expires"}, "longago": {"没有更多记录",
		"Nothing more is known of it"},
}

// What is said to whom a page is not given.
var (
	otherName   = pair{"本控制台没有这个名称：见 http.hosts", "this console has another name: http.hosts"}
	otherSite   = pair{"请求来自其他网站的页面", "a page of another site asks"}
	signInFirst = pair{"请登录", "sign in"}
	tooOld      = pair{"页面已过期，请刷新", "the page is too old: load it again"}
	notYours    = pair{"您的角色不能看这一页", "this page is not for you"}
	unshown     = pair{"此页无法显示", "this page cannot be shown"}
	noSeat      = pair{"没有这个坐席", "no such seat"}
)

// words are the texts of the script in a language.
func words(lang string) map[string]string {
	m := make(map[string]string, len(texts)+len(verbs))
	for k, p := range texts {
		m[k] = p.in(lang)
	}
	for v, p := range verbs {
		m["v_"+string(v)] = p.label.in(lang)
	}
	for state, p := range states {
		m["st_"+string(state)] = p.in(lang)
	}
	m["v_category"] = pair{"分类", "category"}.in(lang)
	return m
}

func indicatorName(name, lang string) string {
	if lang == "zh" {
		return report.Names[name][0]
	}
	return report.Names[name][1]
}

// amount is a figure as a table shows it. – stands where nothing can be divided.
func amount(r indicator.Row) string {
	switch {
	case r.Unit == "":
		return fmt.Sprint(r.Of)
	case r.Value == nil:
		return "–"
	case r.Unit == "%":
		return fmt.Sprintf("%.1f %%", 100**r.Value)
	}
	return fmt.Sprintf("%.1f s", *r.Value)
}
