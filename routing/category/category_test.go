package category

import (
	"slices"
	"testing"

	"liandong/routing/ticket"
)

var list = List{
	{Code: "03", Name: "消费纠纷", Owner: "12345", Keywords: []string{"退款", "假货", "12315"}, Answer: "请保留小票。"},
	{Code: "11", Name: "施工噪声", Owner: "12345", Keywords: []string{"噪音", "夜间施工", "工地"}, Modes: []string{ticket.Direct}},
	{Code: "12", Name: "社会生活噪声", Owner: "110", Keywords: []string{"噪音扰民", "广场舞", "KTV"}},
	{Code: "21", Name: "供暖", Owner: "12345", Keywords: []string{"暖气不热", "停暖"}, Answer: "有噪音的暖气请先放气。"},
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", []string{"03", "11", "12", "21"}},
		{"  ", []string{"03", "11", "12", "21"}},
		{"噪音", []string{"11", "12", "21"}},             // a keyword, part of one, only in the answer
		{"噪音扰民", []string{"12", "11"}},                 // a keyword before a keyword within the query
		{"工地夜间施工很吵", []string{"11"}},                   // keywords within the query
		{"暖气片不热", []string{"21"}},                      // two of its three pairs
		{"暖气坏了", []string{"21"}},                       // one of three
		{"ｋｔｖ", []string{"12"}},                        // wide letters
		{"Ktv 施工", []string{"12", "11"}},               // each word counts, a whole keyword more than a part
		{"12", []string{"12", "03"}},                   // a code before a keyword that begins so
		{"退款，假货", []string{"03"}},                      // punctuation is a space
		{"飞碟", nil},                                    //
		{"音", []string{"11", "12", "21"}},              // one character
		{"路", nil},                                     //
		{"消费者协会的纠正", nil},                              // one pair of seven is chance
		{"广场", []string{"12"}},                         //
		{"\x00\xff", []string{"03", "11", "12", "21"}}, // nothing to look for
	} {
		if got := list.Find(tt.query).Codes(); !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 {
			t.Errorf("%q: %v, want %v", tt.query, got, tt.want)
		}
	}
}

func TestAllows(t *testing.T) {
	c, ok := list.ByCode("11")
	if !ok || !c.Allows(ticket.Direct) || c.Allows(ticket.ThreeWay) || !c.Allows("") {
		t.Errorf("%+v %v", c, ok)
	}
	if c, ok := list.ByCode("03"); !ok || !c.Allows(ticket.TicketOnly) {
		t.Errorf("%+v %v", c, ok)
	}
	if _, ok := list.ByCode("3"); ok {
		t.Error("3 is not 03")
	}
}
