// Package link is the way to Redis, of whatever kind it is: a single server, a Sentinel set or a cluster, with or
// without TLS. It holds nobody up for long when Redis hangs, leaves it to its users to try again, and sends nothing
// that a user with few rights may not.
package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"liandong/routing/desk"
)

// Config says where Redis is. Immutable.
type Config struct {
	// URL names the Redis: redis://user:password@host:port/db, or rediss:// for TLS. Further nodes of a cluster follow
	// as ?addr=host:port&addr=host:port; a Sentinel set is ?master_name=NAME&addr=host:port, with the sentinels as
	// addresses.
	URL      desk.Secret
	Password desk.Secret // instead of the URL's

	TLS *tls.Config // of rediss://: whom to believe, and what to show; nil: the system's authorities, and nothing

	Timeout time.Duration // of one exchange with Redis, and of connecting
}

// Default is a Redis on this machine.
func Default() Config {
	return Config{URL: desk.NewSecret("redis://127.0.0.1:6379/0"), Timeout: 2 * time.Second}
}

// Validate reports every error with its key.
func (c Config) Validate() error {
	var errs []error
	if c.Timeout < 10*time.Millisecond || c.Timeout > time.Minute {
		errs = append(errs, errors.New("redis: timeout: must be 10ms to 1m"))
	}
	if _, err := c.options(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Link is the connection to Redis. Safe for use by several goroutines.
type Link struct {
	mu     sync.Mutex
	opt    *redis.UniversalOptions // guarded by mu
	client redis.UniversalClient   // guarded by mu

	ctx  context.Context // ends with Close
	end  context.CancelFunc
	done sync.WaitGroup // of those that Go has begun
}

// New makes a link that connects when first used.
func New(cfg Config) (*Link, error) {
	opt, err := cfg.options()
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	return &Link{opt: opt, client: redis.NewUniversalClient(opt), ctx: ctx, end: end}, nil
}

// Context ends with Close.
func (l *Link) Context() context.Context { return l.ctx }

// Go runs f on a goroutine of its own, which Close ends by its context and waits for. After Close it does nothing.
func (l *Link) Go(f func(ctx context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() == nil {
		l.done.Go(func() { f(l.ctx) })
	}
}

// Client is what to send commands with. It may be another one the next time.
func (l *Link) Client() redis.UniversalClient {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

// Follow turns to the cluster of which a single address has turned out to be a node (MOVED).
func (l *Link) Follow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opt.IsClusterMode || l.opt.MasterName != "" || l.ctx.Err() != nil {
		return
	}
	opt := *l.opt
	opt.IsClusterMode = true
	old := l.client
	l.opt, l.client = &opt, redis.NewUniversalClient(&opt)
	_ = old.Close()
}

// Sentinel says that sentinels decide which server it is.
func (l *Link) Sentinel() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opt.MasterName != ""
}

// Close ends the connections, and what Go has begun.
func (l *Link) Close() {
	l.mu.Lock()
	l.end()
	_ = l.client.Close()
	l.mu.Unlock()
	l.done.Wait()
}

// stopPatience is for how long an answer that is under way is waited for by who stops.
const stopPatience = 100 * time.Millisecond

// Finish waits for those who have been told to end, and closes what they use. A Redis that hangs holds them up no
// longer than stopPatience: then it is closed under them, and what they had under way fails.
func Finish(wait func(), closes ...func()) {
	all := func() {
		for _, c := range closes {
			c()
		}
	}
	late := time.AfterFunc(stopPatience, all)
	wait()
	late.Stop()
	all()
}

// The library would write to stderr, past the log; its errors come to us anyway.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// options reads the URL. No error quotes it, since it may hold a password.
func (c Config) options() (*redis.UniversalOptions, error) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
		return nil, errors.New("redis: url: must be like redis://host:port/db, or rediss:// for TLS")
	}
	opt, err := parseURL(u)
	if err != nil {
		return nil, fmt.Errorf("redis: url: %w", err)
	}
	if !c.Password.IsZero() {
		opt.Password = c.Password.Reveal()
	}
	if opt.TLSConfig != nil {
		opt.TLSConfig = c.tls(opt)
	}
	c.temper(opt)
	return opt, nil
}

// tls is what each node must prove: the name that it is reached by, which the library fills in where there are several.
func (c Config) tls(o *redis.UniversalOptions) *tls.Config {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		t = c.TLS.Clone()
	}
	if o.MasterName == "" && !o.IsClusterMode {
		t.ServerName = o.TLSConfig.ServerName
	}
	return t
}

// parseURL understands the three kinds of URL that go-redis has.
func parseURL(u *url.URL) (*redis.UniversalOptions, error) {
	switch q := u.Query(); {
	case q.Has("master_name"):
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, err
		}
		return &redis.UniversalOptions{
			Addrs: o.SentinelAddrs, MasterName: o.MasterName, DB: o.DB, TLSConfig: o.TLSConfig,
			Username: o.Username, Password: o.Password,
			SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		}, nil
	case q.Has("addr"):
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, err
		}
		return &redis.UniversalOptions{
			Addrs: o.Addrs, IsClusterMode: true, TLSConfig: o.TLSConfig, Username: o.Username, Password: o.Password,
		}, nil
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	return &redis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, TLSConfig: o.TLSConfig, Username: o.Username, Password: o.Password,
	}, nil
}

// temper keeps a Redis that hangs from holding anybody up for long, and leaves it to us to try again: the library's
// own attempts would only stretch that time. Connections send nothing that a user with few rights may not.
func (c Config) temper(o *redis.UniversalOptions) {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PoolSize, o.PipelinePoolSize = 4, -1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// Deadline bounds one exchange, with the redirections that a cluster may need.
func (c Config) Deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 3*c.Timeout)
}

// Replied says that Redis has answered, if only with an error.
func Replied(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// digits finds what could be a caller's number.
var digits = regexp.MustCompile(`\d{7,}`)

// Plain makes an error fit for the log: replies of Redis may quote what was sent.
func Plain(err error) string {
	text := digits.ReplaceAllString(err.Error(), "*")
	return text[:min(len(text), 200)]
}
