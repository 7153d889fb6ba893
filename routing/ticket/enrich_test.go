package ticket

import (
	"fmt"
	"testing"
	"time"
)

func TestEnrich(t *testing.T) {
	was := full()
	was.Urgency, was.Address = Pressing, "119"
	was.Hotspot, was.HotspotWindow, was.HotspotCount = "", "", ""
	x := Enrichment{CategoryCode: "08", Category: "违建", Urgency: Normal, Place: "裕华路2号", Content: "楼顶加盖"}
	e := was.Enrich(x, "01HTHGQ7X0000000000000000C", at(9))
	want := full()
	want.Hotspot, want.HotspotWindow, want.HotspotCount = "", "", ""
	want.EventID, want.Event, want.At = "01HTHGQ7X0000000000000000C", Enriched, at(9)
	want.Result, want.Reason, want.DecidedOwner, want.DecisionBasis = "", "", "", ""
	want.CategoryCode, want.Category, want.Urgency = "08", "违建", Pressing
	want.Place, want.RegionCode, want.Title, want.Content = "裕华路2号", "", "", "楼顶加盖"
	if fmt.Sprint(e.Fields()) != fmt.Sprint(want.Fields()) || e.Stream() != "liandong:tickets:12345" {
		t.Errorf("got  %q\nwant %q", e.Fields(), want.Fields())
	}
	if e.Validate() != nil {
		t.Error(e.Validate())
	}
	if got := was.Enrich(Enrichment{Title: "x"}, "01HTHGQ7X0000000000000000C", at(9)); got.Category != "噪音" ||
		got.Confidential != Open {
		t.Errorf("what is not said changes: %q", got.Fields())
	}
}

// The emergency line is told on its own stream, once: by an id that follows from the stub.
func TestEscalate(t *testing.T) {
	e := full().Enrich(Enrichment{Urgency: Critical}, "01HTHGQ7X0000000000000000C", at(9)).Escalate("110")
	if e.Stream() != "liandong:tickets:110" || e.Event != Urgent || e.DecidedOwner != "110" ||
		e.DecisionBasis != Emergency || e.Validate() != nil {
		t.Errorf("%q %v", e.Fields(), e.Validate())
	}
	again := full().Escalate("110")
	if again.EventID != e.EventID || e.EventID == e.StubID || StubTime(e.EventID) != StubTime(e.StubID) {
		t.Errorf("%s and %s", e.EventID, again.EventID)
	}
	if DerivedID(e.StubID, "a") == DerivedID(e.StubID, "b") {
		t.Error("one id for two names")
	}
}

// An entry that was made afterwards may leave out who called; one that a call wrote may not.
func TestAfterwards(t *testing.T) {
	e := Entry{EventID: full().EventID, StubID: full().StubID, Event: Enriched, At: at(0), From: "110", To: "12345",
		Mode: Direct, CallRef: full().CallRef}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
	if e.Event = Answered; e.Validate() == nil {
		t.Error("an answer without a caller is as it should be")
	}
}

func TestRecent(t *testing.T) {
	r := NewRecent(2)
	for _, stub := range []string{"a", "b", "a", "c"} {
		r.Note(Entry{StubID: stub, At: time.Now(), Content: "long", Title: "x", Mode: Direct})
	}
	if _, ok := r.Find("a"); ok {
		t.Error("the oldest of three is still there")
	}
	if e, ok := r.Find("b"); !ok || e.Mode != Direct || e.Content != "" {
		t.Errorf("%v %q", ok, e.Content)
	}
	if len(r.order) != 2 || len(r.byStub) != 2 {
		t.Error(r.order)
	}
}
