package trace

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fxamacker/cbor/v2"

	"liandong/media/aging"
	"liandong/media/record"
	"liandong/sip/capture"
)

// Disk keeps entries in files, for calls that are no longer in memory and for the process to come. What is given to it
// never waits: what the disk does not take in time is dropped and counted.
//
// A file is a header and frames, one an entry. The header holds a magic, the id of the key that seals it and a salt; a
// frame its length, digests of its call and of its Call-ID (of a note: of the call's name at another switch), and the
// entry as CBOR, sealed with AES-256-GCM where there is a key: its nonce is its number in the file, and header and
// digests are its additional data. What a crash has torn at the end of a file is left out.
type Disk struct {
	cfg     DiskConfig
	log     *slog.Logger
	queue   chan any // capture.Entry, or chan struct{} that is closed when all before it is in the file
	done    chan struct{}
	wg      sync.WaitGroup
	count   struct{ bytes, dropped atomic.Int64 }
	stopped atomic.Bool
	ready   chan struct{} // closed when all files are known
	pause   time.Time     // the writer's: no file is begun before then
	opened  time.Time

	mu    sync.Mutex
	aging aging.Clock // guarded by mu; with the days of the files that were found
	files []*segment  // guarded by mu; the oldest first
}

// DiskConfig says where entries are kept, and for how long. Immutable.
type DiskConfig struct {
	Dir  string
	Keep time.Duration // older files go
	Max  int64         // bytes of all files; of more the oldest go
	Keys []record.Key  // the first seals, all open; none: not sealed
}

const (
	diskQueue   = 8192 // entries that wait for the disk
	segmentSize = 4 << 20
	segmentAge  = time.Hour
	segmentExt  = ".trace"
	diskMagic   = "LDTRACE\x01"
	keyIDSize   = 8
	saltSize    = 32
	diskHeader  = len(diskMagic) + keyIDSize + saltSize
	frameHead   = 4 + 8 + 8
	maxFrame    = 1 << 20
	purpose     = "trace file"
)

// segment is one file, by what is in it.
type segment struct {
	path  string
	began time.Time
	size  int64
	names map[uint64]bool // digests of calls, by either name, and of Call-IDs
}

// OpenDisk begins to keep.
func OpenDisk(cfg DiskConfig, log *slog.Logger) (*Disk, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	d := &Disk{cfg: cfg, log: log, queue: make(chan any, diskQueue), done: make(chan struct{}),
		ready: make(chan struct{}), opened: time.Now()}
	d.wg.Go(d.write)
	d.wg.Go(d.scan)
	return d, nil
}

// Put takes an entry.
func (d *Disk) Put(e capture.Entry) {
	select {
	case d.queue <- e:
	default:
		d.count.dropped.Add(1)
	}
}

// Stats are the bytes of all files, and the entries that the disk has not taken.
func (d *Disk) Stats() (size, dropped int64) {
	if d == nil {
		return 0, 0
	}
	return d.count.bytes.Load(), d.count.dropped.Load()
}

// Stop brings what waits to the file.
func (d *Disk) Stop() {
	if !d.stopped.Swap(true) {
		close(d.done)
	}
	d.wg.Wait()
}

// digest names a call or a Call-ID in the files.
func digest(kind byte, name string) uint64 {
	if name == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte{kind})
	_, _ = io.WriteString(h, name)
	return h.Sum64()
}

const (
	ofCall   = 'r'
	ofDialog = 'c'
)

// stored is an entry as it stands in a file.
type stored struct {
	At        int64 // nanoseconds since 1970
	Ref       string
	Also      string `cbor:",omitzero"` // of a note: what another switch calls the same call
	CallID    string `cbor:",omitzero"`
	Out       bool   `cbor:",omitzero"`
	Network   string `cbor:",omitzero"`
	Transport string `cbor:",omitzero"`
	Local     string `cbor:",omitzero"`
	Remote    string `cbor:",omitzero"`
	Text      []byte `cbor:",omitzero"`
	Fault     string `cbor:",omitzero"`
	Note      []byte `cbor:",omitzero"` // of a note
}

func storedOf(e capture.Entry) stored {
	if n := e.Note; n != nil {
		return stored{At: n.At.UnixNano(), Ref: n.Ref, Also: n.Also, Note: n.Data}
	}
	m := e.Message
	return stored{
		At: m.At.UnixNano(), Ref: m.Ref, CallID: m.CallID, Out: m.Out, Network: m.Network, Transport: m.Transport,
		Local: m.Local.String(), Remote: m.Remote.String(), Text: m.Text, Fault: m.Fault,
	}
}

// digests are its two names in the frame.
func (s stored) digests() (ref, second uint64) {
	if s.Note != nil {
		return digest(ofCall, s.Ref), digest(ofCall, s.Also)
	}
	return digest(ofCall, s.Ref), digest(ofDialog, s.CallID)
}

func (s stored) entry() capture.Entry {
	at := time.Unix(0, s.At)
	if s.Note != nil {
		return capture.Entry{Note: &capture.Note{At: at, Ref: s.Ref, Also: s.Also, Data: s.Note}}
	}
	local, _ := netip.ParseAddrPort(s.Local) // zero where it was not known
	remote, _ := netip.ParseAddrPort(s.Remote)
	return capture.Entry{Message: &capture.Message{
		At: at, Ref: s.Ref, CallID: s.CallID, Out: s.Out, Network: s.Network, Transport: s.Transport,
		Local: local, Remote: remote, Text: s.Text, Fault: s.Fault,
	}}
}

// writer writes one file. Owned by the goroutine that writes.
type writer struct {
	*segment
	box
	file *os.File
	out  *bufio.Writer
}

// write takes entries to the files until it is stopped.
func (d *Disk) write() {
	var w *writer
	defer func() { w.close() }()
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for {
		select {
		case one := <-d.queue:
			w = d.take(w, one)
			continue
		default:
		}
		if w != nil && w.out.Buffered() > 0 {
			w = d.flush(w)
		}
		select {
		case one := <-d.queue:
			w = d.take(w, one)
		case <-sweep.C:
			d.tidy()
		case <-d.done:
			for {
				select {
				case one := <-d.queue:
					w = d.take(w, one)
				default:
					return
				}
			}
		}
	}
}

// take does what the queue asks for, with the file that it goes on with.
func (d *Disk) take(w *writer, one any) *writer {
	if asked, ok := one.(chan struct{}); ok {
		w = d.flush(w)
		close(asked)
		return w
	}
	e := one.(capture.Entry)
	if w != nil && (w.size > segmentSize || time.Since(w.began) > segmentAge) {
		w.close()
		w = nil
		d.tidy()
	}
	if w == nil {
		var err error
		if time.Now().Before(d.pause) {
			d.count.dropped.Add(1)
			return nil
		}
		if w, err = d.begin(); err != nil {
			d.count.dropped.Add(1)
			return d.give(nil, err)
		}
	}
	if n, err := w.put(e, &d.mu); err != nil {
		d.count.dropped.Add(1)
		return d.give(w, err)
	} else {
		d.count.bytes.Add(n)
	}
	return w
}

// diskPause is for how long a disk that has failed is left alone.
const diskPause = 10 * time.Second

// flush writes what waits in memory; the file that is gone on with.
func (d *Disk) flush(w *writer) *writer {
	if w == nil {
		return nil
	}
	if err := w.out.Flush(); err != nil {
		return d.give(w, err)
	}
	return w
}

// give leaves a file that takes no more.
func (d *Disk) give(w *writer, err error) *writer {
	d.pause = time.Now().Add(diskPause)
	d.log.Error("what is kept of calls' messages cannot be written", "dir", d.cfg.Dir, "err", err)
	w.close()
	return nil
}

func (d *Disk) begin() (*writer, error) {
	head := append([]byte(diskMagic), make([]byte, keyIDSize+saltSize)...)
	_, _ = rand.Read(head[len(head)-saltSize:]) // never fails, crypto/rand says
	if len(d.cfg.Keys) > 0 {
		id, _ := hex.DecodeString(d.cfg.Keys[0].ID())
		copy(head[len(diskMagic):], id)
	}
	b, err := openBox(head, d.cfg.Keys)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s := &segment{began: now, size: int64(len(head)), names: map[uint64]bool{}}
	s.path = filepath.Join(d.cfg.Dir, fmt.Sprintf("%020d-%x%s", now.UnixNano(), head[len(head)-4:], segmentExt))
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := &writer{segment: s, box: b, file: f, out: bufio.NewWriterSize(f, 64<<10)}
	if _, err := w.out.Write(head); err != nil {
		_ = f.Close()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.without(d.files, s.path), s) // the scan may have found what had just been begun
	d.count.bytes.Add(s.size)
	return w, nil
}

// put appends an entry; names and size are guarded by mu.
func (w *writer) put(e capture.Entry, mu *sync.Mutex) (int64, error) {
	s := storedOf(e)
	text, err := cbor.Marshal(s)
	if err != nil {
		return 0, err
	}
	ref, second := s.digests()
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(text)+w.overhead()))
	frame = binary.BigEndian.AppendUint64(frame, ref)
	frame = binary.BigEndian.AppendUint64(frame, second)
	frame = w.seal(frame, text)
	if _, err := w.out.Write(frame); err != nil {
		return 0, err
	}
	mu.Lock()
	defer mu.Unlock()
	w.names[ref], w.names[second] = true, true
	w.size += int64(len(frame))
	return int64(len(frame)), nil
}

func (w *writer) close() {
	if w != nil {
		_ = w.out.Flush() // nothing is to be done about a disk that fails
		_ = w.file.Close()
	}
}

// scan finds what processes before have left.
func (d *Disk) scan() {
	defer close(d.ready)
	paths, _ := filepath.Glob(filepath.Join(d.cfg.Dir, "*"+segmentExt)) // the pattern is a good one
	slices.Sort(paths)
	var found []*segment
	for _, path := range paths {
		select {
		case <-d.done:
			return
		default:
		}
		if d.knows(path) {
			continue
		}
		if s, err := readSegment(path); err == nil {
			found = append(found, s)
			d.count.bytes.Add(s.size)
		}
	}
	d.mu.Lock()
	d.aging.Found = daysOf(found)
	for _, s := range d.files { // begun by this process meanwhile
		found = d.without(found, s.path)
	}
	d.files = append(found, d.files...)
	d.mu.Unlock()
	d.tidy()
}

// daysOf are the days on which files were begun, in order.
func daysOf(files []*segment) (days []time.Time) {
	for _, s := range files {
		days = append(days, s.began.Truncate(24*time.Hour))
	}
	slices.SortFunc(days, time.Time.Compare)
	return slices.Compact(days)
}

// without takes a file out of a list, and out of the account. Caller holds mu.
func (d *Disk) without(files []*segment, path string) []*segment {
	return slices.DeleteFunc(files, func(s *segment) bool {
		if s.path != path {
			return false
		}
		d.count.bytes.Add(-s.size)
		return true
	})
}

func (d *Disk) knows(path string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.files, func(s *segment) bool { return s.path == path })
}

// readSegment reads which calls are in a file, without opening what is sealed.
func readSegment(path string) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &segment{path: path, began: info.ModTime(), size: info.Size(), names: map[uint64]bool{}}
	in := bufio.NewReaderSize(f, 256<<10)
	if _, err := in.Discard(diskHeader); err != nil {
		return s, nil
	}
	for {
		n, ref, second, err := readHead(in)
		if err != nil {
			return s, nil
		}
		s.names[ref], s.names[second] = true, true
		if _, err := in.Discard(n); err != nil {
			return s, nil
		}
	}
}

var errTorn = errors.New("trace: a file ends in the middle of an entry")

func readHead(in io.Reader) (n int, ref, second uint64, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, 0, 0, err
	}
	n = int(binary.BigEndian.Uint32(head[:]))
	if n > maxFrame {
		return 0, 0, 0, errTorn
	}
	return n, binary.BigEndian.Uint64(head[4:]), binary.BigEndian.Uint64(head[12:]), nil
}

// tidy is sweep by the wall clock as it is now, without what Go's clock has beside it: it may have been set.
func (d *Disk) tidy() { d.sweep(time.Now().Round(0), time.Since(d.opened)) }

// sweep deletes what is too old or too much, and never the newest file. run is for how long the process has run.
func (d *Disk) sweep(wall time.Time, run time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	total, now := int64(0), d.aging.At(wall, run)
	for _, s := range d.files {
		total += s.size
	}
	for i := 0; i < len(d.files)-1; {
		old := d.files[i]
		if total <= d.cfg.Max && now.Sub(old.began) <= d.cfg.Keep+segmentAge {
			i++
			continue
		}
		if err := os.Remove(old.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.log.Error("what is kept of calls' messages cannot be deleted", "file", old.path, "err", err)
			return
		}
		d.files = slices.Delete(d.files, i, i+1)
		total -= old.size
		d.count.bytes.Add(-old.size)
	}
}

// diskPatience is how long somebody waits for what is on its way to the disk.
const diskPatience = 5 * time.Second

// Of reads what the files have of a call, by its name here or at another switch, and of dialogs: also what of these was
// not known to be the call's when it came.
func (d *Disk) Of(ref string, dialogs []string) (all []capture.Entry) {
	late := time.NewTimer(diskPatience)
	defer late.Stop()
	flushed := make(chan struct{})
	select {
	case d.queue <- flushed:
	case <-late.C:
	}
	for _, c := range []chan struct{}{d.ready, flushed} {
		select {
		case <-c:
		case <-d.done:
			return nil
		case <-late.C:
		}
	}
	want := wanted{ref: ref, dialogs: dialogs}
	for more := true; more; {
		all = d.read(want)
		want, more = want.with(all)
	}
	return all
}

// wanted are the entries of a call and of some dialogs.
type wanted struct {
	ref     string
	names   []string // of the same call at other switches
	dialogs []string
}

// with adds what entries tell: the other names of the call, and its dialogs. False: nothing that is not known.
func (w wanted) with(all []capture.Entry) (further wanted, more bool) {
	further = w
	add := func(to *[]string, name string) {
		if name != "" && name != w.ref && !slices.Contains(*to, name) {
			*to, more = append(slices.Clip(*to), strings.Clone(name)), true
		}
	}
	for _, e := range all {
		switch n := e.Note; {
		case n == nil:
			add(&further.dialogs, e.Message.CallID)
		case n.Also == w.ref:
			add(&further.names, n.Ref)
		case n.Ref == w.ref:
			add(&further.names, n.Also)
		}
	}
	return further, more
}

// digests are their names in the files.
func (w wanted) digests() map[uint64]bool {
	names := map[uint64]bool{digest(ofCall, w.ref): true}
	for _, name := range w.names {
		names[digest(ofCall, name)] = true
	}
	for _, id := range w.dialogs {
		names[digest(ofDialog, id)] = true
	}
	delete(names, 0)
	return names
}

// has says that an entry is one of them: a digest alone proves nothing, as who calls chooses his Call-ID.
func (w wanted) has(s stored) bool {
	return s.Ref == w.ref || s.Also == w.ref || slices.Contains(w.names, s.Ref) || slices.Contains(w.dialogs, s.CallID)
}

// read takes entries from the files.
func (d *Disk) read(want wanted) (all []capture.Entry) {
	names := want.digests()
	d.mu.Lock()
	var paths []string
	for _, s := range d.files {
		for name := range names {
			if s.names[name] {
				paths = append(paths, s.path)
				break
			}
		}
	}
	d.mu.Unlock()
	for _, path := range paths {
		found, err := readEntries(path, d.cfg.Keys, want)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			d.log.Warn("a file of calls' messages cannot be read to its end", "file", filepath.Base(path), "err", err)
		}
		all = append(all, found...)
	}
	capture.Sort(all)
	return all
}

// readEntries reads entries from one file, as far as it is whole.
func readEntries(path string, keys []record.Key, want wanted) (all []capture.Entry, err error) {
	names := want.digests()
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	head := make([]byte, diskHeader)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, nil // it has just begun
	}
	b, err := openBox(head, keys)
	if err != nil {
		return nil, err
	}
	for ; ; b.number++ {
		n, ref, second, err := readHead(in)
		if err != nil {
			if errors.Is(err, errTorn) {
				return all, err
			}
			return all, nil
		}
		if !names[ref] && !names[second] {
			if _, err := in.Discard(n); err != nil {
				return all, nil
			}
			continue
		}
		frame := binary.BigEndian.AppendUint32(nil, uint32(n))
		frame = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(frame, ref), second)
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return all, nil
		}
		if text, err = b.open(frame, text); err != nil {
			return all, err
		}
		var s stored
		if err := cbor.Unmarshal(text, &s); err != nil {
			return all, err
		}
		if want.has(s) {
			all = append(all, s.entry())
		}
	}
}

// union is what either has, each once, in order of time.
func union(a, b []capture.Entry) []capture.Entry {
	type id struct {
		at   int64
		text string
	}
	seen := map[id]bool{}
	var all []capture.Entry
	for _, e := range slices.Concat(a, b) {
		k := id{storedOf(e).At, ""}
		if e.Message != nil {
			k.text = e.Message.CallID + string(e.Message.Text) + e.Message.Fault
		} else {
			k.text = string(e.Note.Data)
		}
		if !seen[k] {
			seen[k] = true
			all = append(all, e)
		}
	}
	capture.Sort(all)
	return all
}

// dialogsOf are the Call-IDs of messages.
func dialogsOf(all []capture.Entry) (ids []string) {
	for _, e := range all {
		if e.Message != nil && !slices.Contains(ids, e.Message.CallID) {
			ids = append(ids, strings.Clone(e.Message.CallID))
		}
	}
	return ids
}
