package indicator

import (
	"time"
)

// Prefix begins the keys of the sums. The braces around the line keep all keys of a line in one slot of a cluster.
const Prefix = "liandong:indicators:"

// DayKey is where the sums of a line and day are; t is in the zone by which days are counted.
func DayKey(line string, t time.Time) string {
	return Prefix + "{" + line + "}:" + t.Format("2006-01-02")
}

// HourKey is where those of an hour are.
func HourKey(line string, t time.Time) string {
	return Prefix + "{" + line + "}:" + t.Format("2006-01-02T15")
}

// SeenKey is where the ids of what has been counted are.
func SeenKey(line string) string { return Prefix + "{" + line + "}:seen" }

// Sums are the sums of a line over some time, by name.
type Sums map[string]int64

// Add adds other sums: those of another Redis.
func (s Sums) Add(o Sums) {
	for name, n := range o {
		s[name] += n
	}
}

// Row is one indicator.
type Row struct {
	Name  string   `json:"name"`
	Of    int64    `json:"of"`              // numerator; of times the sum in ms, of counts the count
	Among *int64   `json:"among,omitempty"` // denominator; nil: a plain count
	Value *float64 `json:"value,omitempty"` // share 0 to 1, or seconds; nil: there is no denominator
	Unit  string   `json:"unit,omitempty"`  // "%", "s"
}

// Diversion says what the diversion rate is a share of.
type Diversion string

// The denominators of the diversion rate.
const (
	OfCalls Diversion = "calls" // of all calls that a desk of the line has answered
	OfDue   Diversion = "due"   // of those that were handed over, or given a category that is another line's
)

// Of makes the indicators of a line (DOMAIN: 分流率 and so on), in the order in which they are shown.
func Of(s Sums, d Diversion) []Row {
	asked := s[AskedDirect] + s[AskedThreeWay]
	diverted := max(asked+s[TicketOnly]-s[TakenBack]-s[Kept], 0)
	base := s[CallsAnswered]
	if d == OfDue {
		base = s[Due]
	}
	return []Row{
		plain("calls", s[Calls]),
		share("answered_in_15s", s[CallsIn15s], s[CallsAnswered]),
		share("diversion", diverted, base),
		share("handover_success", s[Answered], asked),
		share("abandoned", s[Abandoned], asked),
		share("unreached", s[Unreached], asked),
		plain("taken_back", s[TakenBack]),
		mean("key_to_answer_mean", s[KeyToAnswer], s[Answered]),
		s.quantile("key_to_answer_p50", 0.50),
		s.quantile("key_to_answer_p95", 0.95),
		plain("three_way", s[ThreeWays]),
		mean("three_way_mean", s[ThreeWayMS], s[ThreeWayEnded]),
		plain("decided_agreed", s[Agreed]),
		plain("decided_first_receiver", s[FirstReceiver]),
		plain("decided_emergency", s[Emergency]),
		share("wrongly_transferred", s[Returned], diverted),
		plain("other_mode", s[OtherMode]),
		share("feedback_in_time", s[FeedbackInTime], s[Feedback]),
		share("closed_in_time", s[ClosedInTime], s[Closed]),
		plain("overdue", s[Overdue]),
		plain("hotspots", s[Hotspots]),
	}
}

func plain(name string, n int64) Row { return Row{Name: name, Of: n} }

func share(name string, n, among int64) Row {
	return ratio(name, "%", n, among, 1)
}

func mean(name string, ms, among int64) Row {
	return ratio(name, "s", ms, among, 1000)
}

func ratio(name, unit string, n, among int64, scale float64) Row {
	r := Row{Name: name, Of: n, Among: &among, Unit: unit}
	if among > 0 {
		v := float64(n) / float64(among) / scale
		r.Value = &v
	}
	return r
}

// quantile estimates within a bucket as if its times lay evenly in it. Of what took longer than the last bound the
// bound is told.
func (s Sums) quantile(name string, q float64) Row {
	r := Row{Name: name, Of: s[Answered], Unit: "s"}
	if s[Answered] <= 0 {
		return r
	}
	want := q * float64(s[Answered])
	low, below, v := 0.0, 0.0, float64(buckets[len(buckets)-1])
	for _, b := range buckets {
		upTo := float64(s[bucketName(b)])
		if upTo >= want && upTo > below {
			v = low + (float64(b)-low)*(want-below)/(upTo-below)
			break
		}
		low, below = float64(b), upTo
	}
	r.Value = &v
	return r
}
