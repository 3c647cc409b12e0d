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
	// single is the server that stands for the class and all that share a
	// link with it, if one link limits them all. What follows is of classes
	// that are solved with others.
	single *server
	flows  int
	sharing
	ends     engine.Time // when its first flow will end
	position []int32     // in the lists of its links
	active   int32       // position in the list of its domain
	frozen   bool
}

// domain is a set of classes that may take bandwidth from each other.
type domain struct {
	links  []linkID
	active []classID
	dirty  bool
	// coming are flows that begin a little later; see server.
	coming fifo[comingFlow]

	touched bool
	armed   engine.Time
}

// comingFlow is a flow of a class that is coming.
type comingFlow struct {
	coming
	class classID
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
	if len(candidates) == 0 {
		return
	}
	single := newServer(n.links[narrowest].capacity, limit)
	for i := range n.classes {
		if n.classes[i].domain == d {
			n.classes[i].single = single
		}
	}
}

// start begins a flow of a class, whose domain is not a single server.
func (n *network) start(now engine.Time, id classID, j *job, bytes float64) {
	c := &n.classes[id]
	d := &n.domains[c.domain]
	n.advance(now, d)
	n.begin(now, d, id, j, bytes)
}

func (n *network) begin(now engine.Time, d *domain, id classID, j *job, bytes float64) {
	c := &n.classes[id]
	c.tick(now)
	c.add(j, bytes)
	if c.flows++; c.flows == 1 {
		n.activate(d, id)
	}
	d.dirty = true
}

// startAfter begins a flow of a class when a delay is over, which is the same
// for all flows of a domain.
func (n *network) startAfter(now, delay engine.Time, id classID, j *job, bytes float64) {
	d := &n.domains[n.classes[id].domain]
	n.advance(now, d)
	d.coming.push(comingFlow{coming{at: now + delay, work: bytes, job: *j}, id})
}

// advance lets flows that were coming begin, each at its time.
func (n *network) advance(now engine.Time, d *domain) {
	for d.coming.len() > 0 && d.coming.peek().at <= now {
		f := d.coming.pop()
		if d.dirty {
			n.solve(f.at, d)
		}
		n.begin(f.at, d, f.class, &f.job, f.work)
		n.solve(f.at, d)
	}
}

// leave takes a flow that has ended off the links.
func (n *network) leave(now engine.Time, id classID) {
	c := &n.classes[id]
	d := &n.domains[c.domain]
	c.tick(now)
	if c.flows--; c.flows == 0 {
		n.deactivate(d, id)
	}
	d.dirty = true
}

// cancel takes the flows of a task off the links of a class.
func (n *network) cancel(now engine.Time, id classID, task uint32) {
	c := &n.classes[id]
	d := &n.domains[c.domain]
	n.advance(now, d)
	for range c.remove(task) {
		n.leave(now, id)
	}
	d.coming.deleteFunc(func(f comingFlow) bool { return f.class == id && f.job.task == task })
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
	c.tick(now)
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
	if d.dirty {
		n.solve(now, d)
	}
	first := never
	for _, c := range d.active {
		first = min(first, n.classes[c].ends)
	}
	if d.coming.len() > 0 {
		first = min(first, d.coming.peek().at)
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
	if d.armed <= now {
		d.armed = never
	}
	n.advance(now, d)
}

// due removes a flow of the domain that has ended by now, and tells its class.
func (n *network) due(now engine.Time, at int32) (ended job, of classID, ok bool) {
	d := &n.domains[at]
	for _, id := range d.active {
		c := &n.classes[id]
		if c.ends > now {
			continue
		}
		c.tick(now)
		if c.due() {
			return c.take(), id, true
		}
		c.ends = c.next()
	}
	return job{}, 0, false
}
