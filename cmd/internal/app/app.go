// Package app is the switch as one piece: it builds the parts from a config,
// starts them, and stops them in reverse.
package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"liandong/cmd/internal/api"
	"liandong/cmd/internal/console"
	"liandong/cmd/internal/feed"
	"liandong/cmd/internal/records"
	"liandong/cmd/internal/report"
	"liandong/cmd/internal/selftest"
	"liandong/cmd/internal/trace"
	"liandong/configs"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/desk"
	"liandong/routing/exchange"
	"liandong/routing/indicator"
	"liandong/routing/journal"
	"liandong/routing/mirror"
	"liandong/routing/missed"
	"liandong/routing/news"
	"liandong/routing/ticket"
	"liandong/sip/admission"
	"liandong/sip/capture"
	"liandong/sip/leg"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// App is a switch. Build it with New; its parts run between Start and Stop.
type App struct {
	log      *slog.Logger
	stores   *stores
	recent   *ticket.Recent
	business *api.Business
	feed     *feed.Feed
	traces   *trace.Book   // nil: nothing is kept of calls
	homer    *capture.HEP  // nil: no messages are sent to one
	records  *records.Book // nil: calls are not written down
	missed   *missed.Book
	recorder *record.Recorder // nil: no line records
	engine   *engine.Engine
	ua       *ua.UA
	trunks   *neighbourhood
	exchange *exchange.Exchange
	api      *api.Server
	console  *console.Server
	tester   *selftest.Tester // nil: the switch does not call itself
	sharing  *sharing         // nil: this switch knows its own phones alone
	journal  *journal.Journal // nil: no call outlives this process
	process  *Process         // nil: nobody keeps its sockets
	serves   atomic.Bool      // all of these are there, and the keeper asks whether they answer
	late     lateKeys
	waits    bool   // to be given the sound by the process before
	secret   string // begins the names that the switch calls itself by

	pair   *pair                       // nil: there is one machine
	copies map[string]*journal.Journal // of what the other one has not shipped, by the name of its Redis
	skip   uint32                      // CSeqs that the other one may have used
	audit  *records.Book               // what people have done; nil: no file is kept
	trail  *slog.Logger                // the log, and that file
	json   bool                        // the log is JSON
	lang   string                      // of what people read while this machine stands by

	listens []configs.Listener // where HTTP is heard while this machine stands by

	reload
}

// CallEvents is the stream of call events for screen pop and wallboards.
const CallEvents = "liandong:calls"

// New builds the parts. Nothing is heard on any address before Start; the
// outbox file is open. p is the process that it is in; nil: one of its own, that nothing outlives.
func New(cfg *configs.Config, p *Process, log *slog.Logger) (*App, error) {
	a, err := prepare(cfg, p, log)
	if err != nil {
		return nil, err
	}
	return a, a.build(cfg)
}

// prepare builds what takes time and disturbs nobody: a spare has done so while another process is still the switch.
func prepare(cfg *configs.Config, p *Process, log *slog.Logger) (*App, error) {
	a := &App{
		log: log, recent: ticket.NewRecent(recentStubs), business: api.NewBusiness(),
		feed: feed.New(feedRoom, time.Now()), process: p, traces: traces(cfg),
		secret: testSecret(), json: cfg.Log.Format == "json", lang: cfg.Lang, listens: cfg.Listeners(),
	}
	if two := cfg.Pair(); two != nil {
		mirror.Prepare(two.Secret)
		return a, nil // the addresses for sound may be another machine's
	}
	return a, a.openEngine(cfg)
}

func (a *App) openEngine(cfg *configs.Config) (err error) {
	media := cfg.Engine()
	media.Keeper = a.process.sockets()
	if a.pair != nil {
		media.Silent = a.pair.silent
	}
	if a.engine, err = engine.New(media, a.log.With("part", "media")); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	return nil
}

// build builds the rest. On an error nothing is left running.
func (a *App) build(cfg *configs.Config) (err error) {
	log := a.log
	a.holds.Store(cfg)
	defer func() {
		if err != nil {
			a.Stop()
		}
	}()
	if a.engine == nil {
		if err = a.openEngine(cfg); err != nil {
			return err
		}
	}
	if a.stores == nil {
		if a.stores, err = openStores(cfg, log); err != nil {
			return fmt.Errorf("app: %w", err)
		}
	}
	if err = a.openBooks(cfg); err != nil {
		return err
	}
	a.missed = a.missedCalls()
	a.tester = a.newTester(cfg)
	directory := cfg.Directory()
	a.directory.Store(directory)
	a.business.Lines(slices.Sorted(maps.Keys(directory.Hotlines)))
	// The socket layer and the exchange know each other: messages go up by the
	// handler, down by the transport.
	up, turns := &handler{}, admission.NewTurns(cores)
	if err = a.openSIP(cfg, up, turns); err != nil {
		return err
	}
	a.exchange = a.newExchange(cfg, turns)
	up.Exchange = a.exchange
	return a.openHTTP(cfg)
}

// openSIP opens the sockets for SIP, with what is told of registrations and of trunks.
func (a *App) openSIP(cfg *configs.Config, up *handler, turns *admission.Turns) (err error) {
	log := a.log.With("part", "sip")
	sockets := a.sockets(cfg, up, turns)
	if err = a.openSharing(cfg, sockets.Now); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	if a.sharing != nil {
		sockets.Share = a.sharing.changed
	}
	if a.ua, err = ua.New(sockets, up, log); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	around := neighbours(cfg)
	around.Keep = a.keep(journal.Trunk)
	if a.journal != nil {
		around.Now = a.journal.Clock().Now
	}
	a.trunks = newNeighbourhood(around, a.ua, log)
	return nil
}

// newExchange makes what carries the calls.
func (a *App) newExchange(cfg *configs.Config, turns *admission.Turns) *exchange.Exchange {
	log := a.log.With("part", "exchange")
	var still func() bool
	if a.pair != nil {
		still = a.pair.still
	}
	var others exchange.Shared
	if a.sharing != nil {
		others = a.sharing
	}
	return exchange.New(exchange.Config{
		Shared:    others,
		Directory: a.directory.Load(), Leg: legs(cfg), Wire: a.ua, Trunks: a.trunks, Tickets: a,
		Sessions: func(ref string, sink func(engine.Event)) exchange.Media { return a.engine.NewSession(ref, sink) },
		Tell:     func(it news.Item) { a.tell(a.directory.Load(), it) },
		Trace:    a.traces.Teller(),
		Seat:     a.feed.Touch,
		NewID:    ticket.NewIDs(rand.Reader).New,
		NewRef:   uuid.NewString,
		Record:   a.record(),
		Journal:  a.journal,
		Restored: a.restored,
		Retape:   a.retape(),
		Late:     a.late.add,
		Accounts: a.records != nil,
		Still:    still,
		Skip:     a.skip,
		Renew:    a.wasAway(),
		Turns:    turns,
		Versions: exchange.NewVersions(cfg.LampVersions(), time.Now(), log),
	}, log)
}

// openHTTP makes the HTTP side and the console.
func (a *App) openHTTP(cfg *configs.Config) (err error) {
	seen := cfg.APIOf(a.directory.Load())
	if a.api, err = api.New(seen, a.parts(), a.log.With("part", "http")); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	if a.console, err = console.New(seen, a.api, a.sessions(), a.log.With("part", "console"),
		a.trail.With("part", "console")); err != nil {
		return fmt.Errorf("app: %w", err)
	}
	a.api.Pages(a.console)
	return nil
}

// openBooks opens what is kept of calls and of what people do: recordings, the audit file, call records, messages.
func (a *App) openBooks(cfg *configs.Config) (err error) {
	log := a.log
	if cfg.Records() {
		tapes := cfg.Record()
		tapes.Resumes = a.journal != nil
		if a.recorder, err = record.New(tapes, log.With("part", "record")); err != nil {
			return fmt.Errorf("app: recording.dir: %w", err)
		}
	}
	if err = a.openTrail(cfg); err != nil {
		return fmt.Errorf("app: audit.dir: %w", err)
	}
	if dir := cfg.CallRecords.Dir; dir != "" {
		if a.records, err = records.Open(records.Config{Name: "calls", Dir: dir, Days: cfg.CallRecords.Days,
			Zone: cfg.Location()}, log.With("part", "records")); err != nil {
			return fmt.Errorf("app: records.dir: %w", err)
		}
	}
	if err = a.spill(cfg); err != nil {
		return err
	}
	if at := cfg.HEP(); at != nil {
		a.homer = capture.NewHEP(*at)
	}
	return nil
}

// sockets is how the socket layer is to be.
func (a *App) sockets(cfg *configs.Config, up *handler, turns *admission.Turns) ua.Config {
	c := cfg.UA()
	c.Keeper, c.SelfTest = a.process.sockets(), a.secret
	c.Keep = a.keep(journal.Registration)
	c.Turns, c.Emergency = turns, a.emergency
	c.TurnedAway = func(o ua.Origin, p leg.Packet, at time.Time) { up.TurnedAway(o, p, at) }
	c.Trace = a.captured()
	if a.pair != nil {
		c.Silent = a.pair.silent
	}
	c.Now = ua.SteadyClock()
	if a.journal != nil {
		c.Now = a.journal.Clock().Now
	}
	c.Bindings = func(user string, live []ua.Binding) {
		a.feed.Touch(user)
		if len(live) > 0 {
			up.SeatOnline(user)
		}
	}
	c.Another = func(b ua.Binding, phones int) { a.another(a.directory.Load(), b, phones) }
	return c
}

// cores is how many threads can really run at once.
var cores = runtime.GOMAXPROCS(0)

// emergency says that a number is one of the line that urgent stubs go to.
func (a *App) emergency(dialled string) bool {
	d := a.directory.Load()
	line, ok := d.LineByNumber(dialled)
	return ok && line.ID == d.Emergency
}

// recentStubs is how many stubs a desk can add to while Redis is away: those of more calls than are ever on at once.
const recentStubs = 4096

// captured is who gets the messages of calls; nil: nobody does.
func (a *App) captured() func(capture.Message) {
	switch {
	case a.homer == nil && a.traces == nil:
		return nil
	case a.homer == nil:
		return a.traces.Message
	case a.traces == nil:
		return a.homer.Message
	}
	return func(m capture.Message) {
		a.traces.Message(m)
		a.homer.Message(m)
	}
}

// traces keep what calls have said, as the config has it; nil: nothing.
func traces(cfg *configs.Config) *trace.Book {
	if cfg.Trace.MemoryMB == 0 {
		return nil
	}
	return trace.NewBook(cfg.Trace.MemoryMB << 20)
}

// spill has what calls have said kept on disk as well, where the config says so.
func (a *App) spill(cfg *configs.Config) error {
	to := cfg.Spill()
	if to == nil {
		return nil
	}
	disk, err := trace.OpenDisk(trace.DiskConfig(*to), a.log.With("part", "trace"))
	if err != nil {
		return fmt.Errorf("app: trace.dir: %w", err)
	}
	a.traces.Spill(disk)
	return nil
}

// Put takes the ticket entries of all calls. Until the outbox has brought one to its disk it stands in the journal.
func (a *App) Put(e ticket.Entry, done func(error)) {
	e = a.missed.Take(e)
	a.recent.Note(e)
	a.business.Wrote(e, time.Now())
	a.feed.Entry(e)
	a.traces.Entry(e)
	a.log.LogAttrs(context.Background(), slog.LevelInfo, "ticket entry", written(e)...)
	a.stores.Put(e, a.noted(e, done))
}

// parts are what HTTP shows and drives.
func (a *App) parts() api.Switch {
	sw := api.Switch{
		Calls: a.exchange, Tickets: a, Recent: a.recent, Stores: a.stores.shown(a.sharing), Engine: a.engine, UA: a.ua,
		Trunks: a.trunks, Recordings: a.recorder, Missed: a.missed,
		Feed: a.feed, Traces: a.traces, Homer: a.homer,
		Business: a.business, Reload: a.Reload, Indicators: a.indicators,
		Values:  func(salt string) configs.Values { return a.holds.Load().Values(salt) },
		Config:  func() (*configs.Config, *api.Reading) { return a.holds.Load(), a.last.Load() },
		Audit:   a.trail.With("part", "http"),
		Journal: a.journal, SelfTest: a.tester.OK, Process: a.process.Status, Keeper: a.process.sockets(),
	}
	if a.pair != nil {
		sw.Cluster = a.pair
	}
	return sw
}

// indicators reads the figures of some days.
func (a *App) indicators(ctx context.Context, of api.Span) ([]report.Line, error) {
	cfg := a.holds.Load()
	from, to, err := of.In(cfg.Location(), time.Now())
	if err != nil {
		return nil, err
	}
	o := report.Options{
		Lines: cfg.HotlineIDs(), Diversion: indicator.Diversion(cfg.Indicators.Diversion), At: from, To: to,
		Parts: of.Parts,
	}
	for _, s := range cfg.Stores() {
		o.Redises = append(o.Redises, s.Ledger.Config)
	}
	return report.Read(ctx, o)
}

// record is how calls begin their recordings.
func (a *App) record() exchange.Recorder {
	if a.recorder == nil {
		return nil
	}
	return func(c record.Call, now time.Time) (exchange.LiveRecording, error) { return a.recorder.Start(c, now) }
}

// handler breaks the circle between the socket layer and the exchange; it is
// complete before the first socket opens.
type handler struct{ *exchange.Exchange }

func legs(cfg *configs.Config) leg.Config {
	l := cfg.Leg()
	l.Rand = random
	return l
}

func neighbours(cfg *configs.Config) trunk.Config {
	t := cfg.Neighbours()
	t.Rand = random
	return t
}

// random is for tags, branches and Call-IDs: not to be guessed.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand says
	return binary.NativeEndian.Uint64(b[:])
}

func (a *App) tell(d *desk.Directory, it news.Item) {
	if it.Get("test") != "" { // the switch's own call is nobody's
		return
	}
	it.Set("event", it.Event)
	if it.Event != "record" { // which repeats what they have
		a.traces.Event(it)
	}
	if answersCitizen(it) {
		a.reached(it.Get("hotline"), it.Get("caller_e164"), it.Get("agent"), it.Get("call_ref"))
	}
	now := time.Now()
	it.Set("at", now.Format(time.RFC3339Nano))
	a.feed.Call(it)
	if it.Get("ref") != "" { // which is for ourselves
		it.Fields = slices.Clone(it.Fields)
		it.Drop("ref")
	}
	if it.Event == "state" { // for onlookers alone
		return
	}
	a.business.Told(it.Event, it.Fields, now)
	if it.Event == "record" && a.records != nil {
		a.records.Add(it.Fields, now, a.recorded(it.Get("call_ref")))
	}
	log, level := a.log, storied[it.Event]
	if audited(it.Event) {
		log = a.trail
	}
	if log.Enabled(context.Background(), level) {
		var room [24]slog.Attr
		log.LogAttrs(context.Background(), level, "call "+it.Event, story(room[:0], it)...)
	}
	a.stores.publish(d, it.Fields)
}

// phoned publishes that the first phone of a user has registered, or that the last is gone.
func (a *App) phoned(event string, c feed.Chair) {
	a.tell(a.directory.Load(), news.Item{Event: event, Fields: news.Of(news.Fields{{Name: "agent", Value: c.User},
		{Name: "hotline", Value: c.Hotline}, {Name: "phones", Value: strconv.Itoa(c.Phones)}}...)})
}

// feedRoom is how many events are kept for readers that come again: at 100 calls a second, some seconds of them.
const feedRoom = 8192

// another publishes that a second phone takes a desk's calls, for whoever looks after the desks.
func (a *App) another(d *desk.Directory, b ua.Binding, phones int) {
	line, ok := d.At(b.User)
	if !ok {
		return
	}
	a.tell(d, news.Item{Event: "another_phone", Fields: news.Of(news.Fields{{Name: "agent", Value: b.User},
		{Name: "detail", Value: b.Flow.Remote.Addr().String()}, {Name: "hotline", Value: line.ID},
		{Name: "phones", Value: strconv.Itoa(phones)}}...)})
}

// Start opens the sockets. On an error nothing is left running.
func (a *App) Start() error {
	a.stores.start()
	a.takeOver()
	if err := a.restore(); err != nil {
		a.Stop()
		return fmt.Errorf("app: %w", err)
	}
	a.takeSound()
	a.sharing.startSeats()
	if err := a.ua.Start(); err != nil {
		a.Stop()
		return fmt.Errorf("app: %w", err)
	}
	a.trunks.Start()
	restored := a.exchange.Calls()
	a.resumeMissed(restored)
	for _, c := range restored {
		a.feed.Concern(cmp.Or(c.Peer.Ref, c.Ref), strings.Split(exchange.Lines(c), ","))
	}
	a.feed.Watch(slices.Collect(maps.Keys(a.directory.Load().Seats)), a.api.Chair, a.phoned)
	a.sharing.startPhones()
	if err := a.api.Start(); err != nil {
		a.Stop()
		return fmt.Errorf("app: %w", err)
	}
	if a.tester != nil {
		a.tester.Start(a.process.Status().Trial)
	}
	if a.pair != nil {
		a.stream()
	}
	return nil
}

// answers comes back when all parts that calls share have: each takes its own locks, and the media engine's threads
// have their turn. It does not ask the calls: one that is stuck is not to end the others.
func (a *App) answers() bool {
	if a.serves.Load() {
		a.engine.Turn()
		_, _, _, _ = a.ua.Stats(), a.exchange.Stats(), a.exchange.Draining(), a.stores.shown(a.sharing)
		if a.journal != nil {
			a.journal.Beat()
		}
	}
	return true
}

// closeBooks ends what is written of calls for whoever looks at them later.
func (a *App) closeBooks() {
	if a.records != nil {
		a.records.Close()
	}
	if a.audit != nil {
		a.audit.Close()
	}
	if a.homer != nil {
		a.homer.Stop()
	}
	a.traces.Close()
}

// Stop takes the parts down in reverse and waits for them.
func (a *App) Stop() {
	if a.tester != nil {
		a.tester.Stop()
	}
	a.sharing.stop()
	a.feed.Close()
	if a.api != nil {
		a.api.Stop()
	}
	if a.exchange != nil {
		a.exchange.Stop()
	}
	if a.trunks != nil {
		a.trunks.Stop()
	}
	if a.ua != nil {
		a.ua.Stop()
	}
	a.closeBooks()
	if a.engine != nil {
		a.engine.Stop()
	}
	if a.recorder != nil {
		a.recorder.Stop()
	}
	if a.stores != nil {
		a.stores.stop()
	}
}
