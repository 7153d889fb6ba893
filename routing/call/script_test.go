package call

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// scripted is a call under a script. A leg has the name of its seat, or of the line or the trunk behind which it is;
// another one of the same name has a number behind it.
type scripted struct {
	call  Call
	dir   *desk.Directory
	now   time.Time
	stubs int
	names map[LegID]string
}

// leg is the leg of a name. Dialogs that phones begin are second1, second2 …; a number is a leg that there is not.
func (s *scripted) leg(t *testing.T, name string) LegID {
	t.Helper()
	for id, n := range s.names {
		if n == name {
			return id
		}
	}
	if n, ok := strings.CutPrefix(name, "second"); ok {
		i, _ := strconv.Atoi(n)
		s.names[SecondLeg+LegID(i)] = name
		return SecondLeg + LegID(i)
	}
	n, err := strconv.Atoi(name)
	if err != nil || n > 99 {
		t.Fatalf("no leg is called %q: %v", name, s.names)
	}
	return LegID(n)
}

// begins names a leg that an effect begins.
func (s *scripted) begins(x Effect) {
	switch x := x.(type) {
	case RingSeat:
		s.christen(x.Leg, x.Seat)
	case RingTrunk:
		if x.Leg == CallerLeg { // who is called back is the caller
			break
		}
		s.christen(x.Leg, cmp.Or(x.Hotline, x.Trunk))
	case RingSupervisor:
		s.christen(x.Leg, x.User)
	case AskJoin:
		s.christen(x.Leg, "guest")
	}
}

func (s *scripted) christen(id LegID, name string) {
	taken := func(n string) bool { return slices.Contains(slices.Collect(maps.Values(s.names)), n) }
	is := name
	for i := 2; taken(is); i++ {
		is = fmt.Sprint(name, "/", i)
	}
	if id != 0 {
		s.names[id] = is
	}
}

// name is the name of a leg.
func (s *scripted) name(id LegID) string { return cmp.Or(s.names[id], fmt.Sprint(id)) }

// legIDs are where effects show the id of a leg.
var legIDs = regexp.MustCompile(`\b(Leg:|By:|leg )(\d+)`)

func (s *scripted) named(text string) string {
	return legIDs.ReplaceAllStringFunc(text, func(hit string) string {
		m := legIDs.FindStringSubmatch(hit)
		id, _ := strconv.Atoi(m[2])
		if m[1] == "By:" && id < int(SecondLeg) { // who refers
			return hit
		}
		if id == 0 {
			return m[1] + "-"
		}
		return m[1] + s.name(LegID(id))
	})
}

// state is what the call is after a step.
func (s *scripted) state() string {
	c := &s.call
	words := []string{string(c.Phase)}
	add := func(name string, ok bool, values ...any) {
		if ok {
			words = append(words, name+"="+strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintln(values...), " ", ":"),
				"\n"))
		}
	}
	add("desk", c.Desk != 0, s.name(c.Desk))
	add("partner", c.Partner != 0, s.name(c.Partner))
	if h := c.Hunt; h != nil {
		add("seeks", true, h.Kind, h.Hotline)
		add("queued", h.Queued, h.Hotline)
	}
	add("second", c.Second.ID != 0, s.name(c.Second.ID), map[bool]string{true: "up", false: "rings"}[c.Second.Up])
	add("focus", c.Focus.ID != 0, s.name(c.Focus.ID))
	for _, w := range c.Supervisors {
		add("supervisor", true, s.name(w.ID), w.Act,
			map[bool]string{true: "up", false: "rings"}[w.Up]+
				map[bool]string{true: ":leaves"}[w.Up && !w.GoAt.IsZero()])
	}
	if m := c.Matter; m != nil {
		add("matter", true, cmp.Or(m.Stub, "inside"), m.Mode, map[bool]string{true: "told", false: "open"}[m.Told])
		add("owner", m.Owner != "", m.Owner)
	}
	return strings.Join(words, " ")
}

func play(t *testing.T, script string) string {
	s := &scripted{names: map[LegID]string{CallerLeg: "caller"}, dir: testDirectory(),
		now: time.Date(2024, 4, 3, 10, 0, 0, 0, time.FixedZone("", 8*3600))}
	for _, m := range recordingLine.FindAllStringSubmatch(script, -1) {
		mode, ok := desk.RecordByName(m[2])
		if !ok {
			t.Fatalf("%q is no way of recording", m[2])
		}
		s.dir.Hotlines[m[1]].Recording = desk.RecordingPolicy{Mode: mode, Announce: "recorded"}
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
		if lost, ok := x.(Astray); ok {
			t.Errorf("%s: %v", line, lost.Err)
		}
		s.begins(x)
		b.WriteString(s.show(x) + "\n")
	}
	b.WriteString("= " + s.state() + "\n")
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
	leg := func(i int) LegID { return s.leg(t, f[i]) }
	id := func(i int) uint32 {
		n, err := strconv.ParseUint(f[i], 10, 32)
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		return uint32(n)
	}
	has := func(word string) bool { return strings.Contains(" "+strings.Join(f, " ")+" ", " "+word+" ") }
	switch f[0] {
	case "arrived":
		return Arrived{Ref: "CALL", Caller: number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK,
			Source: "pai"}, Dialed: f[1], Hotline: f[1], Record: "REC"}
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
	case "unanswered":
		return LegUnanswered{leg(1)}
	case "alive":
		return LegAlive{leg(1)}
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
		e := KeyPressed{Leg: leg(1), Verb: v, Stub: fmt.Sprintf("STUB%d", s.stubs), Refer: id(2), By: "1101"}
		e.To = target(f[4:])
		return e
	case "focus": // focus LEG NEW
		v, _ := verb.Parse("conference")
		return DeskCalled{Desk: leg(1), Leg: leg(2), Verb: v}
	case "brings": // brings LEG FOCUS ID, by a REFER in dialog LEG
		return BroughtIn{Leg: leg(1), Focus: leg(2), On: leg(1), Refer: id(3)}
	case "drops": // drops LEG PARTY ID
		return DropAsked{Leg: leg(1), Party: leg(2), Refer: id(3)}
	case "joins": // joins LEG ID VERB
		v, err := verb.Parse(f[3])
		if err != nil {
			t.Fatal(err)
		}
		return JoinAsked{Leg: leg(1), Refer: id(2), Verb: v, By: "1101"}
	case "found": // found LEG HOTLINE SEAT, or rings
		s.stubs++
		e := JoinFound{Leg: leg(1), Hotline: f[2], Rings: has("rings"), Stub: fmt.Sprintf("STUB%d", s.stubs)}
		if !e.Rings {
			e.Seat = f[3]
		}
		return e
	case "offers": // offers LEG ID
		return JoinOffered{Leg: leg(1), Refer: id(2)}
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
		e := DeskCalled{Desk: leg(1), Leg: leg(2), Verb: v, Stub: fmt.Sprintf("STUB%d", s.stubs), To: target(f[4:])}
		return e
	case "picks": // picks LEG NEW SEAT
		return PickedUp{Of: leg(1), Leg: leg(2), Seat: f[3]}
	case "moves": // moves LEG NEW
		return TakenOver{Of: leg(1), Leg: leg(2)}
	case "enters": // enters LEG NEW SEAT
		return ColleagueJoined{Of: leg(1), Leg: leg(2), Seat: f[3]}
	case "watches": // watches NEW USER LINE,LINE [LINE of the desk]
		e := SupervisorDialled{Leg: leg(1), User: f[2], Lines: strings.Split(f[3], ",")}
		if len(f) > 4 {
			e.Of = f[4]
		}
		return e
	case "attends": // attends USER LINE,LINE ACT
		e := SupervisorAsked{User: f[1], Lines: strings.Split(f[2], ","), Act: Act(f[3])}
		if e.Act == Back {
			s.stubs++
			e.Stub = fmt.Sprintf("STUB%d", s.stubs)
		}
		return e
	case "presses": // presses LEG KEY
		e := SupervisorPressed{Leg: leg(1), Act: SupervisorKeys[f[2][0]]}
		if e.Act == Back {
			s.stubs++
			e.Stub = fmt.Sprintf("STUB%d", s.stubs)
		}
		return e
	case "digits":
		return DigitsPressed{leg(1), f[2]}
	case "cut":
		return KeyCutShort{leg(1)}
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
	case "tested": // tested HOTLINE
		return Arrived{Ref: "c1", Dialed: f[1], Hotline: f[1], Test: true}
	case "calls": // calls HOTLINE SEAT, back
		return CallbackAsked{Ref: "CALL", Hotline: f[1], Record: "REC",
			Caller:   number.Number{E164: "+8613812345678", Raw: "13812345678", Status: number.OK, Source: "pai"},
			Callback: Callback{Stub: "MISSED", Seat: f[2], Trunk: "pstn", Number: "13812345678", Shown: f[1]}}
	case "asks": // asks HOTLINE CLIP…
		return Arrived{Ref: "c1", Dialed: "*82", Hotline: f[1], Test: true, Says: f[2:]}
	case "stops": // stops GRACE
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		return SwitchStops{Grace: d}
	case "broken":
		return Broken{}
	}
	t.Fatalf("unknown event %v", f)
	return nil
}

func (s *scripted) show(x Effect) string {
	switch x := x.(type) {
	case Hear:
		text := fmt.Sprintf("Hear %s:", s.name(x.Leg))
		for i, id := range x.From {
			text += map[bool]string{true: " ", false: ", "}[i == 0] + s.name(id)
		}
		if len(x.Play) > 0 {
			text += fmt.Sprintf(" plays #%d %s", x.ID, strings.Join(x.Play, ", "))
		}
		if x.Loop {
			text += "…"
		}
		return text
	case Write:
		return "Write " + strings.Join(entryWords(x), " ")
	}
	return s.named(unsaid.Replace(strings.TrimPrefix(fmt.Sprintf("%T%+v", x, x), "call.")))
}

// unsaid are fields that most effects leave empty.
var unsaid = strings.NewReplacer(" Grace:false", "", " Media:false}", "}", " Only: First:}", "}", " Only: First:", " First:", " First:}", "}", " For:{Stub: From: To: By:}",
	"", " Shown:}", "}", " By:}", "}", " Agent: Line:}", "}")

func testDirectory() *desk.Directory {
	prompts := desk.Prompts{
		Handover: "transfer", Failed: "transfer_failed", TakerGone: "keep_waiting", Conference: "three_way",
		Left: "party_left",
		Wait: "queue", Sorry: "all_busy", Music: "music", Ringback: "ring", Busy: "busy", Confirm: "accepted",
		Refuse: "refused", Already: "already",
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
			{Code: "03", Name: "parking", Owner: "12345"}, {Code: "07", Name: "noise", Owner: "12345"},
			{Code: "66", Name: "fight", Owner: "110", Urgency: ticket.Critical},
		},
		Emergency: "110",
		Timers:    desk.Timers{Settle: 3 * time.Second, KeyGap: 3 * time.Second, TrunkRing: 30 * time.Second},
	}
	d.Hotlines["119"].Trunk, d.Hotlines["119"].TrunkNumber = "fire", "119"
	d.Hotlines["119"].NoAnswer = 0
	d.Hotlines["96110"].Ring, d.Hotlines["96110"].RingEach = desk.InOrder, 5*time.Second
	d.Hotlines["96110"].Queue = desk.Queue{MaxWait: 20 * time.Second, MaxCalls: 2, Answer: true,
		Overflow: desk.Overflow{Hotline: "110"}}
	return d
}

// entryWords shows what an entry says beyond what every entry of the call says.
func entryWords(w Write) []string {
	e := w.Entry
	if e.Event == ticket.Missed { // its id follows from that of the recording
		e.StubID = "MISSED"
	}
	words := []string{string(e.Event), e.StubID, e.From + "→" + e.To, e.Mode, "by " + e.FromAgent}
	for _, f := range []struct{ name, value string }{
		{"result", e.Result}, {"reason", e.Reason}, {"to_agent", e.ToAgent}, {"owner", e.DecidedOwner},
		{"basis", string(e.DecisionBasis)}, {"category", e.CategoryCode}, {"recording", e.RecordingRef},
	} {
		if f.value != "" {
			words = append(words, f.name+"="+f.value)
		}
	}
	if e.Waited != "" {
		words = append(words, "waited="+e.Waited)
	}
	if e.Urgency != "normal" && e.Urgency != "" {
		words = append(words, "urgency="+string(e.Urgency))
	}
	return words
}
