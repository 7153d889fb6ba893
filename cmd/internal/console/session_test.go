package console

import (
	"maps"
	"strings"
	"testing"
	"time"

	"liandong/sip/snapshot/snapshottest"
)

// Who has signed in is signed in for the process to come, too, and no longer than that: by what is kept nobody gets in,
// and who has signed out, or was away for too long meanwhile, is not let in.
func TestSessionsOutliveTheProcess(t *testing.T) {
	const idle = time.Hour
	disk := map[string][]byte{}
	put := func(key string, value []byte) {
		if value == nil {
			delete(disk, key)
			return
		}
		disk[key] = value
	}
	began := func() *sessions {
		s := &sessions{put: put, all: map[[32]byte]*session{}}
		s.restore(maps.All(maps.Clone(disk)))
		return s
	}
	at := time.Unix(1712109600, 0)
	first := began()
	stays, leaves, late := first.begin("wang", "hash", "", at, idle), first.begin("wang", "hash", "", at, idle),
		first.begin("li", "hash", "", at, idle)
	first.sit(stays, "1101")
	first.end(leaves)
	before, _ := first.find(stays, at.Add(30*time.Minute), idle, true)
	for key, value := range disk {
		for _, secret := range []string{stays, leaves, late, "hash"} {
			if strings.Contains(key+string(value), secret) {
				t.Errorf("%q is kept", secret)
			}
		}
	}
	second := began()
	after, ok := second.find(stays, at.Add(80*time.Minute), idle, true)
	if !ok || after.name != "wang" || after.seat != "1101" || after.csrf != before.csrf ||
		after.password != digestOf("hash") {
		t.Errorf("%v %+v, it was %+v", ok, after, before)
	}
	if _, ok := second.find(leaves, at, idle, true); ok {
		t.Error("who has signed out is there")
	}
	if _, ok := second.find(late, at.Add(61*time.Minute), idle, true); ok {
		t.Error("who was away for too long is there")
	}
	disk["damaged"] = []byte("?")
	if third := began(); len(third.all) != 1 || disk["damaged"] != nil {
		t.Errorf("%d are there, %d kept", len(third.all), len(disk))
	}
}

// A session is read from the journal as it was written, field by field.
func TestSessionIsKept(t *testing.T) { snapshottest.Kept[stored](t) }
