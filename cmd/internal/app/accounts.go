package app

import (
	"time"

	"liandong/routing/journal"
	"liandong/routing/news"
	"liandong/sip/snapshot"
)

// recorded takes a call's record out of the journal, where the call has left it at its end, once it is in its file.
func (a *App) recorded(ref string) func() {
	if a.journal == nil {
		return nil
	}
	return func() { a.journal.Delete(journal.Account, ref) }
}

// recordAgain writes down what the process before has left: records of calls whose end it has stored and that may not
// have come to the disk. One that has, as far as can be seen, is not written again.
func (a *App) recordAgain() {
	for _, kept := range a.journal.All(journal.Account) {
		var fields map[string]string
		err := snapshot.Decode(kept.Value, &fields)
		if err != nil {
			a.log.Error("the record of a call of the process before cannot be read", "call", kept.Key, "err", err)
		}
		at, _ := time.Parse(time.RFC3339Nano, fields["ended_at"]) // as it was written
		if err != nil || a.records == nil || a.records.Has(`"call_ref":"`+kept.Key+`"`, at) {
			a.journal.Delete(journal.Account, kept.Key)
			continue
		}
		delete(fields, "ref")
		fields["event"], fields["at"] = "record", fields["ended_at"]
		a.records.Add(news.From(fields), at, a.recorded(kept.Key))
	}
}
