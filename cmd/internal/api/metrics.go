package api

import (
	"github.com/prometheus/client_golang/prometheus"
	"runtime"
	"time"

	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/journal"
	"liandong/routing/push"
	"liandong/sip/capture"
)

// gauges reads the parts' own figures when Prometheus asks; nothing is counted
// twice.
type gauges struct{ sw Switch }

// journalled are the figures of what outlives the process.
func journalled(j journal.Stats, put func(string, string, prometheus.ValueType, float64), now,
	total prometheus.ValueType) {
	failing := 0.0
	if j.Failing != nil {
		failing = 1
	}
	put("journal_writes_total", "Records written to the journal of calls.", total, float64(j.Writes))
	put("journal_bytes_total", "Bytes of them.", total, float64(j.Bytes))
	put("journal_seconds_total", "Time that writing them took.", total, j.Busy.Seconds())
	put("journal_failures_total", "Records that are not in the journal.", total, float64(j.Failures))
	put("journal_failing", "1: the journal cannot be written now, and a call would not outlive the process.", now,
		failing)
	put("journal_damaged", "Records of the process before that could not be read.", now, float64(j.Damaged))
	put("journal_values", "What the journal knows now: calls, phones, trunks, lamps.", now, float64(j.Live))
	put("journal_size_bytes", "Size of the journal's file.", now, float64(j.Size))
}

// Describe is empty: which figures there are is seen when they are read.
func (gauges) Describe(chan<- *prometheus.Desc) {}

// Collect reads all figures.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	put := func(name, help string, kind prometheus.ValueType, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("liandong_"+name, help, nil, nil), kind, v)
	}
	now, total := prometheus.GaugeValue, prometheus.CounterValue
	c := g.sw.Calls.Stats()
	put("calls", "Calls that are on.", now, float64(c.Live))
	put("calls_total", "Calls since the start.", total, float64(c.Total))
	put("call_panics_total", "Events of a call that were dropped because of a bug.", total, float64(c.Panics))
	put("call_states_illegal_total", "States of calls that no call can be in, which is a bug.", total,
		float64(c.Astray))
	put("calls_restored", "Calls of the process before that this one has gone on with.", now, float64(c.Restored))
	put("calls_lost", "Calls of the process before that could not go on: their parties were let go.", now,
		float64(c.Lost))
	if g.sw.Cluster != nil {
		streamed(g.sw.Cluster, put)
	}
	if g.sw.Journal != nil {
		journalled(g.sw.Journal.Stats(), put, now, total)
	}
	put("seats_busy", "Seats that ring or talk.", now, float64(c.SeatsBusy))
	put("goroutines", "Goroutines of the process: one a call, and a few.", now, float64(runtime.NumGoroutine()))
	for _, one := range g.sw.Stores {
		one.collect(out)
	}
	u := g.sw.UA.Stats()
	put("sip_received_total", "SIP messages received.", total, float64(u.Received))
	put("sip_sent_total", "SIP messages sent.", total, float64(u.Sent))
	put("sip_malformed_total", "SIP messages that could not be read.", total, float64(u.Malformed+u.Garbage))
	put("sip_strangers_total", "Requests of nobody we know, and all that came from addresses not allowed.", total,
		float64(u.Strangers))
	put("sip_denied_total", "Wrong passwords.", total, float64(u.Denied))
	put("sip_send_errors_total", "SIP messages that could not be sent.", total, float64(u.SendErrors))
	put("sip_tls_failed_total", "TLS handshakes that failed, with phones or trunks.", total, float64(u.Handshakes))
	put("sip_registrations", "Phones registered.", now, float64(u.Bindings))
	put("overload", "1 while new calls are refused for want of time.", now, flag(u.Overloaded))
	put("overload_waiting", "New calls that wait until there is time for them.", now, float64(u.Waiting))
	for name, n := range u.Shed {
		out <- prometheus.MustNewConstMetric(refusedDesc, total, float64(n), name)
	}
	for network, end := range u.Certificates {
		out <- prometheus.MustNewConstMetric(certificateDesc, now, time.Until(end).Seconds(), network)
	}
	g.trunks(out)
	n := c.Subscribers
	put("subscriptions", "Lamps that phones watch.", now, float64(n.On))
	put("subscriptions_refused_total", "SUBSCRIBEs refused.", total, float64(n.Refused))
	put("subscriptions_silent_total", "Subscriptions that ended as the phone did not answer.", total, float64(n.Silent))
	put("notifies_total", "NOTIFYs sent to subscribers, without repetitions.", total, float64(n.Sent))
	e := g.sw.Engine.Stats()
	media(e, put, now, total)
	for network, q := range e.Quality {
		sendQuality(out, network, q)
	}
	out <- prometheus.MustNewConstMetric(prometheus.NewDesc("liandong_media_transport",
		"1, with the way in which datagrams are moved as a label.", nil, prometheus.Labels{"path": e.Transport}), now,
		1)
	g.recordings(put, now, total)
	traces(g.sw.Traces.Stats(), put, now, total)
	size, late := g.sw.Traces.DiskStats()
	put("trace_disk_bytes", "Bytes of calls' messages on disk.", now, float64(size))
	put("trace_disk_dropped_total", "Messages and events that the disk has not taken.", total, float64(late))
	sent, dropped := g.sw.Homer.Stats()
	put("hep_sent_total", "SIP messages sent to the Homer.", total, float64(sent))
	put("hep_dropped_total", "SIP messages that it, or the way to it, did not take.", total, float64(dropped))
	if g.sw.SelfTest != nil {
		for line, ok := range g.sw.SelfTest() {
			out <- prometheus.MustNewConstMetric(selfTestDesc, now, flag(ok), line)
		}
	}
}

// traces are the figures of what is kept of calls' messages.
func traces(t capture.Stats, put func(string, string, prometheus.ValueType, float64), now, total prometheus.ValueType) {
	put("trace_calls", "Calls of which messages or events are kept in memory.", now, float64(t.Calls))
	put("trace_bytes", "Bytes that they take.", now, float64(t.Bytes))
	put("trace_dropped_total", "Messages and events that have made room for newer ones.", total, float64(t.Dropped))
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
	put := func(name, help string, kind prometheus.ValueType, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("liandong_"+name, help, nil, labels), kind, v)
	}
	now, total := prometheus.GaugeValue, prometheus.CounterValue
	o := one.Outbox.Stats()
	put("outbox_waiting", "Ticket entries that Redis does not have yet.", now, float64(o.Waiting))
	put("outbox_bytes", "Bytes of entries on disk.", now, float64(o.Bytes))
	put("outbox_room_ratio",
		"Part of the outbox's limit that is still free: 1 empty, 0 full. Less also when the file system has less room.",
		now, o.Free())
	put("outbox_kept", "Ticket entries that Redis has confirmed, on disk until it has them safely.", now,
		float64(o.Kept))
	put("outbox_damaged", "1 when the outbox file was damaged at the start, or lacked entries, see the log.", now,
		flag(o.PutAside != "" || o.Missing > 0))
	put("outbox_missing", "Ticket entries that were on disk and were not there any more at the start.", now,
		float64(o.Missing))
	put("outbox_revived_total", "Ticket entries that Redis had confirmed and lost, sent again.", total,
		float64(o.Revived))
	put("outbox_shipped_total", "Ticket entries appended to a stream.", total, float64(o.Shipped))
	put("outbox_dropped_total", "Ticket entries lost.", total, float64(o.Dropped))
	put("outbox_disk_errors_total", "Writes to the outbox file that failed.", total, float64(o.DiskErrors))
	put("redis_up", "1 while Redis takes entries.", now, flag(o.RedisUp))
	put("redis_keeps", "1 when Redis says that it keeps what it is given over its own end, 0 when not or not known.",
		now, flag(o.RedisKeeps))
	put("disk_up", "1 while the outbox file takes entries.", now, flag(o.DiskUp))
	l := one.Ledger.Stats()
	put("ledger_leading", "1 while this switch keeps the state of the matters, for all that share the Redis.", now,
		flag(l.Leading))
	put("ledger_applied_total", "Ticket entries and updates taken in.", total, float64(l.Applied))
	put("ledger_dead_total", "Updates refused, see liandong:updates:dead.", total, float64(l.Dead))
	put("ledger_alarms_total", "Reminders, overdue and supervised entries and the like that were written.", total,
		float64(l.Alarms))
	ofLine := func(name, help string, n int64, line string) {
		desc := prometheus.NewDesc("liandong_"+name, help, []string{"hotline"}, labels)
		out <- prometheus.MustNewConstMetric(desc, now, float64(n), line)
	}
	for line, n := range l.Matters {
		ofLine("matters_open", "Matters of which somebody still has to do something.", n.Open, line)
		ofLine("matters_overdue", "Open matters whose next step is late.", n.Overdue, line)
	}
	for _, p := range one.Push {
		one.pushed(p, out)
	}
	if one.Shared != nil {
		shared(one.Shared.Stats(), put)
	}
}

// pushed are the figures of a receiver of ticket entries.
func (one Store) pushed(p *push.Pusher, out chan<- prometheus.Metric) {
	labels := prometheus.Labels{"webhook": p.Name()}
	if one.Name != "" {
		labels["redis"] = one.Name
	}
	put := func(name, help string, kind prometheus.ValueType, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("liandong_"+name, help, nil, labels), kind, v)
	}
	st := p.Stats()
	put("push_up", "1 while a receiver of ticket entries takes them.", prometheus.GaugeValue, flag(st.Up))
	put("push_delivered_total", "Ticket entries that a receiver has taken.", prometheus.CounterValue,
		float64(st.Delivered))
	put("push_failures_total", "Attempts to deliver an entry that failed.", prometheus.CounterValue, float64(st.Failed))
	put("push_refused_total", "Ticket entries that a receiver will not have.", prometheus.CounterValue,
		float64(st.Refused))
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

func (g gauges) recordings(put func(string, string, prometheus.ValueType, float64), now, total prometheus.ValueType) {
	var r record.Stats
	if g.sw.Recordings != nil {
		r = g.sw.Recordings.Stats()
	}
	put("recordings", "Calls that are being recorded.", now, float64(r.On))
	put("recordings_closed_total", "Recordings closed.", total, float64(r.Closed))
	put("recordings_interrupted_total", "Recordings that the end of an earlier run had left open, closed now.", total,
		float64(r.Interrupted))
	put("recordings_failed_total", "Recordings that ended before their time: the disk is full or broken.", total,
		float64(r.Failures))
	put("recordings_deleted_total", "Recordings deleted, for their age or for room.", total,
		float64(r.DeletedAge+r.DeletedShare))
	put("recording_bytes_total", "Bytes of recordings written.", total, float64(r.Bytes))
	put("recording_dropped_packets_total", "Packets that are missing in closed recordings because the disk was behind.",
		total, float64(r.Dropped))
	put("recording_errors_total", "Other trouble with files of recordings, see the log.", total, float64(r.Errors))
	put("recording_disk_ratio", "Part of the file system that recordings take, 0 to 1.", now, r.Share)
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func media(e engine.Stats, put func(string, string, prometheus.ValueType, float64), now, total prometheus.ValueType) {
	put("media_legs", "Legs with an RTP port.", now, float64(e.Legs))
	put("media_packets_in_total", "RTP packets received.", total, float64(e.PacketsIn))
	put("media_packets_out_total", "RTP packets sent.", total, float64(e.PacketsOut))
	put("media_strangers_total", "RTP packets from another source than the locked one.", total, float64(e.Strangers))
	put("media_forged_total", "SRTP packets that were refused: not by the party's key, or heard before.", total,
		float64(e.Forged))
	put("media_late_ticks_total", "20 ms ticks that began late.", total, float64(e.LateTicks))
	put("media_skipped_ticks_total", "20 ms ticks that were left out after a stall.", total, float64(e.SkippedTicks))
	put("media_silences_total", "Times a party had nothing to hear for a second.", total, float64(e.Silences))
	put("media_lost_total", "Times nothing came from a party for the media timeout.", total, float64(e.MediaLost))
	free := 0
	for _, p := range e.Ports {
		free += p.Free
	}
	put("media_ports_free", "RTP port pairs that are free.", now, float64(free))
	put("media_refused_total", "Parties for whom there was no RTP port or no open file: their call got 503.", total,
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
