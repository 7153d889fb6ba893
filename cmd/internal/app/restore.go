package app

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"liandong/configs"
	"liandong/media/engine"
	"liandong/media/record"
	"liandong/routing/exchange"
	"liandong/routing/journal"
)

// Crashes in a row after which what may cause them is put aside: first the calls, then all that is kept. The latter is
// done once for so many crashes, so that what was put aside stands for a while for whoever looks into it.
const (
	crashes     = 3
	manyCrashes = 2 * crashes
)

// openJournal opens what the process before has kept. row is how many have crashed in a row: after several the calls
// are put aside, and after more everything: new callers are to be served. A journal that cannot be had is no reason not
// to serve.
func (a *App) openJournal(run configs.Run, row int) {
	aside := run.Journal + ".aside"
	clearOld(run.Journal, aside)
	if row > 0 && row%manyCrashes == 0 {
		if err := os.Rename(run.Journal, aside); err == nil {
			a.log.Error("ALARM: process after process has died; all that was kept is given up", "kept", aside)
		}
	}
	var err error
	if a.journal, err = openJournal(run.Journal); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		a.log.Error("ALARM: no call outlives this process", "err", err)
	}
	if a.journal != nil && row >= crashes {
		a.giveCallsUp(aside)
	}
}

// clearOld leaves of the journals that older versions have put aside, each by the time when it was, the newest.
func clearOld(path, aside string) {
	old, _ := filepath.Glob(path + ".[0-9]*") // the folder is the switch's own; what cannot be read stays
	slices.Sort(old)
	for i, file := range old {
		if _, err := os.Stat(aside); i == len(old)-1 && errors.Is(err, fs.ErrNotExist) {
			_ = os.Rename(file, aside)
			continue
		}
		_ = os.Remove(file)
	}
}

// giveCallsUp takes the calls, and what is on its way to them, out of the journal, and writes them to a journal aside,
// in the place of what was put there before.
func (a *App) giveCallsUp(aside string) {
	var all []journal.Entry
	for _, k := range []journal.Kind{journal.Call, journal.Letter, journal.Key} {
		all = append(all, a.journal.All(k)...)
	}
	if len(all) == 0 {
		return
	}
	err := writeJournal(aside, all)
	a.log.Error("ALARM: process after process has died; the calls that were on are given up", "entries", len(all),
		"kept", aside, "err", err)
	for i := range all {
		all[i].Gone, all[i].Value = true, nil
	}
	a.journal.Write(all...)
}

// writeJournal makes a journal of entries, in the place of one that is there.
func writeJournal(path string, all []journal.Entry) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	j, err := journal.Open(f)
	if err != nil {
		return err
	}
	for _, e := range all {
		j.Write(e)
	}
	return errors.Join(j.Stats().Failing, j.Close())
}

// longAway is how long calls may have been carried by nobody and go on as if nothing had been.
const longAway = 2 * time.Second

// wasAway says that no process was there for a while, nor sockets in which packets could wait.
func (a *App) wasAway() bool {
	if a.journal == nil || a.pair != nil || a.journal.Gap() < longAway {
		return false
	}
	kept := a.process.sockets()
	return kept == nil || len(kept.Kept("")) == 0
}

// keep writes the values of one part of the switch; nil: there is no journal.
func (a *App) keep(k journal.Kind) func(key string, value []byte) {
	j := a.journal
	if j == nil {
		return nil
	}
	return func(key string, value []byte) {
		if value == nil {
			j.Delete(k, key)
			return
		}
		j.Put(k, key, value)
	}
}

// kept are the values of one part.
func (a *App) kept(k journal.Kind) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, e := range a.journal.All(k) {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
}

// restore goes on with what the process before has kept: first where the phones are, then the calls. Nothing is heard
// yet.
func (a *App) restore() error {
	if a.journal == nil {
		return nil
	}
	began := time.Now()
	for _, err := range []error{a.ua.Restore(a.kept(journal.Registration)), a.trunks.Restore(a.kept(journal.Trunk))} {
		if err != nil {
			a.log.Error("not all that was kept can be read", "err", err)
		}
	}
	if err := a.ua.Open(); err != nil {
		return err
	}
	a.awaitSound()
	a.putAgain()
	a.recordAgain()
	a.exchange.Restore()
	if a.recorder != nil {
		a.recorder.Resumed()
	}
	if s := a.exchange.Stats(); s.Restored+s.Lost > 0 {
		a.log.Warn("calls of the process before go on", "calls", s.Restored, "lost", s.Lost, "took", time.Since(began))
	}
	return nil
}

func (a *App) restored(ref string, sink func(engine.Event), legs []engine.LegState) (exchange.Media, error) {
	return a.engine.Restore(ref, sink, legs)
}

// retape is how recordings of the process before go on.
func (a *App) retape() exchange.Retaper {
	if a.recorder == nil {
		return nil
	}
	return func(p record.Position, now time.Time) (exchange.LiveRecording, error) {
		return a.recorder.Resume(p, now)
	}
}

// leave lets go of everything as it is, for another process to go on with.
func (a *App) leave() {
	a.letGo(true)
	if a.journal != nil {
		_ = a.journal.Close()
	}
}

// letGo stops all. What has come is worked off and written, if it still counts; what comes now is left in the sockets.
func (a *App) letGo(counts bool) {
	a.letGoOf(a.engine.Leave, counts) // after a last word of each leg on where its sound is
}

// letGoOf stops all, the sound as it is told.
func (a *App) letGoOf(sound func(), counts bool) {
	if a.tester != nil {
		a.tester.Stop()
	}
	a.ua.StopHearing()
	sound()
	if counts {
		a.exchange.Calls() // each call answers when it has taken what came before
	}
	a.exchange.Leave()
	a.trunks.suspend()
	a.sharing.stop()
	a.feed.Close()
	if a.recorder != nil {
		a.recorder.Leave()
	}
	a.ua.Leave()
	a.closeBooks() // the next process has nothing of a call that is over
}
