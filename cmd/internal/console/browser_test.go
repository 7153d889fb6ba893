package console_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"liandong/cmd/internal/phone"
	"liandong/routing/indicator"
)

// one is the browser of all tests. Each has cookies and a tab of its own in it.
var one struct {
	sync.Once
	ctx  context.Context
	err  error
	stop []func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range slices.Backward(one.stop) {
		stop()
	}
	os.Exit(code)
}

// open starts the browser.
func open(path string) (context.Context, error) {
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(dir))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	one.stop = append(one.stop, func() { _ = os.RemoveAll(dir) }, cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	one.stop = append(one.stop, cancel)
	return ctx, chromedp.Do(ctx)
}

// chromium is a tab of the browser; without one the test is skipped, and says so. Tests that have one run beside each
// other.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time; -short leaves it out")
	}
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	switch {
	case path != "":
	case os.Getenv("LIANDONG_PEERS") == "required":
		t.Fatal("chromium is not installed, and LIANDONG_PEERS=required")
	default:
		t.Skip("chromium is not installed: the console is not tried in a browser")
	}
	t.Parallel()
	one.Do(func() { one.ctx, one.err = open(path) })
	if one.err != nil {
		t.Fatal(one.err)
	}
	ctx, cancel := chromedp.NewContext(one.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	patient := 4 * time.Minute
	if os.Getenv("CONSOLE_SHOTS")+os.Getenv("CONSOLE_AXE") != "" {
		patient = time.Hour // there is much to look at
	}
	ctx, cancel = context.WithTimeout(ctx, patient)
	t.Cleanup(cancel)
	return ctx
}

// step is one thing done in the browser.
type step = chromedp.Action[chromedp.Void]

// holds waits until a script's expression is true.
func holds(expression string) step {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
			switch {
			case err == nil && ok, ctx.Err() != nil:
				return ctx.Err()
			case time.Now().After(end):
				return fmt.Errorf("in vain: %s (%v)", expression, err)
			}
		}
	})
}

// shown waits until an element's text has a word.
func shown(selector, word string) step {
	return holds(fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, word))
}

// screen is a browser before a switch.
type screen struct {
	*rig
	ctx context.Context
}

// do does some steps, or shows what the page shows instead.
func (s *screen) do(what string, steps ...step) {
	s.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		body, _ := chromedp.Run(s.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		s.Fatalf("%s: %v\n%s\n%s", what, err, body, s.log)
	}
}

func (s *screen) open(path string) step { return chromedp.Navigate("http://" + s.web.String() + path) }

// at is the path of the page.
func (s *screen) at() string {
	path, err := chromedp.Run(s.ctx, chromedp.Evaluate[string]("location.pathname"))
	if err != nil {
		s.Fatal(err)
	}
	return path
}

func (s *screen) signIn(user string) {
	s.Helper()
	s.do(user+" signs in", s.open("/signin?lang=en"), chromedp.SendKeys(`input[name=user]`, user),
		chromedp.SendKeys(`input[name=password]`, password), chromedp.Click(`button.main`), shown("#link", "live"))
}

// shoot takes pictures of a page in both languages, light and dark, wide and narrow, where CONSOLE_SHOTS names a
// folder, and has axe-core look at each, where CONSOLE_AXE names its axe.min.js.
func (s *screen) shoot(name, path string) {
	s.Helper()
	dir, axe := os.Getenv("CONSOLE_SHOTS"), os.Getenv("CONSOLE_AXE")
	if dir == "" && axe == "" {
		return
	}
	more := "?"
	if strings.Contains(path, "?") {
		more = "&"
	}
	for _, lang := range []string{"zh", "en"} {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{1920, 390} {
				s.do("a picture", chromedp.EmulateViewport(width, 1080), s.open(path+more+"lang="+lang),
					s.open(path+more+"theme="+theme), chromedp.Sleep(1200*time.Millisecond))
				shot := fmt.Sprintf("%s-%s-%s-%d", name, lang, theme, width)
				if dir != "" {
					s.picture(filepath.Join(dir, shot+".png"))
				}
				if axe != "" {
					s.accessible(shot, axe)
				}
			}
		}
	}
	s.do("back", chromedp.ResetViewport(), s.open(path+more+"lang=en"), holds(`document.readyState === "complete"`))
}

func (s *screen) picture(file string) {
	s.Helper()
	png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o600); err != nil {
		s.Fatal(err)
	}
}

// accessible has axe-core find nothing on the page.
func (s *screen) accessible(shot, axe string) {
	s.Helper()
	script, err := os.ReadFile(axe)
	if err != nil {
		s.Fatal(err)
	}
	const run = `;window.found = null; axe.run().then(r => { window.found = r.violations.flatMap(v => v.nodes.map(n =>
		v.id + ": " + n.target.join(" ") + ": " + n.failureSummary)).join("\n"); }, e => { window.found = String(e); }); 0`
	if _, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](string(script)+run)); err != nil {
		s.Fatal(err)
	}
	s.do("axe has looked", holds(`window.found !== null`))
	found, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`window.found`))
	if err != nil || found != "" {
		s.Errorf("%s: %v\n%s", shot, err, found)
	}
}

// A call-taker's desk in a real browser, with real phones: what rings is on the screen before it is answered; a button
// hands the call over for real; what is typed lands in the stub; the page says what goes on, and that it is over.
func TestDeskInABrowser(t *testing.T) {
	ctx := chromium(t)
	s := &screen{newRig(t), ctx}
	desk, partner := s.phone("1101", phone.Policy{}), s.phone("2101", phone.Policy{})
	s.signIn("wang")
	s.do("the desk is free", shown("#state", "Free"))
	s.do("the desk takes a break", chromedp.Click(`#agent [data-reason=break]`), shown("#state", "Not ready"),
		shown("#state", "break"), holds(`document.querySelector('#agent [aria-pressed=true]').dataset.reason === 'break'`))
	s.shoot("notready", "/desk")
	s.do("and is back", chromedp.Click(`#agent [data-agent=ready]`), shown("#state", "Free"))
	call := s.call(s.phone("", phone.Policy{}), "110")
	s.do("the call is on the page before it is answered", shown("#state", "Answer it on the phone"),
		shown("#who", "13812345678"))
	rung := <-desk.Incoming()
	if rung.State() == phone.Confirmed {
		t.Error("it was answered before it was shown")
	}
	s.shoot("rings", "/desk")
	if err := rung.Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("it is answered", shown("#state", "Talking"), chromedp.WaitEnabled(`[data-verb=handover]`))
	s.do("the category is found", chromedp.SendKeys("#find", "噪音"), shown("#found", "请到城管窗口办理"),
		chromedp.Click(`#found button`), holds(`document.querySelector('[name=category]').value === '01'`),
		chromedp.SendKeys(`input[name=title]`, "夜间施工"), chromedp.SendKeys(`input[name=place]`, "中山路1号"),
		chromedp.SendKeys(`textarea[name=content]`, "每晚十点以后"), shown("#saved", "once the matter is handed on"))
	s.shoot("desk", "/desk")
	s.do("what was typed outlives the page", s.open("/desk"), shown("#state", "Talking"),
		holds(`document.querySelector('[name=title]').value === '夜间施工'`))
	s.do("a key that cannot be done is refused in words", chromedp.WaitEnabled(`[data-verb=take_back]`),
		chromedp.Click(`[data-verb=take_back]`), shown("#result", "cannot be done now"))
	s.presses(rung, "*899")
	s.do("so is a category that there is not", shown("#result", "there is no category 99"))
	s.presses(rung, "*8")
	s.do("and a code that is cut short", shown("#result", "was cut short"))
	s.do("the button hands over", chromedp.Click(`[data-verb=handover]`))
	second := <-partner.Incoming()
	s.do("who rings is shown", shown("#step", "2101"), shown("#story", "stub opened"), shown("#saved", "saved"))
	s.shoot("handover", "/desk")
	if err := second.Answer(); err != nil {
		t.Fatal(err)
	}
	s.reach(second, phone.Confirmed)
	s.reach(rung, phone.Ended)
	s.do("the desk is free again", shown("#state", "Free"))
	s.until("what was typed is in the stub", func() bool {
		return slices.ContainsFunc(s.entries("12345"), func(e map[string]any) bool {
			return e["event"] == "enriched" && e["title"] == "夜间施工" && e["place"] == "中山路1号" &&
				e["category_code"] == "01"
		})
	})
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Missed calls are on the desk page; a press has the switch call the citizen back, through the desk's own phone first,
// and what became of it is there.
func TestMissedCallsInABrowser(t *testing.T) {
	ctx := chromium(t)
	citizen := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.10"), freePort(t).Port())
	s := &screen{newRig(t, "trunks.pstn.target="+citizen.String(), "hotlines.110.callback={trunk: pstn}"), ctx}
	desk := s.phone("1101", phone.Policy{})
	man := s.phoneAt(citizen)
	s.signIn("wang")
	s.do("the desk is free", shown("#state", "Free"), holds(`document.querySelector('#missedcard').hidden`))
	call := s.call(man, "110")
	<-desk.Incoming()
	s.do("it rings", shown("#state", "Answer it on the phone"))
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.do("it is a missed call", shown("#missed", "+86138****5678"), shown("#missed", "gave up"), shown("#missedcount", "1"))
	s.shoot("missed", "/desk")
	s.do("one press", chromedp.Click(`#missed button`), shown("#state", "pick up, then the citizen is rung"),
		shown("#missed", "1101 is calling"), holds(`!document.querySelector('#missed button')`))
	mine := <-desk.Incoming()
	if err := mine.Answer(); err != nil {
		t.Fatal(err)
	}
	theirs := <-man.Incoming()
	s.do("the citizen is rung", shown("#state", "The citizen is being rung"))
	if err := theirs.Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("they talk", shown("#state", "Talking with the citizen"), shown("#missed", "1101 called back"),
		chromedp.WaitEnabled(`[data-verb=handover]`))
	s.shoot("calledback", "/desk")
	if err := mine.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reach(theirs, phone.Ended)
}

// The supervisor's list shows a call as it lives, and its page the story; the wallboard says who waits and who talks.
func TestCallsInABrowser(t *testing.T) {
	ctx := chromium(t)
	s := &screen{newRig(t), ctx}
	desk := s.phone("2101", phone.Policy{})
	s.signIn("head")
	s.do("no calls", s.open("/calls"), shown("#count", "No calls"), shown("[data-seat='2101']", "free"))
	call := s.call(s.phone("", phone.Policy{}), "12345")
	s.do("a call appears", shown("#calls", "+86138****5678"), shown("#calls", "ringing"), shown("#calls", "2101"),
		shown("[data-seat='2101']", "ringing"))
	if err := (<-desk.Incoming()).Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("it is answered", shown("#calls", "talking"), shown("[data-seat='2101']", "talking"))
	s.shoot("calls", "/calls")
	s.do("its page", chromedp.Click("#calls a"), shown("#story", "2101 answers"), shown("#one", "talking"))
	path, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname"))
	if err != nil || !strings.HasPrefix(path, "/calls/") {
		t.Errorf("at %s: %v", path, err)
	}
	s.shoot("call", path)
	s.do("the wallboard", s.open("/wall"), shown("[data-line='12345']", "talking 1"),
		holds(`!document.querySelector("[data-line='110']")`))
	s.shoot("wall", "/wall")
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.do("it is over", shown("[data-line='12345']", "talking 0"))
	for i := range 30 { // days with something to draw
		key := indicator.DayKey("12345", time.Now().AddDate(0, 0, -i))
		for name, v := range map[string]int{
			indicator.Calls: 90 + i*i%37, indicator.CallsAnswered: 88, indicator.CallsIn15s: 60 + i%20,
			indicator.AskedDirect: 20 + i%9, indicator.Answered: 17 + i%4, indicator.Due: 30} {
			s.redis.HSet(key, name, strconv.Itoa(v))
		}
	}
	s.do("indicators", s.open("/indicators"), chromedp.WaitVisible("table"), shown("#curves", "calls"))
	now := time.Now()
	span := "/indicators?from=" + now.AddDate(0, 0, -29).Format(time.DateOnly) + "&to=" + now.Format(time.DateOnly)
	s.do("a span with its curves", s.open(span), shown("table", "/"), holds(`document.querySelectorAll("#curves canvas").length > 3`),
		holds(`document.querySelectorAll("#curves figure:first-of-type tbody tr").length === 30`))
	s.do("what is no span", s.open("/indicators?from=2024-04-02&to=2024-04-01"), shown("main", "from no later than to"))
	s.shoot("indicators", span)
	s.do("an admin", chromedp.Click(".tools form button"), chromedp.WaitVisible("input[name=user]"))
	s.shoot("signin", "/signin")
	s.signIn("root")
	s.do("health", s.open("/health"), shown("#verdict", "warning: no phone of line 110"))
	s.shoot("health", "/health")
	s.do("the wallboard of all", s.open("/wall"), shown("[data-line='110']", "no seat is there"))
	s.shoot("wall-all", "/wall")
}

// The supervisor's open matters and one matter's history.
func TestMattersInABrowser(t *testing.T) {
	ctx := chromium(t)
	s := &screen{newRig(t, "matters.receive=1ms", "recording.dir="+t.TempDir(), "hotlines.12345.recording.mode=always",
		"hotlines.12345.recording.announce=none"), ctx}
	s.signIn("head")
	s.do("nothing is open", s.open("/matters"), shown("main", "No open matter"))
	stub := s.handedOver()
	s.until("the ledger has it", func() bool { return s.redis.Exists("liandong:open:110") })
	s.do("it is overdue", s.open("/matters?show=overdue"), shown("main table", "overdue"), shown("main table", "110 → 12345"))
	s.shoot("matters", "/matters")
	s.do("its history", s.open("/matters"), chromedp.Click("main table a"), shown("main", "the other line answered"))
	s.shoot("matter", "/matters/"+stub)
	s.do("its call has the way back to it, and the recording", chromedp.Click(`main a[href^="/calls/"]`),
		holds(fmt.Sprintf(`document.querySelector('#papers a[href="/matters/%s"]')`, stub)),
		shown("#papers", "Recording"))
	path, err := chromedp.Run(ctx, chromedp.Evaluate[string](
		`new URL(document.querySelector('#papers a[download]').href).pathname`))
	if err != nil {
		t.Fatal(err)
	}
	s.shoot("papers", s.at())
	for user, want := range map[string]int{"head": 200, "chief": 404, "li": 403} {
		if status, body := s.rig.signIn(user).send("GET", path, nil); status != want {
			t.Errorf("%s hears %s: %d %.80q", user, path, status, body)
		}
	}
	s.do("the citizen calls again", chromedp.Click(".tools form button"), chromedp.WaitVisible("input[name=user]"))
	s.signIn("wang")
	s.call(s.phone("", phone.Policy{}), "110")
	s.do("what was before is there with the call", shown("#earlier", "110 → 12345"), shown("#earliercount", "1"))
	s.shoot("earlier", "/desk")
}

// drawn waits until a word is in the ladder's picture.
func drawn(word string) step {
	return holds(fmt.Sprintf(`document.querySelector("#ladder svg")?.textContent.includes(%q)`, word))
}

// The page of a call has its ladder, which grows while the call goes on and stays when it is over; by keyboard an arrow
// opens its message, with the number masked.
func TestLadderInABrowser(t *testing.T) {
	ctx := chromium(t)
	s := &screen{newRig(t), ctx}
	desk := s.phone("2101", phone.Policy{})
	s.signIn("eng")
	call := s.call(s.phone("", phone.Policy{}), "12345")
	s.do("a call appears", s.open("/calls"), shown("#calls", "ringing"))
	s.do("its ladder", chromedp.Click("#calls a"),
		holds(`document.querySelector("#ladder svg a[aria-label*='INVITE']")`))
	if err := (<-desk.Incoming()).Answer(); err != nil {
		t.Fatal(err)
	}
	s.do("an answer appears by itself", drawn("2101 answers"), drawn("200 OK"),
		drawn("citizen hears 2101"))
	s.do("Enter opens a message", holds(`(document.querySelector("#ladder svg a").focus(), true)`),
		chromedp.KeyEvent("\r"), shown("details[open] pre", "INVITE sip:12345"),
		shown("details[open] pre", "138****5678"))
	path, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.pathname"))
	if err != nil {
		t.Fatal(err)
	}
	s.do("how it sounds appears", holds(`document.querySelectorAll("#curves canvas").length > 1`), shown("#curves", "citizen sends"))
	s.do("one press keeps the headers of its sound", chromedp.Click("#sniff"), shown("#sniffed", "They are kept"))
	if err := call.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.do("its end appears, and what was opened is open", drawn("BYE"), drawn("the call ends"),
		shown("details[open] pre", "INVITE sip:12345@"))
	s.do("it stays", s.open(path+"?lang=zh"), drawn("通话结束"), shown("#curves", "市民 发出"), shown("#ladder", "下载抓包文件"),
		holds(`!document.body.innerText.includes("13812345678")`))
	s.shoot("ladder", path)
	b := s.rig.signIn("eng")
	if status, file := b.send("GET", "/v1"+path+"/trace.pcap", nil); status != 200 || !strings.HasPrefix(file, "\n\r\r\n") {
		t.Errorf("the capture file: %d", status)
	}
	if status, page := s.rig.signIn("chief").send("GET", path+"/ladder", nil); status != 200 || strings.Contains(page, "<svg") {
		t.Errorf("who has to do with another line is shown %d %s", status, page)
	}
	if status, _ := s.rig.signIn("wang").send("GET", path+"/ladder", nil); status != 403 {
		t.Errorf("a call-taker is shown the messages: %d", status)
	}
}
