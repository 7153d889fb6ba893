package call

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"liandong/routing/category"
	"liandong/routing/desk"
	"liandong/routing/number"
	"liandong/routing/ticket"
	"liandong/routing/verb"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine does into the scripts")

// A script in testdata is a call told event by event. Each event stands above
// a line of dashes, what the machine orders below it, up to a blank line.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *rewrite {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != string(text) && !*rewrite {
				t.Errorf("the call goes another way than %s (go test -rewrite shows it in git diff); got:\n%s", f, got)
			}
		})
	}
}

// recordingLine says in a comment of a script that calls of a line are recorded.
var recordingLine = regexp.MustCompile(`(?m)^# (\d+) records: (\w+)$`)

// scripted is a call under a script.
type scripted struct {
	call  Call
	dir   *desk.Directory
	now   time.Time
	stubs int
}

func play(t *testing.T, script string) string {
	s := &scripted{dir: testDirectory(), now: time.Date(2024, 4, 3, 10, 0, 0, 0, time.FixedZone("", 8*3600))}
	for _, m := range recordingLine.FindAllStringSubmatch(script, -1) {
		mode, ok := desk.RecordByName(m[2])
		if !ok {
			t.Fatalf("%q is no way of recording", m[2])
		}
		s.dir.Hotlines[m[1]].Recording = desk.Recording{Mode: mode, Announce: "recorded"}
	}
	var out strings.Builder
	for _, block := range strings.Split(script, "\n\n") {
		event, _, has := strings.Cut(block, "\n----")
		if !has {
			out.WriteString(strings.TrimRight(block, "\n") + "\n\n")
			continue
		}
		lines := strings.Split(event, "\n")
		out.WriteString(event + "\n----\n")
		out.WriteString(s.step(t, lines[len(lines)-1]) + "\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func (s *scripted) step(t *testing.T, line string) string {
	f := strings.Fields(line)
	e := s.event(t, f)
	before := stored(t, s.call)
	next, effects := Step(s.call, s.dir, s.now, e)
	if stored(t, s.call) != before {
		t.Fatalf("%s: Step changed the state it was given", line)
	}
	s.call = next
	var b strings.Builder
	for _, x := range effects {
		b.WriteString(show(x) + "\n")
	}
	fmt.Fprintf(&b, "= %s desk=%d partner=%d\n", s.call.Phase, s.call.Desk, s.call.Partner)
	return b.String()
}

// stored is the state as it would be written down.
func stored(t *testing.T, c Call) string {
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// target is HOTLINE, HOTLINE SEAT or HOTLINE TRUNK:NUMBER.
func target(f []string) (to Target) {
	if len(f) > 0 {
		to.Hotline = f[0]
	}
	if len(f) > 1 {
		to.Seat = f[1]
	}
	if trunk, number, ok := strings.Cut(to.Seat, ":"); ok {
		to.Seat, to.Trunk, to.Number = "", trunk, number
	}
	return to
}

func (s *scripted) event(t *testing.T, f []string) Event {
	t.Helper()
	leg := func(i int) LegID {
		if word, ok := strings.CutPrefix(f[i], "second"); ok {
			n, _ := strconv.Atoi(word)
			return SecondLeg + LegID(n)
		}
		n, err := strconv.Atoi(f[i])
		if err != nil {
			t.Fatalf("%v: leg: %v", f, err)
		}
		return LegID(n)
	}
	has := func(word string) bool { return strings.Contains(" "+strings.Join(f, " ")+" ", " "+word+" ") }
	switch f[0] {
	case "arrived":
		return Arrived{Ref: "CALL", Caller: number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK, Source: "pai"}, Dialed: f[1], Hotline: f[1], Record: "REC"}
	case "seats":
		e := SeatsFound{Hotline: f[1], Full: has("full")}
		for _, w := range f[2:] {
			if n, ok := strings.CutPrefix(w, "online="); ok {
				e.Online, _ = strconv.Atoi(n)
			} else if w != "full" {
				e.Seats = append(e.Seats, w)
			}
		}
		return e
	case "ringing":
		return LegRinging{leg(1)}
	case "early":
		return LegEarly{leg(1)}
	case "answered":
		return LegAnswered{leg(1)}
	case "failed":
		code, _ := strconv.Atoi(f[2])
		return LegFailed{leg(1), code}
	case "ended":
		return LegEnded{leg(1), has("lost")}
	case "held":
		return LegHeld{leg(1), f[2] == "on"}
	case "silent":
		return LegSilent{leg(1), f[2] == "on"}
	case "key":
		v, err := verb.Parse(strings.Join(f[2:], " "))
		if err != nil {
			t.Fatal(err)
		}
		s.stubs++
		return KeyPressed{Leg: leg(1), Verb: v, Stub: fmt.Sprintf("STUB%d", s.stubs)}
	case "record":
		return RecordAsked{leg(1), f[2] == "on"}
	case "refer": // refer LEG ID VERB [HOTLINE [SEAT | TRUNK:NUMBER]]
		v, err := verb.Parse(f[3])
		if err != nil {
			t.Fatal(err)
		}
		s.stubs++
		e := KeyPressed{Leg: leg(1), Verb: v, Stub: fmt.Sprintf("STUB%d", s.stubs), Refer: uint32(leg(2)), By: "1101"}
		e.To = target(f[4:])
		return e
	case "focus": // focus LEG NEW
		v, _ := verb.Parse("conference")
		return DeskCalled{Desk: leg(1), Leg: leg(2), Verb: v}
	case "brings": // brings LEG FOCUS ID, by a REFER in dialog LEG
		return BroughtIn{Leg: leg(1), Focus: leg(2), On: leg(1), Refer: uint32(leg(3))}
	case "drops": // drops LEG PARTY ID
		return DropAsked{Leg: leg(1), Party: leg(2), Refer: uint32(leg(3))}
	case "joins": // joins LEG ID VERB
		v, err := verb.Parse(f[3])
		if err != nil {
			t.Fatal(err)
		}
		return JoinAsked{Leg: leg(1), Refer: uint32(leg(2)), Verb: v, By: "1101"}
	case "found": // found LEG HOTLINE SEAT, or rings
		s.stubs++
		e := JoinFound{Leg: leg(1), Hotline: f[2], Rings: has("rings"), Stub: fmt.Sprintf("STUB%d", s.stubs)}
		if !e.Rings {
			e.Seat = f[3]
		}
		return e
	case "offers": // offers LEG ID
		return JoinOffered{Leg: leg(1), Refer: uint32(leg(2))}
	case "unwanted":
		code, _ := strconv.Atoi(f[1])
		return JoinFailed{code}
	case "taken":
		return LegTaken{leg(1)}
	case "dials": // dials LEG NEW VERB [HOTLINE [SEAT | TRUNK:NUMBER]]
		v, err := verb.Parse(f[3])
		if err != nil {
			t.Fatal(err)
		}
		s.stubs++
		e := DeskCalled{Desk: leg(1), Leg: SecondLeg + leg(2), Verb: v, Stub: fmt.Sprintf("STUB%d", s.stubs), To: target(f[4:])}
		return e
	case "picks": // picks LEG NEW SEAT
		return PickedUp{Of: leg(1), Leg: SecondLeg + leg(2), Seat: f[3]}
	case "moves": // moves LEG NEW
		return TakenOver{Of: leg(1), Leg: SecondLeg + leg(2)}
	case "enters": // enters LEG NEW SEAT
		return ColleagueJoined{Of: leg(1), Leg: SecondLeg + leg(2), Seat: f[3]}
	case "digits":
		return DigitsPressed{leg(1), f[2]}
	case "played":
		id, _ := strconv.Atoi(f[2])
		return PlayDone{leg(1), uint32(id)}
	case "after":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
		return Ticked{}
	case "broken":
		return Broken{}
	}
	t.Fatalf("unknown event %v", f)
	return nil
}

func show(x Effect) string {
	switch x := x.(type) {
	case Hear:
		s := fmt.Sprintf("Hear %d:", x.Leg)
		if len(x.From) > 0 {
			s += fmt.Sprintf(" legs %v", x.From)
		}
		if len(x.Play) > 0 {
			s += fmt.Sprintf(" plays #%d %s", x.ID, strings.Join(x.Play, ", "))
		}
		if x.Loop {
			s += "…"
		}
		return seconds.ReplaceAllStringFunc(s, second)
	case Write:
		return "Write " + strings.Join(entryWords(x), " ")
	}
	return seconds.ReplaceAllStringFunc(unsaid.Replace(strings.TrimPrefix(fmt.Sprintf("%T%+v", x, x), "call.")), second)
}

// seconds are the ids of second dialogs, which a script calls second1, second2 …
var seconds = regexp.MustCompile(`10485\d\d`)

func second(id string) string {
	n, _ := strconv.Atoi(id)
	return fmt.Sprint("second", n-int(SecondLeg))
}

// unsaid are fields that most effects leave empty.
var unsaid = strings.NewReplacer(" Grace:false", "", " Only:}", "}", " For:{Stub: From: To: By:}", "", " By:}", "}")

func testDirectory() *desk.Directory {
	prompts := desk.Prompts{
		Handover: "transfer", Failed: "transfer_failed", TakerGone: "keep_waiting", Conference: "three_way", Left: "party_left",
		Wait: "queue", Sorry: "all_busy", Music: "music", Ringback: "ring", Busy: "busy", Confirm: "accepted", Refuse: "refused",
	}
	line := func(id, partner string, seats ...string) *desk.Hotline {
		return &desk.Hotline{
			ID: id, Name: id, Numbers: []string{id}, Network: "lab", Seats: seats, NoAnswer: 8 * time.Second,
			Partner: partner, Prompts: prompts, Queue: desk.Queue{MaxWait: time.Minute, MaxCalls: 10},
		}
	}
	d := &desk.Directory{
		Hotlines: map[string]*desk.Hotline{
			"110": line("110", "12345", "1101", "1102"), "12345": line("12345", "110", "2101", "2102"),
			"119": line("119", "110"), "96110": line("96110", "110", "9601", "9602"),
		},
		Categories: category.List{
			{Code: "07", Name: "noise", Owner: "12345"}, {Code: "66", Name: "fight", Owner: "110", Urgency: ticket.Critical},
		},
		Emergency: "110",
		Timers:    desk.Timers{Settle: 3 * time.Second, KeyGap: 3 * time.Second, TrunkRing: 30 * time.Second},
	}
	d.Hotlines["119"].Trunk, d.Hotlines["119"].TrunkNumber = "fire", "119"
	d.Hotlines["119"].NoAnswer = 0
	d.Hotlines["96110"].Ring, d.Hotlines["96110"].RingEach = desk.InOrder, 5*time.Second
	d.Hotlines["96110"].Queue = desk.Queue{MaxWait: 20 * time.Second, MaxCalls: 2, Answer: true, Overflow: desk.Overflow{Hotline: "110"}}
	return d
}

// entryWords shows what an entry says beyond what every entry of the call says.
func entryWords(w Write) []string {
	e := w.Entry
	words := []string{string(e.Event), e.StubID, e.From + "→" + e.To, e.Mode, "by " + e.FromAgent}
	for _, f := range []struct{ name, value string }{
		{"result", e.Result}, {"reason", e.Reason}, {"to_agent", e.ToAgent}, {"owner", e.DecidedOwner},
		{"basis", string(e.DecisionBasis)}, {"category", e.CategoryCode}, {"recording", e.RecordingRef},
	} {
		if f.value != "" {
			words = append(words, f.name+"="+f.value)
		}
	}
	if e.Urgency != "normal" {
		words = append(words, "urgency="+string(e.Urgency))
	}
	return words
}
