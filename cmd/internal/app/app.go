// Package app is the switch as one piece: it builds the parts from a config,
// starts them, and stops them in reverse.
package app

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"liandong/cmd/internal/api"
	"liandong/configs"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/desk"
	"liandong/routing/exchange"
	"liandong/routing/ticket"
	"liandong/sip/leg"
	"liandong/sip/trunk"
	"liandong/sip/ua"
)

// App is a switch. Build it with New; its parts run between Start and Stop.
type App struct {
	log      *slog.Logger
	stores   *stores
	recent   *ticket.Recent
	recorder *record.Recorder // nil: no line records
	engine   *engine.Engine
	ua       *ua.UA
	trunks   *trunk.Keeper
	exchange *exchange.Exchange
	api      *api.Server
}

// CallEvents is the stream of call events for screen pop and wallboards.
const CallEvents = "liandong:calls"

// New builds the parts. Nothing is heard on any address before Start; the
// outbox file is open.
func New(cfg *configs.Config, log *slog.Logger) (_ *App, err error) {
	a := &App{log: log, recent: ticket.NewRecent(recentStubs)}
	defer func() {
		if err != nil {
			a.Stop()
		}
	}()
	if a.stores, err = openStores(cfg, log); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	if cfg.Records() {
		if a.recorder, err = record.New(cfg.Record(), log.With("part", "record")); err != nil {
			return nil, fmt.Errorf("app: recording.dir: %w", err)
		}
	}
	if a.engine, err = engine.New(cfg.Engine(), log.With("part", "media")); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	// The socket layer and the exchange know each other: messages go up by the
	// handler, down by the transport.
	up := &handler{}
	sockets := cfg.UA()
	sockets.Bindings = func(user string, live []ua.Binding) {
		if len(live) > 0 {
			up.SeatOnline(user)
		}
	}
	if a.ua, err = ua.New(sockets, up, log.With("part", "sip")); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	a.trunks = trunk.New(neighbours(cfg), a.ua, log.With("part", "sip"))
	directory := cfg.Directory()
	a.exchange = exchange.New(exchange.Config{
		Directory: directory, Leg: legs(cfg), Wire: a.ua, Trunks: a.trunks, Tickets: a,
		Sessions: func(ref string, sink func(engine.Event)) exchange.Media { return a.engine.NewSession(ref, sink) },
		Tell:     func(event string, fields map[string]string) { a.tell(directory, event, fields) },
		NewID:    ticket.NewIDs(rand.Reader).New,
		NewRef:   uuid.NewString,
		Record:   a.record(),
		Versions: exchange.NewVersions(cfg.LampVersions(), time.Now(), log.With("part", "exchange")),
	}, log.With("part", "exchange"))
	up.Exchange = a.exchange
	if a.api, err = api.New(cfg.API(), a.parts(), log.With("part", "http")); err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	return a, nil
}

// recentStubs is how many stubs a desk can add to while Redis is away: those of more calls than are ever on at once.
const recentStubs = 4096

// Put takes the ticket entries of all calls.
func (a *App) Put(e ticket.Entry, done func(error)) {
	a.recent.Note(e)
	a.stores.Put(e, done)
}

// parts are what HTTP shows and drives.
func (a *App) parts() api.Switch {
	return api.Switch{
		Calls: a.exchange, Tickets: a, Recent: a.recent, Stores: a.stores.shown(), Engine: a.engine, UA: a.ua, Trunks: a.trunks, Recordings: a.recorder,
	}
}

// record is how calls begin their recordings.
func (a *App) record() exchange.Recorder {
	if a.recorder == nil {
		return nil
	}
	return func(c record.Call, now time.Time) (exchange.Recording, error) { return a.recorder.Start(c, now) }
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

func (a *App) tell(d *desk.Directory, event string, fields map[string]string) {
	fields["event"], fields["at"] = event, time.Now().Format(time.RFC3339Nano)
	a.stores.publish(d, fields)
}

// Start opens the sockets. On an error nothing is left running.
func (a *App) Start() error {
	a.stores.start()
	if err := a.ua.Start(); err != nil {
		a.Stop()
		return fmt.Errorf("app: %w", err)
	}
	a.trunks.Start()
	if err := a.api.Start(); err != nil {
		a.Stop()
		return fmt.Errorf("app: %w", err)
	}
	return nil
}

// Stop takes the parts down in reverse and waits for them.
func (a *App) Stop() {
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

// Run is the switch from start to stop: it returns when ctx ends, or when it
// could not start.
func Run(ctx context.Context, cfg *configs.Config, log *slog.Logger) error {
	a, err := New(cfg, log)
	if err != nil {
		return err
	}
	if err := a.Start(); err != nil {
		return err
	}
	log.Info("ready", "node", cfg.Node, "what", cfg.Summary())
	<-ctx.Done()
	log.Info("stopping")
	a.Stop()
	return nil
}
