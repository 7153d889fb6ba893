package ua

import (
	"container/list"
	"net/netip"
)

// unproven holds the connections of unknown peers, by the host that they are of, so that it costs the same to take one
// more however many there are. It is guarded by its table's mu.
type unproven struct {
	size  int
	hosts map[netip.Addr]*list.List   // of *conn, the oldest first
	sized map[int]map[netip.Addr]bool // hosts by how many connections they have
	most  int                         // the largest of these numbers
	place map[*conn]*list.Element     // in the list of its host
}

func newUnproven() unproven {
	return unproven{
		hosts: map[netip.Addr]*list.List{}, sized: map[int]map[netip.Addr]bool{}, place: map[*conn]*list.Element{},
	}
}

func (w *unproven) add(c *conn) {
	host := c.key.remote.Addr()
	if w.hosts[host] == nil {
		w.hosts[host] = list.New()
	}
	w.place[c] = w.hosts[host].PushBack(c)
	w.size++
	w.resize(host, w.hosts[host].Len()-1, w.hosts[host].Len())
}

func (w *unproven) remove(c *conn) {
	at, ok := w.place[c]
	if !ok {
		return
	}
	host := c.key.remote.Addr()
	delete(w.place, c)
	w.hosts[host].Remove(at)
	w.size--
	n := w.hosts[host].Len()
	if n == 0 {
		delete(w.hosts, host)
	}
	w.resize(host, n+1, n)
}

// resize notes that a host has one connection more or less.
func (w *unproven) resize(host netip.Addr, was, is int) {
	if delete(w.sized[was], host); len(w.sized[was]) == 0 {
		delete(w.sized, was)
	}
	if is > 0 {
		if w.sized[is] == nil {
			w.sized[is] = map[netip.Addr]bool{}
		}
		w.sized[is][host] = true
	}
	if is > w.most || w.most == was && len(w.sized[was]) == 0 {
		w.most = is
	}
}

// idlest is the oldest connection of a host that has most of them; nil: there is none.
func (w *unproven) idlest() *conn {
	for host := range w.sized[w.most] {
		return w.hosts[host].Front().Value.(*conn)
	}
	return nil
}
