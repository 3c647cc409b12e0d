package sim

import (
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
)

// network shares links among flows, max-min fairly: no flow can get more
// without taking it from one that has less, or no more.
//
// Flows over the same links with the same cap form a class. They have equal
// rates at all times, so a class is one sharing with one clock, and a change
// costs a solve over the classes in use, never a scan of flows. Classes that
// no chain of common links connects are solved apart from each other; and
// where one link provably limits all its flows, it is a plain server.
type network struct {
	links   []link
	classes []class
	domains []domain
}

type linkID int32
type classID int32

// link is one direction of one resource that transfers pass.
type link struct {
	capacity float64   // bytes per ns
	classes  []classID // that have flows

	// During a solve.
	remaining float64
	unfrozen  int
	share     float64
}

type class struct {
	links  []linkID
	limit  float64 // most that one flow gets, bytes per ns
	domain int32
	flows  int
	// Of a class that is solved with others:
	sharing
	ends     engine.Time // when its first flow will end
	position []int32     // in the lists of its links
	active   int32       // position in the list of its domain
	frozen   bool
}

// domain is a set of classes that may take bandwidth from each other.
type domain struct {
	// single is the server that stands for all classes, if one link limits
	// them all.
	single *server
	links  []linkID
	active []classID
	dirty  bool
	armed  engine.Time
	seq    uint32
}

// addLink adds a link with a capacity in bytes per ns.
func (n *network) addLink(capacity float64) linkID {
	n.links = append(n.links, link{capacity: capacity})
	return linkID(len(n.links) - 1)
}

// addClass adds a class of flows that pass the given links. limit caps each
// single flow; math.Inf(1) for none.
func (n *network) addClass(limit float64, links ...linkID) classID {
	n.classes = append(n.classes, class{
		links: links, limit: limit, sharing: sharing{}, ends: never, position: make([]int32, len(links)), active: -1,
	})
	return classID(len(n.classes) - 1)
}

// connect divides the classes into domains, after all have been added. With
// fixed, capacities will not change, so that domains with one limiting link
// can be solved by looking at that one alone.
func (n *network) connect(fixed bool) {
	root := make([]int, len(n.links))
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, c := range n.classes {
		for _, l := range c.links[1:] {
			root[find(int(l))] = find(int(c.links[0]))
		}
	}
	number := map[int]int32{}
	for i := range n.classes {
		c := &n.classes[i]
		r := find(int(c.links[0]))
		d, known := number[r]
		if !known {
			d = int32(len(n.domains))
			number[r] = d
			n.domains = append(n.domains, domain{armed: never})
		}
		c.domain = d
	}
	for l := range n.links {
		if d, known := number[find(l)]; known {
			n.domains[d].links = append(n.domains[d].links, linkID(l))
		}
	}
	if fixed {
		for d := range n.domains {
			n.simplify(int32(d))
		}
	}
}

// simplify finds a link of the domain that every class passes and that is no
// wider than any other: it limits all flows, whatever their number.
func (n *network) simplify(d int32) {
	domain := &n.domains[d]
	narrowest := domain.links[0]
	for _, l := range domain.links {
		if n.links[l].capacity < n.links[narrowest].capacity {
			narrowest = l
		}
	}
	candidates := slices.DeleteFunc(slices.Clone(domain.links), func(l linkID) bool {
		return n.links[l].capacity > n.links[narrowest].capacity
	})
	limit := math.NaN()
	for i := range n.classes {
		c := &n.classes[i]
		if c.domain != d {
			continue
		}
		candidates = slices.DeleteFunc(candidates, func(l linkID) bool { return !slices.Contains(c.links, l) })
		if math.IsNaN(limit) {
			limit = c.limit
		}
		if c.limit != limit {
			return
		}
	}
	if len(candidates) > 0 {
		s := newServer(n.links[narrowest].capacity, limit)
		domain.single = &s
	}
}

// start begins a flow of a class, and returns what tells its entry from those
// of earlier flows with the same job number.
func (n *network) start(now engine.Time, id classID, job uint32, bytes float64) (seq uint32) {
	c := &n.classes[id]
	d := &n.domains[c.domain]
	if d.single != nil {
		return d.single.start(now, job, bytes, 1)
	}
	c.advance(now)
	seq = d.seq
	c.add(job, bytes, seq)
	d.seq++
	if c.flows++; c.flows == 1 {
		n.activate(d, id)
	}
	d.dirty = true
	return seq
}

// leave takes a flow that has ended, or was cancelled, off the links.
func (n *network) leave(now engine.Time, id classID) {
	c := &n.classes[id]
	d := &n.domains[c.domain]
	if d.single != nil {
		d.single.leave(now, 1)
		return
	}
	c.advance(now)
	if c.flows--; c.flows == 0 {
		n.deactivate(d, id)
	}
	d.dirty = true
}

func (n *network) activate(d *domain, id classID) {
	c := &n.classes[id]
	c.active = int32(len(d.active))
	d.active = append(d.active, id)
	for i, l := range c.links {
		link := &n.links[l]
		c.position[i] = int32(len(link.classes))
		link.classes = append(link.classes, id)
	}
}

func (n *network) deactivate(d *domain, id classID) {
	c := &n.classes[id]
	last := d.active[len(d.active)-1]
	d.active[c.active] = last
	n.classes[last].active = c.active
	d.active = d.active[:len(d.active)-1]
	for i, l := range c.links {
		link := &n.links[l]
		last := link.classes[len(link.classes)-1]
		link.classes[c.position[i]] = last
		moved := &n.classes[last]
		for j := range moved.links {
			if moved.links[j] == l {
				moved.position[j] = c.position[i]
			}
		}
		link.classes = link.classes[:len(link.classes)-1]
	}
	c.active, c.ends = -1, never
	c.heap = c.heap[:0] // Only cancelled flows can be left.
}

// resize changes the capacity of a link, and returns the domain that has to be
// solved again, if any.
func (n *network) resize(id linkID, capacity float64) []int32 {
	n.links[id].capacity = capacity
	for i := range n.domains {
		if slices.Contains(n.domains[i].links, id) {
			n.domains[i].dirty = true
			return []int32{int32(i)}
		}
	}
	return nil
}

// solve finds the rates of all classes of a domain by progressive filling:
// all rates grow alike until a link is full, whose classes are then frozen.
func (n *network) solve(now engine.Time, d *domain) {
	d.dirty = false
	left := len(d.active)
	for _, l := range d.links {
		link := &n.links[l]
		link.unfrozen = 0
		link.remaining = link.capacity
		for _, c := range link.classes {
			link.unfrozen += n.classes[c].flows
		}
		if link.unfrozen > 0 {
			link.share = link.remaining / float64(link.unfrozen)
		}
	}
	capped := false
	for _, c := range d.active {
		n.classes[c].frozen = false
		capped = capped || !math.IsInf(n.classes[c].limit, 1)
	}
	for left > 0 {
		full := linkID(-1)
		least := math.Inf(1)
		for _, l := range d.links {
			if link := &n.links[l]; link.unfrozen > 0 && link.share < least {
				full, least = l, link.share
			}
		}
		if capped {
			if c := n.tightest(d, least); c >= 0 {
				n.freeze(now, c, n.classes[c].limit)
				left--
				continue
			}
		}
		for _, c := range n.links[full].classes {
			if !n.classes[c].frozen {
				n.freeze(now, c, least)
				left--
			}
		}
	}
}

// tightest returns the class, of those not frozen, with the least limit below
// a share; -1 if there is none.
func (n *network) tightest(d *domain, share float64) classID {
	tightest := classID(-1)
	for _, c := range d.active {
		if class := &n.classes[c]; !class.frozen && class.limit < share {
			tightest, share = c, class.limit
		}
	}
	return tightest
}

// freeze settles the rate of a class.
func (n *network) freeze(now engine.Time, id classID, rate float64) {
	c := &n.classes[id]
	c.frozen = true
	c.advance(now)
	c.speed = rate
	c.ends = c.next()
	for _, l := range c.links {
		link := &n.links[l]
		if link.unfrozen -= c.flows; link.unfrozen > 0 {
			link.remaining = max(0, link.remaining-rate*float64(c.flows))
			link.share = link.remaining / float64(link.unfrozen)
		}
	}
}

// rearm solves a domain if anything has changed, and returns the time for
// which an event must be scheduled, or false if one that is scheduled already
// will do.
func (n *network) rearm(now engine.Time, at int32) (engine.Time, bool) {
	d := &n.domains[at]
	if d.single != nil {
		return d.single.rearm()
	}
	if d.dirty {
		n.solve(now, d)
	}
	first := never
	for _, c := range d.active {
		first = min(first, n.classes[c].ends)
	}
	if first < d.armed {
		d.armed = first
		return first, true
	}
	return 0, false
}

// fired takes note that an event scheduled for a domain has come.
func (n *network) fired(now engine.Time, at int32) {
	d := &n.domains[at]
	if d.single != nil {
		d.single.fired(now)
	} else if d.armed <= now {
		d.armed = never
	}
}

// due removes a flow of the domain that has ended by now.
func (n *network) due(now engine.Time, at int32) (ended entry, ok bool) {
	d := &n.domains[at]
	if d.single != nil {
		return d.single.due()
	}
	for _, id := range d.active {
		c := &n.classes[id]
		if c.ends > now {
			continue
		}
		c.advance(now)
		if ended, ok = c.due(); ok {
			return ended, true
		}
		c.ends = c.next()
	}
	return entry{}, false
}
