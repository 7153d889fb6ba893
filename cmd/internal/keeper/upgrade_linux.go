package keeper

import (
	"cmp"
	"fmt"
	"time"
)

// upgrade is one under way: from the start of the new binary until it has lived for a while. Until then the spare is of
// the old one, and goes on when the new one fails.
type upgrade struct {
	next   *child // waits, then is the worker
	from   string // the version before
	answer func(Answer)
	left   time.Time // when the worker before had ended
	fault  string    // why it fails; "": it does not yet
	tests  bool      // the verdict of its self-test is awaited
	lived  bool      // long enough
}

// Times that are given to a new version.
const (
	upgradeWait = 5 * time.Second  // to wait, and then to be ready
	upgradeLife = 10 * time.Second // that it has to live
	upgradeTest = 30 * time.Second // until its self-test is over
)

func (u *upgrade) candidate() *child {
	if u == nil {
		return nil
	}
	return u.next
}

// startUpgrade starts the file that lies at the binary's path now.
func (k *Keeper) startUpgrade(answer func(Answer)) {
	refuse := func(why string) { answer(Answer{Step: Refused, Why: why}) }
	switch {
	case k.stopping:
		refuse("the switch is stopping")
		return
	case k.upgrade != nil:
		refuse("another upgrade is under way")
		return
	case k.worker == nil || k.worker.ready.IsZero() || k.worker.yielded:
		refuse("the switch is just starting")
		return
	}
	b, err := openBinary(k.cfg.Path)
	if err != nil {
		refuse(err.Error())
		return
	}
	c, err := k.spawn(b)
	if err != nil {
		b.close()
		refuse(err.Error())
		return
	}
	k.upgrade = &upgrade{next: c, from: k.worker.version, answer: answer}
	k.inTime(c, upgradeWait, func() bool { return c.waits }, fmt.Sprintf("not ready after %v", upgradeWait))
}

// inTime kills a new version that has not done what it should by then.
func (k *Keeper) inTime(c *child, d time.Duration, done func() bool, fault string) {
	k.after(d, func() {
		if k.upgrade.candidate() == c && !done() {
			k.fail(c, fault)
		}
	})
}

// fail ends a new version.
func (k *Keeper) fail(c *child, fault string) {
	k.upgrade.fault = fault
	c.kill()
}

// upgradeGoesOn: a worker has died under an upgrade: the old one, which was told to leave or died of itself; or the new
// one.
func (k *Keeper) upgradeGoesOn(c *child, err error) {
	u := k.upgrade
	if c == u.next {
		k.worker = nil
		k.count(c, err)
		k.abandon(c, err)
		k.startWorker()
		return
	}
	if !u.next.waits { // the old one died before its time: the spare first, the new version another day
		k.count(c, err)
		k.fail(u.next, "the worker has died meanwhile")
		k.startWorker()
		return
	}
	k.worker = u.next
	u.left = time.Now()
	k.begin(u.next)
	k.inTime(u.next, upgradeWait, func() bool { return !u.next.ready.IsZero() },
		fmt.Sprintf("not ready after %v", upgradeWait))
}

// watch looks at a new version that takes the calls.
func (k *Keeper) watch(c *child, r Ready) {
	u := k.upgrade
	u.tests = r.Tests
	u.answer(Answer{Step: Watched, From: u.from, To: c.version,
		Gap: millis(c.ready.Sub(u.left)), Mute: millis(cmp.Or(c.mute, c.ready.Sub(u.left)))})
	k.after(upgradeLife, func() {
		if k.upgrade == u {
			u.lived = true
			k.settle()
		}
	})
	k.inTime(c, upgradeTest, func() bool { return !u.tests }, "its self-test does not end")
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// tested is the verdict of a worker's self-test.
func (k *Keeper) tested(c *child, fault string) {
	u := k.upgrade
	if u == nil || c != u.next || !u.tests {
		return
	}
	if fault != "" {
		u.fault = "its self-test fails: " + fault
		k.yield(c)
		return
	}
	u.tests = false
	k.settle()
}

// settle makes the new version the one that is kept.
func (k *Keeper) settle() {
	u := k.upgrade
	if !u.lived || u.tests {
		return
	}
	k.upgrade = nil
	k.binary.close()
	k.binary = u.next.binary
	k.log.Info("upgraded", "from", u.from, "to", u.next.version)
	u.answer(Answer{Step: Upgraded, From: u.from, To: u.next.version})
	k.renew()
	k.tell()
}

// abandon gives a new version up.
func (k *Keeper) abandon(c *child, err error) {
	u := k.upgrade
	k.upgrade = nil
	c.binary.close()
	if u.fault == "" {
		u.fault = how(err)
	}
	a := Answer{Step: Refused, From: u.from, To: c.version, Why: u.fault}
	if !c.begun.IsZero() {
		a.Step = RolledBack
	}
	k.log.Error("the upgrade has failed", "version", c.version, "why", u.fault, "rolled_back", a.Step == RolledBack)
	u.answer(a)
	if k.replaces && k.worker != nil { // else the spare takes its place anyway
		k.renew()
	}
}
