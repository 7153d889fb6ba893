// Package configs reads the YAML file in which an admin describes a switch: its networks, trunks, hotlines and phones.
//
// Reading is strict. An unknown key, a wrong type, a seat that names no hotline: each is reported with file, line,
// column, key and what is allowed, and all of them in one run, in Chinese or English. What Load returns can be handed
// on without further questions: Directory, UA, Engine and Outbox give each package of the switch its part.
//
// The field tags are the schema. yaml names the key; is, oneof, min and max say what is allowed; keys says it for
// the names in a table; need:"yes" marks what has no default.
package configs

import (
	"crypto/tls"
	"net/netip"
	"time"

	"liandong/media/codec"
	"liandong/media/prompt"
	"liandong/routing/category"
	"liandong/routing/desk"
	"liandong/routing/matter"
)

// Config is a whole file. Immutable once loaded.
type Config struct {
	Lang     string              `yaml:"lang" oneof:"zh en"`   // of messages and pages
	Node     string              `yaml:"node" is:"name"`       // this switch among several
	Log      Log                 `yaml:"log"`                  //
	Networks map[string]*Network `yaml:"networks" keys:"name"` // sides of the boundary, by name
	// what an unknown INVITE gets, where its network does not say
	Strangers string `yaml:"strangers" oneof:"drop 403"`
	// what every party is offered, in this order
	Codecs   []codec.ID          `yaml:"codecs"`
	Realm    string              `yaml:"realm" is:"realm"`   // digest realm of the phones
	Trunks   map[string]*Trunk   `yaml:"trunks" keys:"name"` // neighbours, by name
	Hotlines map[string]*Hotline `yaml:"hotlines" keys:"id"` // lines, by id
	Phones   map[string]*Phone   `yaml:"phones" keys:"user"` // desks, by the user they register as
	Keys     map[string]string   `yaml:"keys" is:"verb"`     // key code → verb
	// number that phones transfer to → verb
	Services map[string]string `yaml:"services" keys:"service" is:"verb"`
	// why a desk is not ready, as pages offer it
	NotReadyReasons []string `yaml:"not_ready_reasons" is:"name"`
	// where a verb goes on that a phone dials on its second line
	SecondLine string               `yaml:"second_line" oneof:"move stay"`
	Categories map[string]*Category `yaml:"categories" keys:"digits"` // by code
	// tables like categories, in files of their own
	CategoryFiles []string `yaml:"category_files" is:"path"`
	Numbers       Numbers  `yaml:"numbers"`           //
	Emergency     string   `yaml:"emergency" is:"id"` // hotline of urgent stubs
	// at once, more are refused; a tenth is for the emergency line alone; 0: any number
	MaxCalls   int        `yaml:"max_calls" min:"0" max:"100000"`
	Prompts    Prompts    `yaml:"prompts"`        //
	Redis      Redis      `yaml:"redis"`          //
	Store      Outbox     `yaml:"outbox"`         //
	Matters    Matters    `yaml:"matters"`        //
	Zone       string     `yaml:"zone" is:"zone"` // by which days and hours are counted
	Indicators Indicators `yaml:"indicators"`     //
	Hotspots   Hotspots   `yaml:"hotspots"`       //
	Streams    Streams    `yaml:"streams"`        //
	// who gets ticket entries by HTTP, by name
	Webhooks    map[string]*Webhook `yaml:"webhooks" keys:"name"`
	Recording   RecordingStore      `yaml:"recording"` //
	Trace       Trace               `yaml:"trace"`     //
	CallRecords CallRecords         `yaml:"records"`   //
	Audit       Audit               `yaml:"audit"`     //
	HTTP        HTTP                `yaml:"http"`      //
	Media       Media               `yaml:"media"`     //
	Timers      Timers              `yaml:"timers"`    //
	// of what a running switch needs; "": see Run
	RunDir   string   `yaml:"run_dir" is:"dir"`
	Shutdown Shutdown `yaml:"shutdown"` //
	SelfTest SelfTest `yaml:"selftest"` //
	Cluster  Cluster  `yaml:"cluster"`  //

	users    []string        // of the phones, in order; see [Config.inOrder]
	known    category.List   // the categories of the file and of those that it names
	library  *prompt.Library // the clips, loaded with the file
	files    files           // where the files are that are read again while the switch runs
	sources  sources         // what it was read from; nil: built in code, or from a text
	read     time.Time       // when
	warnings Problems        // what does no harm yet
	advised  Problems        // those of them that say that calls will go wrong
}

// Log says how much is logged, and in which form.
type Log struct {
	Level  string `yaml:"level" oneof:"debug info warn error"`
	Format string `yaml:"format" oneof:"text json"`
}

// Network is one side of the boundary: own addresses for signalling and sound.
type Network struct {
	SIP SIP `yaml:"sip"`
	RTP RTP `yaml:"rtp"`
	// whether its phones register by TLS; "": preferred where there is sip.tls
	TLS  string `yaml:"tls" oneof:"required preferred off"`
	SRTP string `yaml:"srtp" oneof:"required preferred off"` // of its phones and trunks; "": off
	// what its parties are offered, in this order; none: as everywhere
	Codecs []codec.ID     `yaml:"codecs"`
	Allow  []netip.Prefix `yaml:"allow"` // whence phones may come; empty: from anywhere
	HTTP   Web            `yaml:"http"`  // of its own, for its lines alone
	// of the hotlines that stand here; without a URL: the one for all
	Redis Redis `yaml:"redis"`

	Strangers string `yaml:"strangers" oneof:"drop 403"` // what an unknown INVITE gets here; "": as everywhere
}

// SIP is where signalling is heard. A zero address is off.
type SIP struct {
	UDP      netip.AddrPort `yaml:"udp"`
	TCP      netip.AddrPort `yaml:"tcp"`
	TLS      netip.AddrPort `yaml:"tls"`
	CertFile string         `yaml:"cert_file" is:"path"` // of tls, PEM, read again when it changes, as the other two
	KeyFile  string         `yaml:"key_file" is:"path"`  //
	// given: trunks that call by TLS show a certificate of one of these
	ClientCA  string `yaml:"client_ca" is:"path"`
	Advertise string `yaml:"advertise" is:"host"` // written in Contact and Via; "": the address heard on
}

// RTP is where sound is sent and received.
type RTP struct {
	Address   netip.Addr `yaml:"address" need:"yes"`
	Ports     Ports      `yaml:"ports" need:"yes"`
	Advertise netip.Addr `yaml:"advertise"` // written in SDP; zero: Address
	Jitter    Jitter     `yaml:"jitter"`
	// whose sound is taken: of whom SIP names, or of all that allow names; "": sip
	Latch string `yaml:"latch" oneof:"sip allow"`
}

// Jitter bounds how long the sound of a party who is mixed waits, so that late packets are in time.
type Jitter struct {
	Min time.Duration `yaml:"min" min:"20ms" max:"500ms"` // zero: the engine's own
	Max time.Duration `yaml:"max" min:"40ms" max:"500ms"`
}

// Ports is a range of UDP ports, both ends included.
type Ports struct{ Min, Max uint16 }

// Trunk is a neighbour known by its address.
type Trunk struct {
	Network string         `yaml:"network" is:"name"`
	Match   []netip.Prefix `yaml:"match"`
	Target  string         `yaml:"target" is:"hostport"`
	Targets []*Target      `yaml:"targets"`         // several instead
	SRV     string         `yaml:"srv" is:"domain"` // or a domain whose SRV records name them
	// between two OPTIONS that ask a target whether it is there; 0: none
	Options   time.Duration `yaml:"options" min:"0s" max:"1h"`
	Transport string        `yaml:"transport" oneof:"udp tcp tls"`
	// of tls: who has signed its certificate; "": as the system has it
	CAFile string `yaml:"ca_file" is:"path"`
	SRTP   string `yaml:"srtp" oneof:"required preferred off"` // "": as its network
	// of tls: what its certificate is made out to; "": the host of target
	ServerName  string `yaml:"server_name" is:"host"`
	Trusted     bool   `yaml:"trusted"`
	From        string `yaml:"from" oneof:"original own"`
	OwnNumber   string `yaml:"own_number" is:"number"`
	PAI         bool   `yaml:"pai"`
	Diversion   bool   `yaml:"diversion"`
	HistoryInfo bool   `yaml:"history_info"`
	MaxCalls    int    `yaml:"max_calls" min:"0" max:"100000"` // from it at once, more are refused; 0: any number
	// register there as username, for so long each time; 0: not
	Register     time.Duration `yaml:"register" min:"0s" max:"24h"`
	Username     string        `yaml:"username" is:"text"`
	Password     desk.Secret   `yaml:"password"`
	PasswordFile string        `yaml:"password_file" is:"path"`
}

// Target is one address of a trunk, as RFC 2782 explains both numbers.
type Target struct {
	Address  string `yaml:"address" is:"hostport" need:"yes"`
	Priority int    `yaml:"priority" min:"0" max:"65535"` // the lowest is tried first
	Weight   int    `yaml:"weight" min:"0" max:"65535"`   // share of the calls among equals
}

// Hotline is one line of the linkage.
type Hotline struct {
	Name        string        `yaml:"name" is:"text"`
	Numbers     []string      `yaml:"numbers" is:"called" need:"yes"`
	Network     string        `yaml:"network" is:"name"`
	Seats       []string      `yaml:"seats" is:"user"`
	Supervisors []string      `yaml:"supervisors" is:"user"` // whose phones may look after its calls
	Ring        string        `yaml:"ring" oneof:"all in_order longest_idle"`
	RingEach    time.Duration `yaml:"ring_each" min:"1s" max:"5m"`
	NoAnswer    time.Duration `yaml:"no_answer" min:"1s" max:"5m"`
	// after a call, until the seat is rung again; 0: at once
	AfterCall time.Duration `yaml:"after_call" min:"0s" max:"30m"`
	// so often in a row a seat rings in vain, and is not ready then; 0: it stays ready
	UnansweredLimit int `yaml:"unanswered_limit" min:"0" max:"100"`
	// what becomes of a seat that is not ready when no ready one is free; "": last_resort of emergency lines
	NotReady         string        `yaml:"not_ready" oneof:"skip last_resort"`
	Trunk            string        `yaml:"trunk" is:"name"`
	TrunkNumber      string        `yaml:"trunk_number" is:"number"`
	Partner          string        `yaml:"partner" is:"id"`
	Transfer         Transfer      `yaml:"transfer"`
	Callback         Callback      `yaml:"callback"`
	Queue            Queue         `yaml:"queue"`
	Prompts          Roles         `yaml:"prompts"`
	Recording        LineRecording `yaml:"recording"`
	RevealRestricted bool          `yaml:"reveal_restricted"`
	Spool            Spool         `yaml:"spool"`
}

// Transfer is whom, other than lines and seats, the phones of a hotline may transfer a caller to.
type Transfer struct {
	Numbers []string `yaml:"numbers" is:"range"`
	Trunk   string   `yaml:"trunk" is:"name"`
}

// Callback is by which trunk desks of a hotline call citizens back whose calls were missed.
type Callback struct {
	Trunk  string `yaml:"trunk" is:"name"`
	Number string `yaml:"number" is:"number"` // of the line, which the citizen sees; "": the first of numbers
}

// Spool is how entries and updates go to and from the switch at which a line stands: by files that a gatekeeper
// carries.
type Spool struct {
	Send    string `yaml:"send" is:"dir"`    // folder whose files come to the other side
	Receive string `yaml:"receive" is:"dir"` // folder where the other side's files come
	State   string `yaml:"state" is:"dir"`   // folder of this side alone
	// both sides have it; with a space between, further ones that are believed
	Key     desk.Secret `yaml:"key"`
	KeyFile string      `yaml:"key_file" is:"path"`
}

// LineRecording says which calls of a hotline are recorded.
type LineRecording struct {
	Mode     string `yaml:"mode" oneof:"off always key"`
	Announce string `yaml:"announce" is:"name"` // clip that all parties hear when it begins; "none": no clip
}

// Queue is where a first call waits for a free seat.
type Queue struct {
	MaxWait  time.Duration `yaml:"max_wait" min:"1s" max:"1h"`
	MaxCalls int           `yaml:"max_calls" min:"0" max:"1000"`
	Answer   bool          `yaml:"answer"`
	Overflow Overflow      `yaml:"overflow"`
}

// Overflow is where a call goes that the queue did not keep.
type Overflow struct {
	Hotline string `yaml:"hotline" is:"id"`
	Trunk   string `yaml:"trunk" is:"name"`
	Number  string `yaml:"number" is:"number"`
}

// Phone is a desk's phone and its seat.
type Phone struct {
	Hotline      string      `yaml:"hotline" is:"id"`
	Name         string      `yaml:"name" is:"text"`
	Network      string      `yaml:"network" is:"name"`
	Password     desk.Secret `yaml:"password"`
	PasswordFile string      `yaml:"password_file" is:"path"`
	// any: both are offered; some older phones want to be offered MD5 alone
	Digest string `yaml:"digest" oneof:"any SHA-256 MD5"`
	TLS    string `yaml:"tls" oneof:"required preferred off"`  // "": as its network
	SRTP   string `yaml:"srtp" oneof:"required preferred off"` // "": as its network
	// what it is offered, in this order; none: as its network
	Codecs []codec.ID `yaml:"codecs"`
}

// Category is a kind of matter: who handles it, and how. A bare word is its name.
type Category struct {
	Name     string   `yaml:"name" is:"text" need:"yes"`
	Owner    string   `yaml:"owner" is:"id"` // the hotline whose matter it is
	Keywords []string `yaml:"keywords" is:"text"`
	Modes    []string `yaml:"modes" oneof:"direct three_way ticket_only"` // how it should go over; empty: any way
	// at the least; critical: the emergency line is told at once
	Urgency string `yaml:"urgency" oneof:"normal urgent critical"`
	Answer  string `yaml:"answer" is:"prose"` // what a desk may say to the citizen
}

// Numbers is the number plan.
type Numbers struct {
	AreaCode string `yaml:"area_code" is:"area"`
}

// Prompts are the clips and the occasions on which they are heard.
type Prompts struct {
	// clip name → WAV file; adds to the shipped ones or takes their place
	Files map[string]string `yaml:"files" keys:"name" is:"path"`
	Roles
}

// Roles name a clip for each occasion, as desk.Prompts explains them. "none" is silence; "" in a hotline: as for all.
type Roles struct {
	Handover   string `yaml:"handover" is:"name"`
	Failed     string `yaml:"failed" is:"name"`
	TakerGone  string `yaml:"taker_gone" is:"name"`
	Conference string `yaml:"conference" is:"name"`
	Left       string `yaml:"left" is:"name"`
	Wait       string `yaml:"wait" is:"name"`
	Sorry      string `yaml:"sorry" is:"name"`
	Music      string `yaml:"music" is:"name"`
	Ringback   string `yaml:"ringback" is:"name"`
	Busy       string `yaml:"busy" is:"name"`
	Confirm    string `yaml:"confirm" is:"name"`
	Refuse     string `yaml:"refuse" is:"name"`
	Already    string `yaml:"already" is:"name"`
}

// Redis is where ticket entries are shipped. The URL may hold a password, hence a secret.
type Redis struct {
	URL          desk.Secret `yaml:"url"`
	Password     desk.Secret `yaml:"password"`
	PasswordFile string      `yaml:"password_file" is:"path"`
	// of rediss://: who has signed for the server; "": as the system has it
	CAFile   string `yaml:"ca_file" is:"path"`
	CertFile string `yaml:"cert_file" is:"path"` // what the switch shows, for a server that asks
	KeyFile  string `yaml:"key_file" is:"path"`  //

	tls *tls.Config // what the files hold; nil without any
}

// Outbox is the file that holds entries until Redis has them.
type Outbox struct {
	Path  string        `yaml:"path" is:"path"`
	MaxMB int           `yaml:"max_mb" min:"1" max:"1048576"`
	Keep  time.Duration `yaml:"keep" min:"0s" max:"2160h"` // what Redis has confirmed, where it may lose it
}

// Matters is what happens to a matter after the call: how long a ticket system may take, and how long its state is
// kept.
type Matters struct {
	KeepOpen   time.Duration `yaml:"keep_open" min:"1h" max:"87600h"`   // since the last change
	KeepClosed time.Duration `yaml:"keep_closed" min:"1h" max:"87600h"` //
	Limits
	Remind    time.Duration `yaml:"remind" min:"0s" max:"8760h"`    // before a step is due; 0: never
	Supervise time.Duration `yaml:"supervise" min:"0s" max:"8760h"` // after it was due; 0: never
	Calendar  Calendar      `yaml:"calendar"`                       // when people work; none: day and night
	// when matters assigned twice are looked at, each day; none: never
	Recheck string `yaml:"recheck" is:"clock"`
	// of the line that takes the matter; before those for all
	Hotlines   map[string]*Limits `yaml:"hotlines" keys:"id"`
	Categories map[string]*Limits `yaml:"categories" keys:"digits"` // before those of the line
}

// Limits are the times within which a step is due, as matter.Limits explains them. 0: none, or as said more generally.
type Limits struct {
	Receive       time.Duration `yaml:"receive" min:"0s" max:"8760h"`
	Sign          time.Duration `yaml:"sign" min:"0s" max:"8760h"`
	FirstFeedback time.Duration `yaml:"first_feedback" min:"0s" max:"8760h"`
	Close         time.Duration `yaml:"close" min:"0s" max:"8760h"`
	Counts        string        `yaml:"counts" oneof:"clock calendar"` // "": by the calendar if there is one
}

// Calendar is when people work, in the config's zone.
type Calendar struct {
	Hours    []matter.Span  `yaml:"hours"`
	Days     []string       `yaml:"days" oneof:"mon tue wed thu fri sat sun"`
	Holidays []matter.Dates `yaml:"holidays"`
	Workdays []matter.Dates `yaml:"workdays"` // although they are no such day
}

// Indicators are the sums of each line and hour, and what is made of them.
type Indicators struct {
	// what the diversion rate is a share of, as indicator.Diversion explains it
	Diversion string        `yaml:"diversion" oneof:"calls due"`
	KeepDays  time.Duration `yaml:"keep_days" min:"24h" max:"87600h"`  // how long the sums of a day stay
	KeepHours time.Duration `yaml:"keep_hours" min:"24h" max:"87600h"` // and of an hour
}

// Hotspots says from how many reports on a place or a person is raised.
type Hotspots struct {
	Place  Reports `yaml:"place"` // of one category
	Person Reports `yaml:"person"`
}

// Reports are numbers within a day, 7 and 30 days. 0: never.
type Reports struct {
	Day   int `yaml:"day" min:"0" max:"1000"`
	Week  int `yaml:"week" min:"0" max:"1000"`
	Month int `yaml:"month" min:"0" max:"1000"`
}

// Streams says how long the ticket streams may get. What one of the groups has yet to acknowledge stays in any case.
type Streams struct {
	// older entries may go; 0: none for their age
	Keep time.Duration `yaml:"keep" min:"0s" max:"87600h"`
	// of more the oldest may go; 0: none for their number
	MaxEntries int      `yaml:"max_entries" min:"0" max:"1000000000"`
	Groups     []string `yaml:"groups"` // consumer groups of the ticket systems
}

// RecordingStore is where recordings are kept, and for how long.
type RecordingStore struct {
	Dir  string `yaml:"dir" is:"dir"`
	Days int    `yaml:"days" min:"0" max:"36500"` // older ones are deleted; 0: none
	// percent of the file system; above it the oldest are deleted; 0: none
	MaxShare int `yaml:"max_share" min:"0" max:"100"`
	// seals them; with a space between, keys that seal no longer and still open
	Key     desk.Secret `yaml:"key"`
	KeyFile string      `yaml:"key_file" is:"path"`
}

// CallRecords are files with a line for each call that has ended.
type CallRecords struct {
	Dir  string `yaml:"dir" is:"dir"`             // "": none is kept
	Days int    `yaml:"days" min:"0" max:"36500"` // older ones are deleted; 0: none
}

// Audit is the trail of what people have done: files to which lines are only appended, and a stream.
type Audit struct {
	Dir  string `yaml:"dir" is:"dir"`             // "": no file is kept
	Days int    `yaml:"days" min:"0" max:"36500"` // older files are deleted; 0: none
	// the network whose Redis has it as a stream as well; "": the only one, or none of several
	Network string `yaml:"network" is:"name"`
}

// HTTP is the interface for phones' action URLs, desk applications, metrics and health.
type HTTP struct {
	Listen []netip.AddrPort `yaml:"listen" single:"yes"` // none: off
	// given: by HTTPS; PEM, read again when it changes, as the other
	CertFile  string             `yaml:"cert_file" is:"path"`
	KeyFile   string             `yaml:"key_file" is:"path"` //
	Hosts     []string           `yaml:"hosts" is:"host"`    // names by which it may be asked, beside its addresses
	Token     desk.Secret        `yaml:"token"`              // whoever brings it may do everything
	TokenFile string             `yaml:"token_file" is:"path"`
	Allow     []netip.Prefix     `yaml:"allow"`              // who may do everything without the token
	Access    map[string]*Access `yaml:"access" keys:"name"` // who else may do something, by name
	Console   Console            `yaml:"console"`
	Users     map[string]*User   `yaml:"users" keys:"name"` // who signs in to the console
}

// Access is what somebody may do by HTTP, who is known by a token, by the address, or by both together.
type Access struct {
	Role      string         `yaml:"role" oneof:"monitor desk supervisor admin" need:"yes"`
	Hotlines  []string       `yaml:"hotlines" is:"id"` // of desk and supervisor: the lines
	Token     desk.Secret    `yaml:"token"`
	TokenFile string         `yaml:"token_file" is:"path"`
	From      []netip.Prefix `yaml:"from"`
}

// Console is where people look at the switch, with a browser.
type Console struct {
	Listen   []netip.AddrPort `yaml:"listen" single:"yes"` // none: off
	CertFile string           `yaml:"cert_file" is:"path"` // given: by HTTPS
	KeyFile  string           `yaml:"key_file" is:"path"`
	// after so long without a sign of them people are signed out
	Idle time.Duration `yaml:"idle" min:"1m" max:"24h"`
}

// bareKey: console: 10.1.0.10:8443 is its address.
func (Console) bareKey() string { return "listen" }

// User is somebody who signs in to the console.
type User struct {
	Role     string   `yaml:"role" oneof:"taker supervisor manager engineer admin" need:"yes"`
	Hotlines []string `yaml:"hotlines" is:"id"` // of taker, supervisor and manager: the lines
	// of a taker: his seat, "": he names it himself; of a supervisor: the phone that is rung for him
	Phone        string      `yaml:"phone" is:"user"`
	Password     desk.Secret `yaml:"password"` // its hash, as liandong passwd prints it
	PasswordFile string      `yaml:"password_file" is:"path"`
}

// Web is the HTTP of one network: whoever comes this way sees the lines that stand there and no others.
type Web struct {
	Listen   netip.AddrPort `yaml:"listen"` // zero: off
	CertFile string         `yaml:"cert_file" is:"path"`
	KeyFile  string         `yaml:"key_file" is:"path"`
}

// bareKey: http: 10.1.0.10:8080 is its address.
func (Web) bareKey() string { return "listen" }

// Media tunes the engine.
type Media struct {
	Shards  int           `yaml:"shards" min:"0" max:"256"` // 0: one per core
	Timeout time.Duration `yaml:"timeout" min:"1s" max:"1h"`
	Silence time.Duration `yaml:"silence" min:"500ms" max:"10s"` // without a sign of a party, before it is asked after

	KernelRelay bool `yaml:"kernel_relay"` // what needs nothing of the switch is relayed by the kernel
	KernelXDP   bool `yaml:"kernel_xdp"`   // and by the drivers of the interfaces (XDP), where they can
}

// Timers are the waits that belong to no single hotline.
type Timers struct {
	KeyGap    time.Duration `yaml:"key_gap" min:"200ms" max:"10s"`
	Settle    time.Duration `yaml:"settle" min:"0s" max:"30s"`
	TrunkRing time.Duration `yaml:"trunk_ring" min:"1s" max:"5m"`
	MaxCall   time.Duration `yaml:"max_call" min:"0s" max:"24h"`
	Session   time.Duration `yaml:"session" min:"0s" max:"24h"`
	MinSE     time.Duration `yaml:"min_se" min:"90s" max:"24h"`
}

// Shutdown is how the switch ends when it is told to.
type Shutdown struct {
	// so long calls may go on by themselves; 0: they are ended at once
	Drain time.Duration `yaml:"drain" min:"0s" max:"24h"`
}

// SelfTest is the call that the switch makes to itself.
type SelfTest struct {
	Every time.Duration `yaml:"every" min:"0s" max:"1h"` // 0: never
}

// Cluster is the pair of machines that carry this switch by turns: the one to which VRRP has moved its addresses does.
// The file is the same on both.
type Cluster struct {
	Machines   []netip.AddrPort `yaml:"machines"` // addresses that stay where they are; none: there is one machine
	Secret     desk.Secret      `yaml:"secret"`   // both have it
	SecretFile string           `yaml:"secret_file" is:"path"`
	// who says which one acts when they do not hear each other
	Witness string `yaml:"witness" oneof:"vrrp redis"`
	// whether several switches know of each other's phones and seats
	Share string `yaml:"share" oneof:"off redis"`
}
