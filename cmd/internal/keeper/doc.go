// Package keeper lets calls outlive the process that carries them. liandong serve is the keeper: a small process that
// parses nothing from the network and reads no config. It starts a worker, which is the switch, and one spare, which
// has read the config and waits. Each socket that the worker opens is handed to the keeper too, by name, before it is
// used: when the worker dies the spare is given all of them and goes on where the journal ends. No socket has closed
// meanwhile, so nothing on the wire tells of it.
//
// In an orderly change the worker that leaves goes on with the sound of the calls until the next one has restored them:
// it is told to yield but for the sound, says that it has left the calls, is told to stop the sound when the next one
// asks for it, and passes on the keys that it has heard meanwhile.
//
// Both sides speak over a socket pair that keeps messages apart and passes descriptors (SCM_RIGHTS). The worker's side
// is Line; the layers below see of it no more than Kept, Take, Hold and Drop.
package keeper

import "errors"

var (
	ErrLost     = errors.New("keeper: the keeper is gone")
	ErrNoSwitch = errors.New("keeper: no switch answers at its control socket")
)

// Status is what GET /v1/process shows.
type Status struct {
	Keeper   int    `json:"keeper"`   // process ids; 0: there is none
	Worker   int    `json:"worker"`   //
	Spare    int    `json:"spare"`    //
	Restarts int    `json:"restarts"` // of the worker, since the keeper began
	Version  string `json:"version"`  // of the worker

	// Row is how many workers have crashed in a row that had hardly lived. They may owe it to what they are given to go
	// on with; one that was not given it, or has ended with an error that it could tell, does not.
	Row int `json:"row,omitempty"`
	// Sounding is who has left the calls to this worker and still carries their sound; 0: nobody.
	Sounding int `json:"sounding,omitempty"`
	// Trial says that the worker is a new version which is still watched: its self-test is awaited.
	Trial bool `json:"trial,omitempty"`
}

// Hello is what a process says that waits to be the worker.
type Hello struct {
	Version string `json:"version"`
	Takes   bool   `json:"takes"` // it takes the sound over when it is ready to
}

// Ready is what the worker says when it takes calls.
type Ready struct {
	Control string `json:"control"` // the path of the control socket that the keeper is to open; "": none
	JSON    bool   `json:"json"`    // the log is JSON
	Tests   bool   `json:"tests"`   // the verdict of a self-test follows
}

// Step is how far an upgrade has come.
type Step string

// Steps of an upgrade; the last three end it.
const (
	Watched    Step = "watched"     // the new version takes the calls, and is watched for a while
	Upgraded   Step = "upgraded"    // it stays
	RolledBack Step = "rolled_back" // it has failed and the old one goes on
	Refused    Step = "refused"     // it has never had a call
)

// Answer is what the keeper says to who asked for an upgrade.
type Answer struct {
	Step Step    `json:"step"`
	From string  `json:"from,omitempty"`   // version
	To   string  `json:"to,omitempty"`     //
	Gap  float64 `json:"gap_ms,omitempty"` // from the old version's end to when the new one was ready
	Mute float64 `json:"mute_ms"`          // for so long of it nobody carried the sound
	Why  string  `json:"why,omitempty"`
}

// Ends says that no answer follows.
func (a Answer) Ends() bool { return a.Step != Watched }
