//go:build !linux

package keeper

import "context"

// Line is nobody's here: descriptors are passed on Linux alone, and elsewhere the switch runs as one process.
type Line struct{}

func Attach() (*Line, error)                                 { return nil, nil }
func (*Line) Wait(context.Context, Hello, func() bool) error { return nil }
func (*Line) Status() Status                                 { return Status{} }
func (*Line) Yielded() <-chan struct{}                       { return nil }
func (*Line) Lasts() bool                                    { return false }
func (*Line) Left() <-chan struct{}                          { return nil }
func (*Line) PassOn([]byte)                                  {}
func (*Line) Hushed()                                        {}
func (*Line) TakeSound() ([][]byte, bool)                    { return nil, false }
func (*Line) Sounds()                                        {}
func (*Line) Lost() <-chan struct{}                          { return nil }
func (*Line) Kept(string) []string                           { return nil }
func (*Line) Take(string) (int, bool)                        { return 0, false }
func (*Line) Hold(string, int)                               {}
func (*Line) Drop(string)                                    {}
func (*Line) DropAll()                                       {}
func (*Line) Failures() uint64                               { return 0 }
func (*Line) Ready(Ready)                                    {}
func (*Line) Replace()                                       {}
func (*Line) Tested(string)                                  {}
func Upgrade(context.Context, string, func(Answer)) error    { return ErrNoSwitch }
func Holder(string) (int, bool)                              { return 0, false }
