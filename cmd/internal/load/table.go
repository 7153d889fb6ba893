package load

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Legend explains the table.
const Legend = `The table explained. Times are in ms unless they say otherwise; p50, p90 and p99 are percentiles.

    calls        asked for, tried, up (answered), failed (by status or reason), dropped (ended by the other side)
    set-up       from the INVITE sent to the 200 received; ring: to the first 18x; refused: to the 503 where there was one
    SIP          messages sent and received; "again" are retransmissions, which mean that an answer was late or lost
    out          packets of sound sent in the window that was measured, 20 ms of G.711 each
    in           those of them that reached the other party, whenever they did
    lost         out - in
    twice        came more than once
    strange      came from somebody who is not in this call: must be 0
    unmarked     sound without a readable mark, such as announcements and tones
    gaps         pauses of more than 30 and of more than 60 ms between two packets at a receiver; longest: the longest one
    worst s      packets that came in the worst whole second at any receiver (50 is perfect)
    one way      from the sending of a packet to its coming at the other party's socket, by marks in the sound
    chirps       (conf) of one party at a time; each should be heard by the two others, none by its sender (echo);
                 in a room the three callers are shown as caller, desk and partner
                 one way is then from the chirp's first sample to the same sample in the mix: buffers and mixing included.
                 in and lost are then packets of the mix, and what is missing in their RTP sequence
    key          (handover) from the first packet of the last key, or from the REFER, until the partner's phone has the INVITE,
                 and until the first packet of the partner's reaches the caller, which includes --answer-after;
                 answer: from the partner's 200 until then
    flow         (soak) kinds of calls: tried, those that went as they should, and why others did not
    trend        (soak) what the server uses, as means of twelfths of the run; %/h: by how much it grows in an hour, in % of itself,
                 after --warm-up. flat: 1 % or less; unclear: the run was too short to say
    server       CPU in % of one core (user and system), memory in MiB (PSS, or RSS where PSS may not be read), threads
    generator    this program: CPU in % of one core, how late its packets and calls were. "!" lines name what it did not keep
                 up with: figures next to such a line are not the server's.
`

// table prints for people.
func (r *Report) table(w io.Writer) error {
	var b strings.Builder
	for _, part := range []func(io.Writer){r.head, r.sound, r.spoken, r.handed, r.soaked, r.machines} {
		t := tabwriter.NewWriter(&b, 12, 0, 2, ' ', 0)
		part(t)
		_ = t.Flush() // into memory
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	if err != nil {
		return fmt.Errorf("load: report: %w", err)
	}
	return nil
}

func (r *Report) head(t io.Writer) {
	state := ""
	if r.Interrupted {
		state = "\tINTERRUPTED"
	}
	fmt.Fprintf(t, "%s\tserver %s\tmeasured %.1f s%s\n", r.Mode, r.Server, r.Measured, state)
	c := r.Calls
	fmt.Fprintf(t, "calls\tasked %d\ttried %d\tup %d\tfailed %s\tdropped %d\t%.1f calls/s\n", c.Asked, c.Tried, c.Up,
		reasons(c.Failed), c.Dropped, c.PerSec)
	spread(t, "set-up", r.SetUp)
	spread(t, "ring", r.Ring)
	if r.Refused != nil {
		spread(t, "refused", r.Refused)
	}
	s := r.SIP
	fmt.Fprintf(t, "SIP\tout %d\tin %d\tout again %d\tin again %d\tregistered %d\n", s.Out, s.In, s.OutAgain, s.InAgain,
		s.Registers)
}

func (r *Report) sound(t io.Writer) {
	if len(r.Directions) == 0 {
		return
	}
	fmt.Fprintln(t, "sound\tlegs\tout\tin\tlost\ttwice\tstrange\tunmarked\tgaps>30ms\tgaps>60ms\tlongest\tworst s\tone way p50\tp99\tmax")
	for _, d := range r.Directions {
		delay, lowest := "-\t-\t-", "-"
		if d.Delay != nil {
			delay = fmt.Sprintf("%.1f\t%.1f\t%.1f", d.Delay.P50, d.Delay.P99, d.Delay.Max)
		}
		if d.Lowest >= 0 {
			lowest = fmt.Sprint(d.Lowest)
		}
		fmt.Fprintf(t, "%s→%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1f\t%s\t%s\n", d.From, d.To, d.Legs, d.Out, d.In,
			d.Lost, d.Twice,
			d.Strange, d.Unmarked, d.Gaps30, d.Gaps60, d.Longest, lowest, delay)
	}
}

func (r *Report) spoken(t io.Writer) {
	if c := r.Conference; c != nil {
		fmt.Fprintf(t, "chirps\tjoined %d\tsent %d\theard %d\tmissed %d\techo %d\n", c.Joined, c.Sent, c.Heard,
			c.Missed, c.Echoes)
	}
}

func (r *Report) handed(t io.Writer) {
	h := r.Handover
	if h == nil {
		return
	}
	fmt.Fprintf(t, "handover\ttried %d\tdone %d\tdesk released %d\tfailed %s\n", h.Tried, h.Done, h.Released,
		reasons(h.Failed))
	spread(t, "key → partner rings", h.Ring)
	spread(t, "key → caller hears partner", h.Hear)
	spread(t, "answer → caller hears partner", h.Answer)
}

func (r *Report) machines(t io.Writer) {
	if p := r.Process; p != nil {
		kind := "PSS"
		if p.Shared {
			kind = "RSS"
		}
		fmt.Fprintf(t, "server\tpid %d\tCPU %.1f %%\t%s %.1f MiB\tpeak %.1f MiB\tthreads %d\n", p.PID, p.CPU, kind,
			float64(p.Memory)/(1<<20), float64(p.MemoryPeak)/(1<<20), p.Threads)
	}
	g := r.Generator
	late := "-"
	if g.Late != nil {
		late = fmt.Sprintf("p99 %.1f max %.1f", g.Late.P99, g.Late.Max)
	}
	fmt.Fprintf(t, "generator\tCPU %.1f %%\tpackets late %s\tcalls late %.1f\tSIP late %.1f\n", g.CPU, late, g.Calls,
		g.Loop)
	for _, s := range g.Remarks {
		fmt.Fprintln(t, "! "+s)
	}
}

func spread(t io.Writer, name string, s *Spread) {
	if s == nil {
		fmt.Fprintf(t, "%s\t-\n", name)
		return
	}
	fmt.Fprintf(t, "%s\tp50 %.1f\tp90 %.1f\tp99 %.1f\tmax %.1f\tof %d\n", name, s.P50, s.P90, s.P99, s.Max, s.Count)
}

// reasons is "3 (2 × 486 Busy Here, 1 × …)", the most frequent first.
func reasons(m map[string]int) string {
	if len(m) == 0 {
		return "0"
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(m[b]-m[a], strings.Compare(a, b)) })
	total, parts := 0, []string{}
	for _, k := range keys {
		total += m[k]
		parts = append(parts, fmt.Sprintf("%d × %s", m[k], k))
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(parts, ", "))
}
