package ticket

import "sync"

// Recent remembers the newest entry of each of the stubs that were written last, so that what comes later for one can
// be told with all that is known of it, also while Redis is away. Safe for use by several goroutines.
type Recent struct {
	most int

	mu     sync.Mutex
	byStub map[string]Entry // guarded by mu
	order  []string         // stubs, the one opened first at the head; guarded by mu
}

// NewRecent remembers as many stubs.
func NewRecent(most int) *Recent { return &Recent{most: most, byStub: map[string]Entry{}} }

// Note takes in an entry; of a stub too many the oldest is forgotten.
func (r *Recent) Note(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.byStub[e.StubID]; !ok {
		if len(r.order) >= r.most {
			delete(r.byStub, r.order[0])
			r.order = r.order[1:]
		}
		r.order = append(r.order, e.StubID)
	}
	e.Place, e.RegionCode, e.Title, e.Content = "", "", "", "" // long, and not said again
	r.byStub[e.StubID] = e
}

// Find gives the newest entry of a stub.
func (r *Recent) Find(stub string) (Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.byStub[stub]
	return e, ok
}
