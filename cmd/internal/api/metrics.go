package api

import (
	"github.com/prometheus/client_golang/prometheus"
	"runtime"
	"time"

	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/journal"
	"liandong/routing/push"
)

// gauges reads the parts' own figures when Prometheus asks; nothing is counted
// twice.
type gauges struct{ sw Switch }

// figures are what one part adds to the metrics page, each with the same labels.
type figures struct {
	out    chan<- prometheus.Metric
	labels prometheus.Labels
}

func (f figures) put(name, help string, kind prometheus.ValueType, v float64) {
	f.out <- prometheus.MustNewConstMetric(prometheus.NewDesc("liandong_"+name, help, nil, f.labels), kind, v)
}

// now is a figure that rises and falls.
func (f figures) now(name, help string, v float64) { f.put(name, help, prometheus.GaugeValue, v) }

// total is one that only rises.
func (f figures) total(name, help string, v float64) { f.put(name, help, prometheus.CounterValue, v) }

// journalled are the figures of what outlives the process.
func journalled(j journal.Stats, to figures) {
	failing := 0.0
	if j.Failing != nil {
		failing = 1
	}
	to.total("journal_writes_total", "Records written to the journal of calls.", float64(j.Writes))
	to.total("journal_bytes_total", "Bytes of them.", float64(j.Bytes))
	to.total("journal_seconds_total", "Time that writing them took.", j.Busy.Seconds())
	to.total("journal_calls_seconds_total", "Time that storing calls took, making and writing their records.",
		j.Storing.Seconds())
	to.total("journal_failures_total", "Records that are not in the journal.", float64(j.Failures))
	to.now("journal_failing", "1: the journal cannot be written now, and a call would not outlive the process.",
		failing)
	to.now("journal_damaged", "Records of the process before that could not be read.", float64(j.Damaged))
	to.now("journal_values", "What the journal knows now: calls, phones, trunks, lamps.", float64(j.Live))
	to.now("journal_size_bytes", "Size of the journal's file.", float64(j.Size))
}

// Describe is empty: which figures there are is seen when they are read.
func (gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads all figures.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	to := figures{out: out}
	g.calls(to)
	if g.sw.Cluster != nil {
		streamed(g.sw.Cluster, to)
	}
	if g.sw.Journal != nil {
		journalled(g.sw.Journal.Stats(), to)
	}
	to.now("goroutines", "Goroutines of the process: one a call, and a few.", float64(runtime.NumGoroutine()))
	for _, one := range g.sw.Stores {
		one.collect(out)
	}
	g.signalling(to)
	g.trunks(out)
	g.sound(to)
	g.recordings(to)
	g.traces(to)
	if g.sw.SelfTest != nil {
		for line, ok := range g.sw.SelfTest() {
			out <- prometheus.MustNewConstMetric(selfTestDesc, prometheus.GaugeValue, flag(ok), line)
		}
	}
}

// calls are the figures of calls, seats and lamps.
func (g gauges) calls(to figures) {
	c := g.sw.Calls.Stats()
	to.now("calls", "Calls that are on.", float64(c.Live))
	to.total("calls_total", "Calls since the start.", float64(c.Total))
	to.total("call_panics_total", "Events of a call that were dropped because of a bug.", float64(c.Panics))
	to.total("call_states_illegal_total", "States of calls that no call can be in, which is a bug.", float64(c.Astray))
	to.now("calls_restored", "Calls of the process before that this one has gone on with.", float64(c.Restored))
	to.now("calls_lost", "Calls of the process before that could not go on: their parties were let go.",
		float64(c.Lost))
	to.now("seats_busy", "Seats that ring or talk.", float64(c.SeatsBusy))
	n := c.Subscribers
	to.now("subscriptions", "Lamps that phones watch.", float64(n.On))
	to.total("subscriptions_refused_total", "SUBSCRIBEs refused.", float64(n.Refused))
	to.total("subscriptions_silent_total", "Subscriptions that ended as the phone did not answer.", float64(n.Silent))
	to.total("notifies_total", "NOTIFYs sent to subscribers, without repetitions.", float64(n.Sent))
}

func (g gauges) signalling(to figures) {
	u := g.sw.UA.Stats()
	to.total("sip_received_total", "SIP messages received.", float64(u.Received))
	to.total("sip_sent_total", "SIP messages sent.", float64(u.Sent))
	to.total("sip_malformed_total", "SIP messages that could not be read.", float64(u.Malformed+u.Garbage))
	to.total("sip_strangers_total", "Requests of nobody we know, and all that came from addresses not allowed.",
		float64(u.Strangers))
	to.total("sip_denied_total", "Wrong passwords.", float64(u.Denied))
	to.total("sip_send_errors_total", "SIP messages that could not be sent.", float64(u.SendErrors))
	to.total("sip_tls_failed_total", "TLS handshakes that failed, with phones or trunks.", float64(u.Handshakes))
	to.now("sip_registrations", "Phones registered.", float64(u.Bindings))
	to.now("overload", "1 while new calls are refused for want of time.", flag(u.Overloaded))
	to.now("overload_waiting", "New calls that wait until there is time for them.", float64(u.Waiting))
	for name, n := range u.Shed {
		to.out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(n), name)
	}
	for network, end := range u.Certificates {
		to.out <- prometheus.MustNewConstMetric(certificateDesc, prometheus.GaugeValue, time.Until(end).Seconds(),
			network)
	}
}

func (g gauges) sound(to figures) {
	e := g.sw.Engine.Stats()
	media(e, to)
	for network, q := range e.Quality {
		sendQuality(to.out, network, q)
	}
	to.labels = prometheus.Labels{"path": e.Transport}
	to.now("media_transport", "1, with the way in which datagrams are moved as a label.", 1)
}

// traces are the figures of what is kept of calls' messages, in memory, on the disk and by a Homer.
func (g gauges) traces(to figures) {
	t := g.sw.Traces.Stats()
	to.now("trace_calls", "Calls of which messages or events are kept in memory.", float64(t.Calls))
	to.now("trace_bytes", "Bytes that they take.", float64(t.Bytes))
	to.total("trace_dropped_total", "Messages and events that have made room for newer ones.", float64(t.Dropped))
	size, late := g.sw.Traces.DiskStats()
	to.now("trace_disk_bytes", "Bytes of calls' messages on disk.", float64(size))
	to.total("trace_disk_dropped_total", "Messages and events that the disk has not taken.", float64(late))
	sent, dropped := g.sw.Homer.Stats()
	to.total("hep_sent_total", "SIP messages sent to the Homer.", float64(sent))
	to.total("hep_dropped_total", "SIP messages that it, or the way to it, did not take.", float64(dropped))
}

var refusedDesc = prometheus.NewDesc("liandong_overload_refused_total",
	"New calls refused for want of time; without a trunk: of nobody we know.", []string{"trunk"}, nil)

var selfTestDesc = prometheus.NewDesc("liandong_selftest_ok",
	"1 while the switch takes its own calls to the line, 0 when two in a row have failed.", []string{"hotline"}, nil)

// collect reads the figures of one Redis. With several of them each has its name as a label.
func (one Store) collect(out chan<- prometheus.Metric) {
	var labels prometheus.Labels
	if one.Name != "" {
		labels = prometheus.Labels{"redis": one.Name}
	}
	to := figures{out, labels}
	o := one.Outbox.Stats()
	to.now("outbox_waiting", "Ticket entries that Redis does not have yet.", float64(o.Waiting))
	to.now("outbox_bytes", "Bytes of entries on disk.", float64(o.Bytes))
	to.now("outbox_room_ratio",
		"Part of the outbox's limit that is still free: 1 empty, 0 full. Less also when the file system has less room.",
		o.Free())
	to.now("outbox_kept", "Ticket entries that Redis has confirmed, on disk until it has them safely.", float64(o.Kept))
	to.now("outbox_damaged", "1 when the outbox file was damaged at the start, or lacked entries, see the log.",
		flag(o.PutAside != "" || o.Missing > 0))
	to.now("outbox_missing", "Ticket entries that were on disk and were not there any more at the start.",
		float64(o.Missing))
	to.total("outbox_revived_total", "Ticket entries that Redis had confirmed and lost, sent again.",
		float64(o.Revived))
	to.total("outbox_shipped_total", "Ticket entries appended to a stream.", float64(o.Shipped))
	to.total("outbox_dropped_total", "Ticket entries lost.", float64(o.Dropped))
	to.total("outbox_disk_errors_total", "Writes to the outbox file that failed.", float64(o.DiskErrors))
	to.now("redis_up", "1 while Redis takes entries.", flag(o.RedisUp))
	to.now("redis_keeps", "1 when Redis says that it keeps what it is given over its own end, 0 when not or not known.",
		flag(o.RedisKeeps))
	to.now("disk_up", "1 while the outbox file takes entries.", flag(o.DiskUp))
	l := one.Ledger.Stats()
	to.now("ledger_leading", "1 while this switch keeps the state of the matters, for all that share the Redis.",
		flag(l.Leading))
	to.total("ledger_applied_total", "Ticket entries and updates taken in.", float64(l.Applied))
	to.total("ledger_dead_total", "Updates refused, see liandong:updates:dead.", float64(l.Dead))
	to.total("ledger_alarms_total", "Reminders, overdue and supervised entries and the like that were written.",
		float64(l.Alarms))
	ofLine := func(name, help string, n int64, line string) {
		desc := prometheus.NewDesc("liandong_"+name, help, []string{"hotline"}, labels)
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), line)
	}
	for line, n := range l.Matters {
		ofLine("matters_open", "Matters of which somebody still has to do something.", n.Open, line)
		ofLine("matters_overdue", "Open matters whose next step is late.", n.Overdue, line)
	}
	for _, p := range one.Push {
		one.pushed(p, out)
	}
	if one.Shared != nil {
		shared(one.Shared.Stats(), one.Seats.Stats(), to)
	}
}

// pushed are the figures of a receiver of ticket entries.
func (one Store) pushed(p *push.Pusher, out chan<- prometheus.Metric) {
	labels := prometheus.Labels{"webhook": p.Name()}
	if one.Name != "" {
		labels["redis"] = one.Name
	}
	to := figures{out, labels}
	st := p.Stats()
	to.now("push_up", "1 while a receiver of ticket entries takes them.", flag(st.Up))
	to.total("push_delivered_total", "Ticket entries that a receiver has taken.", float64(st.Delivered))
	to.total("push_failures_total", "Attempts to deliver an entry that failed.", float64(st.Failed))
	to.total("push_refused_total", "Ticket entries that a receiver will not have.", float64(st.Refused))
}

var certificateDesc = prometheus.NewDesc("liandong_sip_certificate_seconds",
	"Seconds until the certificate of a network expires.", []string{"network"}, nil)
var trunkDesc = prometheus.NewDesc("liandong_trunk_up", "1 while calls are sent to the target of a trunk at first.",
	[]string{"trunk", "target"}, nil)

var registeredDesc = prometheus.NewDesc("liandong_trunk_registered",
	"1 while a trunk at which the switch registers has it registered.", []string{"trunk"}, nil)

func (g gauges) trunks(out chan<- prometheus.Metric) {
	for name, up := range g.sw.Trunks.Registrations() {
		out <- prometheus.MustNewConstMetric(registeredDesc, prometheus.GaugeValue, flag(up), name)
	}
	for _, t := range g.sw.Trunks.Stats() {
		out <- prometheus.MustNewConstMetric(trunkDesc, prometheus.GaugeValue, flag(t.Up), t.Trunk, t.Target)
	}
}

func (g gauges) recordings(to figures) {
	var r record.Stats
	if g.sw.Recordings != nil {
		r = g.sw.Recordings.Stats()
	}
	to.now("recordings", "Calls that are being recorded.", float64(r.On))
	to.total("recordings_closed_total", "Recordings closed.", float64(r.Closed))
	to.total("recordings_interrupted_total", "Recordings that the end of an earlier run had left open, closed now.",
		float64(r.Interrupted))
	to.total("recordings_failed_total", "Recordings that ended before their time: the disk is full or broken.",
		float64(r.Failures))
	to.total("recordings_deleted_total", "Recordings deleted, for their age or for room.",
		float64(r.DeletedAge+r.DeletedShare))
	to.total("recording_bytes_total", "Bytes of recordings written.", float64(r.Bytes))
	to.total("recording_dropped_packets_total",
		"Packets that are missing in closed recordings because the disk was behind.", float64(r.Dropped))
	to.total("recording_errors_total", "Other trouble with files of recordings, see the log.", float64(r.Errors))
	to.now("recording_disk_ratio", "Part of the file system that recordings take, 0 to 1.", r.Share)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func media(e engine.Stats, to figures) {
	to.now("media_legs", "Legs with an RTP port.", float64(e.Legs))
	to.now("media_carried_legs", "Legs to whom the kernel relays.", float64(e.Carried))
	to.total("media_packets_in_total", "RTP packets received.", float64(e.PacketsIn))
	to.total("media_packets_out_total", "RTP packets sent.", float64(e.PacketsOut))
	to.total("media_strangers_total", "RTP packets from another source than the locked one.", float64(e.Strangers))
	to.total("media_forged_total", "SRTP packets that were refused: not by the party's key, or heard before.",
		float64(e.Forged))
	to.total("media_late_ticks_total", "20 ms ticks that began late.", float64(e.LateTicks))
	to.total("media_skipped_ticks_total", "20 ms ticks that were left out after a stall.", float64(e.SkippedTicks))
	to.total("media_silences_total", "Times a party had nothing to hear for a second.", float64(e.Silences))
	to.total("media_lost_total", "Times nothing came from a party for the media timeout.", float64(e.MediaLost))
	free := 0
	for _, p := range e.Ports {
		free += p.Free
	}
	to.now("media_ports_free", "RTP port pairs that are free.", float64(free))
	to.total("media_refused_total", "Parties for whom there was no RTP port or no open file: their call got 503.",
		float64(e.Refused))
}

// How a network's legs sound; an observation is five seconds of one leg. in is what comes
// from the phones, out what they report of what they get.
var (
	rttDesc = prometheus.NewDesc("liandong_media_rtt_seconds", "Round trip to the parties.", []string{"network"},
		nil)
	lossDesc   = heardDesc("media_loss_ratio", "Part of the packets that was lost.")
	jitterDesc = heardDesc("media_jitter_seconds", "Interarrival jitter.")
	mosDesc    = heardDesc("media_mos", "Estimated mean opinion score (ITU-T G.107).")
)

func heardDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("liandong_"+name, help, []string{"network", "direction"}, nil)
}

func sendQuality(out chan<- prometheus.Metric, network string, q engine.QualityStats) {
	put := func(desc *prometheus.Desc, h engine.Histogram, labels ...string) {
		out <- prometheus.MustNewConstHistogram(desc, h.Count, h.Sum, h.Buckets, labels...)
	}
	put(rttDesc, q.RTT, network)
	for direction, d := range map[string]engine.DirectionStats{"in": q.In, "out": q.Out} {
		put(lossDesc, d.Loss, network, direction)
		put(jitterDesc, d.Jitter, network, direction)
		put(mosDesc, d.MOS, network, direction)
	}
}
