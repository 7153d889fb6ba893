package demo

import (
	"fmt"
	"strings"
)

// chinese are the phrases of the checks. What is put together of several is replaced part by part, the longest first.
var chinese = strings.NewReplacer(
	"the ticket entries ", "存根条目 ", " are in ", " 在流中：",
	"the 12345 phone shows the citizen's number in From and in P-Asserted-Identity",
	"12345 话机的 From 和 P-Asserted-Identity 显示市民号码",
	"the citizen hears the announcement while 12345 rings", "12345 振铃时市民听到提示音",
	"the 110 desk talks with the citizen", "110 坐席与市民通话",
	"the 110 desk is released", "110 坐席退出", "the 110 desk hangs up", "110 坐席挂机", "the 110 desk leaves", "110 坐席退出",
	"the citizen calls 110", "市民拨打 110", "the citizen hangs up", "市民挂机", "the citizen is released", "市民侧已释放",
	"the desk presses ", "坐席按 ", "12345's phone was called off", "12345 话机停止振铃（487）",
	"12345 stops ringing", "12345 停止振铃", "12345 is released", "12345 侧已释放", "12345 is busy", "12345 忙",
	"12345 answers", "12345 接听", "'s phone rings", " 的话机振铃",
	" received one RTP stream without a break", " 收到的 RTP 流没有中断",
	"the stream can be read", "流可以读取", "entries are acknowledged", "条目已确认", "there is no clip", "没有提示音",
	"measured: ", "已测：", "key → partner rings", "按键 → 对方振铃",
	"key → caller hears partner (who took 3 s to answer)", "按键 → 市民听到对方（对方 3 秒后接听）",
	"key → caller hears partner (who took 1 s to answer)", "按键 → 市民听到对方（对方 1 秒后接听）",
	"key → entry readable in the stream", "按键 → 条目可从流中读取",
	"likeness: ", "相似度：", ", ", "，", " hears ", " 听到 ", " and ", "、", " is ", " 为 ",
	"the 12345 desk", "12345 坐席", "the citizen", "市民", "caller", "市民", "110 desk", "110 坐席", "12345 desk", "12345 坐席",
)

// words are a check's in the language of the demo.
func (o Options) words(english string) string {
	if o.Lang == "zh" {
		return chinese.Replace(english)
	}
	return english
}

// Colours of a terminal (ECMA-48 SGR).
const (
	bold  = "1"
	green = "32"
	red   = "31"
	faint = "2"
)

// paint colours a text on a terminal, and leaves it as it is elsewhere.
func (o Options) paint(colour, text string) string {
	if !o.Terminal {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// outcome is what became of a case.
type outcome struct {
	one
	kept, broken int // promises
	times        []string
}

// table closes the demo on a terminal: a row for each case.
func (s *stage) table() {
	if !s.Terminal {
		return
	}
	fmt.Fprintln(s.Out, "\n"+s.paint(bold, s.in("结果", "What came of it")))
	for _, o := range s.outcomes {
		mark := s.paint(green, "✓")
		if o.broken > 0 {
			mark = s.paint(red, "✗")
		}
		fmt.Fprintf(s.Out, "  %s (%s) %s\n      %s\n", mark, o.name, s.in(o.title[0], o.title[1]),
			s.paint(faint, fmt.Sprintf(s.in("承诺 %d 项，做到 %d 项；%s", "%d promises, %d kept; %s"), o.kept+o.broken, o.kept,
				strings.Join(o.times, "; "))))
	}
}
