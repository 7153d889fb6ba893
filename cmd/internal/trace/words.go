package trace

import (
	"strings"

	"liandong/routing/verb"
)

// pair is a text in Chinese and English. {agent}, {detail} and so on stand for the fields of an event.
type pair [2]string

func (p pair) in(lang string) string {
	if lang == "zh" {
		return p[0]
	}
	return p[1]
}

// told are the events in words. What is not here is shown by its name and detail.
var told = map[string]pair{
	"arrived":            {"来电，拨打 {dialed}", "a call for {dialed} arrives"},
	"queued":             {"排队：{detail}", "waits for {detail}"},
	"ringing":            {"{agent} 振铃", "{agent} rings"},
	"answered":           {"{agent} 接听", "{agent} answers"},
	"key":                {"{agent} 按键：{detail}", "{agent} presses {detail}"},
	"refused":            {"{agent} 的 {detail} 此时无效", "{detail} of {agent} cannot be done now"},
	"already":            {"{agent} 的 {detail} 已生效", "{detail} of {agent} is done already"},
	"partner_answered":   {"{agent} 接听，双方联通", "{agent} answers: the lines are linked"},
	"joined":             {"{agent} 加入", "{agent} joins"},
	"picked_up":          {"{agent} 代接", "{agent} picks up"},
	"supervisor":         {"班长 {agent}：{detail}", "supervisor {agent}: {detail}"},
	"supervisor_refused": {"班长 {agent} 的 {detail} 被拒绝", "{detail} of supervisor {agent} is refused"},
	"overflow":           {"溢出：{detail}", "overflows to {detail}"},
	"outside":            {"转往外部", "goes to a number outside"},
	"recording":          {"录音：{detail}", "recording: {detail}"},
	"three_way_ended":    {"三方通话结束", "the three-way call is over"},
	"ended":              {"通话结束：{detail}", "the call ends: {detail}"},
	"state":              {"阶段：{phase}", "phase: {phase}"},
	"stub opened":        {"建立存根：{from} → {to}", "stub opened: {from} → {to}"},
	"stub answered":      {"存根：{to} 已接听", "stub: {to} has answered"},
	"stub failed":        {"存根：未接通 {to}（{result}）", "stub: {to} was not reached ({result})"},
	"stub abandoned":     {"存根：市民中途挂机", "stub: the citizen hung up meanwhile"},
	"stub decided":       {"存根：归 {owner}", "stub: {owner} takes the matter"},
	"hears":              {"{party} 听到：{heard}", "{party} hears {heard}"},
	"hears nothing":      {"{party} 听不到声音", "{party} hears nothing"},
	"caller":             {"市民", "citizen"},
	"switch":             {"联动", "switch"},
	"quality":            {"{party} 音质：MOS {mos}，丢包 {loss}%", "sound of {party}: MOS {mos}, {loss} % lost"},
	"lost":               {"更早的 {n} 条已不在", "{n} earlier entries are not kept any more"},
	"not sent":           {"未发出", "not sent"},
	"again":              {"重发", "again"},
	"clip":               {"提示音 {name}", "the clip {name}"},
	"ringing phase":      {"振铃", "ringing"},
	"talking phase":      {"通话", "talking"},
	"handing_over phase": {"转接中", "handing over"},
	"consulting phase":   {"咨询中", "consulting"},
	"conferencing phase": {"三方接入中", "joining a third"},
	"three_way phase":    {"三方通话", "three-way"},
	"leaving phase":      {"即将结束", "leaving"},
	"ended phase":        {"已结束", "ended"},
}

// NameOf is what a party is called.
func NameOf(party, lang string) string {
	if party == Caller {
		return told["caller"].in(lang)
	}
	return party
}

// Switch is what the switch is called.
func Switch(lang string) string { return told["switch"].in(lang) }

// Words tells an event in a sentence.
func Words(f map[string]string, lang string) string {
	event := f["event"]
	key, detail := event, f["detail"]
	switch event {
	case "stub":
		key = "stub " + detail
	case "hears":
		if f["from"] == "" && f["play"] == "" {
			key = "hears nothing"
		}
	case "ended", "recording":
		detail = detailOf(detail, lang)
	case "key", "refused", "already":
		detail = verbOf(detail, lang)
	}
	text, ok := told[key]
	if !ok {
		return strings.TrimSpace(event + " " + f["agent"] + " " + detail)
	}
	phase := f["phase"]
	if p, ok := told[phase+" phase"]; ok {
		phase = p.in(lang)
	}
	return strings.NewReplacer("{agent}", f["agent"], "{detail}", detail, "{dialed}", f["dialed"], "{phase}", phase,
		"{from}", f["from"], "{to}", f["to"], "{result}", detailOf(f["result"], lang), "{owner}", f["owner"],
		"{party}", NameOf(partyOf(f), lang), "{mos}", f["mos"], "{loss}", f["loss_percent"],
		"{heard}", sourcesInWords(f, lang)).Replace(text.in(lang))
}

// partyOf is whom an event is about, in the name of his column.
func partyOf(f map[string]string) string {
	if f["event"] == "quality" && f["agent"] != "" {
		return f["agent"]
	}
	return f["party"]
}

// details are what an event may say besides.
var details = map[string]pair{
	"normal": {"正常挂机", "hung up"}, "withdrawn": {"市民挂机", "the citizen hung up"}, "failure": {"故障", "a fault"},
	"no_answer": {"无人接听", "no answer"}, "completed_elsewhere": {"他处接听", "answered elsewhere"},
	"busy": {"忙", "busy"}, "failed": {"故障", "failed"},
	"started": {"开始", "starts"}, "stopped": {"停止", "stops"}, "paused": {"暂停", "pauses"}, "resumed": {"继续", "goes on"},
}

func detailOf(word, lang string) string {
	if p, ok := details[word]; ok {
		return p.in(lang)
	}
	return word
}

// clips are tones, and the announcements that come with the switch.
var clips = map[string]pair{
	"ring": {"回铃音", "ringing"}, "busy": {"忙音", "the busy tone"}, "music": {"音乐", "music"},
	"confirm": {"确认音", "the tone for done"}, "already": {"“已生效”音", "the tone for done already"},
	"refuse":   {"拒绝音", "the tone for not now"},
	"transfer": {"“正在转接”", "the clip transfer"}, "transfer_failed": {"“对方无法接听”", "the clip transfer_failed"},
	"three_way": {"“三方已接通”", "the clip three_way"}, "party_left": {"“一方已离开”", "the clip party_left"},
	"keep_waiting": {"“正在继续接通”", "the clip keep_waiting"}, "queue": {"“坐席正忙”", "the clip queue"},
	"all_busy": {"“无人接听”", "the clip all_busy"}, "accepted": {"“已记录”", "the clip accepted"},
	"refused": {"“现在无法执行”", "the clip refused"}, "recorded": {"“将被录音”", "the clip recorded"},
	"urgent": {"“紧急事项已推送”", "the clip urgent"},
}

// verbs are keys in Chinese.
var verbs = map[verb.Name]string{
	verb.Handover: "一键转接", verb.Consult: "先咨询", verb.Conference: "三方通话", verb.TakeBack: "收回",
	verb.Accept: "我方受理", verb.OtherAccepts: "对方受理", verb.Urgent: "紧急", verb.Record: "录音", verb.Category: "分类",
}

func verbOf(detail, lang string) string {
	name, rest, _ := strings.Cut(detail, " ")
	if zh := verbs[verb.Name(name)]; lang == "zh" && zh != "" {
		return strings.TrimSpace(zh + " " + rest)
	}
	return detail
}

// sourcesInWords lists voices and clips.
func sourcesInWords(f map[string]string, lang string) string {
	var all []string
	for _, party := range strings.Split(f["from"], ",") {
		if party != "" {
			all = append(all, NameOf(party, lang))
		}
	}
	for _, clip := range strings.Split(f["play"], ",") {
		if p, ok := clips[clip]; ok {
			all = append(all, p.in(lang))
		} else if clip != "" {
			all = append(all, strings.ReplaceAll(told["clip"].in(lang), "{name}", clip))
		}
	}
	return strings.Join(all, pair{"、", ", "}.in(lang))
}

// Heading says what a step is: of a message what it is called, of an event the sentence.
func (s Step) Heading(lang string) string {
	if s.Event != nil {
		return Words(s.Event, lang)
	}
	text := s.Label
	if s.Method != "" && s.Method != s.Label {
		text += " (" + s.Method + ")"
	}
	if s.SDP {
		text += " SDP"
	}
	if s.Again {
		text += " · " + told["again"].in(lang)
	}
	if s.Fault != "" {
		text += " ✗ " + told["not sent"].in(lang)
	}
	return text
}

// Missing says that the beginning is not kept any more; "": nothing is missing.
func (l Ladder) Missing(n, lang string) string {
	if l.Lost == 0 {
		return ""
	}
	return strings.ReplaceAll(told["lost"].in(lang), "{n}", n)
}
