package header

import (
	"strconv"
	"strings"
)

// HistoryEntry is one target that a request was sent to: RFC 7044. The oldest
// comes first.
type HistoryEntry struct {
	Who     NameAddr // without what the fields below hold
	Index   string   // 1, 1.1, 1.1.2 …
	How     string   // why this target: rc (changed the contact), mp (another user), np (no change), or empty
	From    string   // the index that How points to
	Cause   int      // the URI's cause parameter (RFC 4458 §2); 0: none
	Reasons []Reason // why this target was left again
	Privacy string   // history, or none
}

// ParseHistory reads the value of one History-Info field.
func ParseHistory(s string) ([]HistoryEntry, error) { return each(s, parseHistoryEntry) }

func parseHistoryEntry(s string) (HistoryEntry, error) {
	who, err := ParseNameAddr(s)
	if err != nil {
		return HistoryEntry{}, err
	}
	h := HistoryEntry{Who: who, Cause: countOf(who.URI.Params, "cause")}
	h.Index, _ = who.Params.Get("index")
	for _, how := range []string{"rc", "mp", "np"} {
		if from, ok := who.Params.Get(how); ok && h.How == "" {
			h.How, h.From = how, from
		}
	}
	h.Who.Params = who.Params.Without("index", "rc", "mp", "np")
	h.Who.URI.Params = who.URI.Params.Without("cause")
	h.Who.URI.Headers = h.takeHeaders(who.URI.Headers)
	return h, nil
}

// takeHeaders reads what RFC 7044 §5 puts behind the question mark of the URI,
// and returns the rest.
func (h *HistoryEntry) takeHeaders(s string) string {
	var rest []string
	for part := range strings.SplitSeq(s, "&") {
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(Unescape(name)) {
		case "reason":
			reasons, err := ParseReasons(Unescape(value))
			if err == nil {
				h.Reasons = append(h.Reasons, reasons...)
				continue
			}
		case "privacy":
			if words := ParsePrivacy(clean(Unescape(value))); len(words) > 0 && h.Privacy == "" {
				h.Privacy = strings.Join(words, ";")
				continue
			}
		}
		if part != "" {
			rest = append(rest, part)
		}
	}
	return strings.Join(rest, "&")
}

func (h HistoryEntry) String() string {
	who := h.Who
	if h.Cause != 0 {
		who.URI.Params = who.URI.Params.With("cause", strconv.Itoa(h.Cause))
	}
	who.URI.Headers = h.headers()
	if h.Index != "" {
		who.Params = who.Params.With("index", h.Index)
	}
	if h.How != "" {
		who.Params = who.Params.With(h.How, h.From)
	}
	return who.String()
}

func (h HistoryEntry) headers() string {
	var parts []string
	if len(h.Reasons) > 0 {
		parts = append(parts, "Reason="+escape(FormatReasons(h.Reasons), valueMarks))
	}
	if h.Privacy != "" {
		parts = append(parts, "Privacy="+escape(h.Privacy, valueMarks))
	}
	if h.Who.URI.Headers != "" {
		parts = append(parts, h.Who.URI.Headers)
	}
	return strings.Join(parts, "&")
}

// NextIndex is the index of a target that follows on the last entry: RFC 7044
// §10.3, one level further.
func NextIndex(list []HistoryEntry) string {
	if len(list) == 0 || list[len(list)-1].Index == "" {
		return "1"
	}
	return list[len(list)-1].Index + ".1"
}
