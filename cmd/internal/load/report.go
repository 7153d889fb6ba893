package load

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"
)

// Report is what a run found. Times are in ms with one decimal, other units are in the names.
type Report struct {
	Mode        string    `json:"mode"` // cps, relay, conf, handover, soak
	Server      string    `json:"server"`
	Began       time.Time `json:"began"`
	Interrupted bool      `json:"interrupted"` // told to stop before it was done
	Measured    float64   `json:"measured_s"`  // length of the window in which packets were counted; 0: none

	Calls      Calls       `json:"calls"`
	SIP        SIP         `json:"sip"`
	SetUp      *Spread     `json:"setup_ms"`             // INVITE to 200
	Ring       *Spread     `json:"ring_ms"`              // INVITE to the first 18x
	Refused    *Spread     `json:"refused_ms,omitempty"` // INVITE to 503: there is no time for the call
	Directions []Direction `json:"directions,omitempty"`
	Legs       []Leg       `json:"legs,omitempty"`
	Conference *Conference `json:"conference,omitempty"`
	Handover   *Transfers  `json:"handover,omitempty"`
	Soak       *Soaked     `json:"soak,omitempty"`
	Process    *Process    `json:"server_process,omitempty"`
	Generator  Generator   `json:"generator"`
}

// Calls are attempts of callers and how they went: Asked = Tried + those that were not begun, Tried = Up + all Failed.
type Calls struct {
	Asked   int            `json:"asked"`
	Tried   int            `json:"tried"`
	Up      int            `json:"up"`             // answered
	Failed  map[string]int `json:"failed"`         // by status or reason
	Dropped int            `json:"dropped"`        // answered, and then not ended by us
	PerSec  float64        `json:"attempts_per_s"` // reached
}

// SIP is signalling of the callers, desks and partners together, messages.
type SIP struct {
	Out       int `json:"out"`
	In        int `json:"in"`
	OutAgain  int `json:"out_again"` // retransmissions of ours: an answer came late, or not
	InAgain   int `json:"in_again"`  // of the server's
	Registers int `json:"registered"`
}

// Spread is percentiles in ms.
type Spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Direction is the sound of one side to the other in all calls together. With marks, Out = In + Lost: In counts each
// packet of the window that came, whenever it came, and Lost those that never did. In a conference the server's mix is
// a stream of its own: In and Lost are then what came of it and what is missing in its RTP sequence.
type Direction struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Legs    int    `json:"legs"`
	Out     int    `json:"out"`
	In      int    `json:"in"`
	Lost    int    `json:"lost"`
	Twice   int    `json:"twice"`
	Strange int    `json:"strange"` // marked by somebody of another call
	// sound without a readable mark: announcements, tones, mixed or transcoded speech
	Unmarked int     `json:"unmarked"`
	Gaps30   int     `json:"gaps_over_30ms"`
	Gaps60   int     `json:"gaps_over_60ms"`
	Longest  float64 `json:"longest_gap_ms"`
	Lowest   int     `json:"worst_second_packets"` // of the worst leg; -1: the window has no whole second
	Delay    *Spread `json:"delay_ms"`             // one way
}

// Leg is one leg's share.
type Leg struct {
	Side     string  `json:"side"`
	Port     int     `json:"rtp_port"` // ours
	Out      int     `json:"out"`      // sound sent
	In       int     `json:"in"`       // RTP packets that came
	Marked   int     `json:"marked"`   // of the party heard most
	Missing  int     `json:"missing"`  // in the RTP sequence of what came
	Gaps30   int     `json:"gaps_over_30ms"`
	Gaps60   int     `json:"gaps_over_60ms"`
	Longest  float64 `json:"longest_gap_ms"`
	Lowest   int     `json:"worst_second_packets"`
	MaxDelay float64 `json:"max_delay_ms"`
}

// Conference is what the chirps say.
type Conference struct {
	Joined int `json:"joined"` // conferences with three parties
	Sent   int `json:"chirps"` // each should be heard by two
	Heard  int `json:"heard"`
	Missed int `json:"missed"`
	Echoes int `json:"echoes"` // heard by the one who sent it
}

// Transfers is what the keys, or REFERs, led to.
type Transfers struct {
	Tried    int            `json:"tried"`
	Done     int            `json:"done"` // the caller heard a partner
	Released int            `json:"desk_released"`
	Failed   map[string]int `json:"failed"`
	Ring     *Spread        `json:"key_to_partner_rings_ms"`
	Hear     *Spread        `json:"key_to_caller_hears_partner_ms"`
	Answer   *Spread        `json:"answer_to_caller_hears_partner_ms"`
}

// Process is what the server used, while it was measured.
type Process struct {
	PID        int     `json:"pid"`
	CPU        float64 `json:"cpu_percent"` // of one core
	Over       float64 `json:"over_s"`
	Memory     int64   `json:"memory_bytes"` // at the end
	MemoryPeak int64   `json:"memory_peak_bytes"`
	Shared     bool    `json:"memory_with_shared"` // RSS; else PSS
	Threads    int     `json:"threads"`
}

// Generator is how well this program kept up with itself. Remarks say what must not be blamed on the server.
type Generator struct {
	CPU      float64  `json:"cpu_percent"` // of one core
	Late     *Spread  `json:"packets_late_ms"`
	Late5    int      `json:"packets_over_5ms_late"`
	Skipped  int      `json:"ticks_skipped"`
	Unsent   int      `json:"packets_unsent"`
	Overflow int      `json:"packets_dropped_here"` // found no room in our sockets
	Calls    float64  `json:"calls_late_ms"`        // the latest attempt
	Loop     float64  `json:"sip_late_ms"`          // the longest a message waited here
	Remarks  []string `json:"remarks"`
}

// Write prints the report as one table, or as JSON.
func (r *Report) Write(w io.Writer, asJSON bool) error {
	if !asJSON {
		return r.table(w)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("load: report: %w", err)
	}
	return nil
}

func round1(x float64) float64 { return math.Round(10*x) / 10 }
