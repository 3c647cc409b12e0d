package engine

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// posted announces a datum to the nodes that read it. One with readers both
// here and elsewhere is announced once for each way it goes.
func (n *Node) posted(e *Event) {
	if !n.current(e.Invocation, false) {
		return
	}
	d := n.deployments[e.Invocation.Epoch]
	here := false
	for _, to := range d.Readers(e.Invocation.Workflow, e.Function, int32(e.Number)) {
		switch {
		case to == n.id:
			here = e.Way&data.Pipe == 0
		case e.Way&^data.Memory != 0:
			n.Send(Message{Kind: MessageData, To: to, Call: int32(e.Number), Way: e.Way, Handle: e.Handle, Subject: e.Subject})
		}
	}
	if e.Way&data.Memory != 0 {
		n.keep(e.Subject, int32(e.Number))
	}
	if here {
		arrived := *e
		arrived.Kind = EventArrived
		n.match(&arrived)
	}
	n.control.Handle(*e)
}

// announced takes in a datum that another node has announced. What is not
// carried by the message, or in the store, has yet to come.
func (n *Node) announced(m *Message) {
	e := Event{Kind: EventArrived, Number: int64(m.Call), Message: *m}
	if m.Way&data.Pipe != 0 {
		f := n.effects.add(EffectPrefetch)
		f.Number, f.Message = int64(m.Call), *m
		if !n.system.Rules.EarlyStart {
			return
		}
	}
	n.match(&e)
}

// arrived takes in a datum whose last byte is here.
func (n *Node) arrived(e *Event) {
	if n.current(e.Invocation, false) && !n.system.Rules.EarlyStart {
		n.match(e)
	}
}

// match lets the scheme find out who waits for a datum, now or in its turn.
func (n *Node) match(e *Event) {
	tick := n.system.Rules.MatchTick
	if tick == 0 {
		n.control.Handle(*e)
		return
	}
	n.unmatched = append(n.unmatched, *e)
	if !n.matching {
		n.matching = true
		n.SetTimer(Timer{Kind: TimerMatch}, max((n.now+tick-1)/tick*tick, n.matched+tick))
	}
}

// matchNext serves the datum that has waited for longest.
func (n *Node) matchNext() {
	n.matching = false
	for len(n.unmatched) > 0 {
		e := n.unmatched[0]
		n.unmatched = append(n.unmatched[:0], n.unmatched[1:]...)
		if !n.current(e.Invocation, false) {
			continue // Its invocation has ended meanwhile.
		}
		n.matched = n.now
		n.control.Handle(e)
		break
	}
	if len(n.unmatched) > 0 {
		n.matching = true
		n.SetTimer(Timer{Kind: TimerMatch}, n.now+n.system.Rules.MatchTick)
	}
}

// emptyList announces a list without items to those who read all of it.
func (n *Node) emptyList(e *Event) {
	if n.system.Inboxes == nil || e.Items > 0 {
		return
	}
	posted := *e
	posted.Kind, posted.Way = EventPosted, data.Inline
	n.posted(&posted)
}

// sink is the data that a node keeps in memory for those nearby: streamed data
// with readers both here and elsewhere, and those with readers only here. They
// are dropped when the last reader has ended, and moved to disk when they
// have waited for it too long.
type sink struct {
	// first is the datum that has been kept for longest. Times and lifetimes
	// are in one order.
	data        []kept
	free        []uint32
	first, last uint32
	armed       bool
}

// kept is one datum.
type kept struct {
	subject        Subject
	output         int32
	readers        int32 // instances that have yet to read it
	until          Time
	previous, next uint32 // in the order of time
	sibling        uint32 // of the same invocation
	spilled        bool
}

// keep notes that a datum is in memory, if anyone here will read it.
func (n *Node) keep(s Subject, output int32) {
	if n.system.Rules.MemoryLifetime == 0 {
		return
	}
	readers := n.readersHere(&s, output)
	if readers == 0 || n.keptAt(&s, output) != none {
		return
	}
	k := &n.sink
	var at uint32
	if last := len(k.free) - 1; last >= 0 {
		at = k.free[last]
		k.free = k.free[:last]
	} else {
		at = uint32(len(k.data))
		k.data = append(k.data, kept{})
		if at == 0 {
			k.first, k.last = none, none
		}
	}
	slot := n.slot(s.Invocation)
	k.data[at] = kept{
		subject: s, output: output, readers: readers, until: n.now + n.system.Rules.MemoryLifetime,
		previous: k.last, next: none, sibling: slot.kept,
	}
	slot.kept = at
	if k.last != none {
		k.data[k.last].next = at
	} else {
		k.first = at
	}
	k.last = at
	n.watchSink()
}

// readersHere counts the instances on this node that read a datum; 0 if it is
// not known how many there are.
func (n *Node) readersHere(s *Subject, output int32) int32 {
	d := n.deployments[s.Invocation.Epoch]
	inbox := n.system.Inboxes[s.Invocation.Workflow]
	readers := int32(0)
	for _, r := range inbox.Readers(s.Function, output) {
		if d.node[s.Invocation.Workflow][r.Function] != n.id {
			continue
		}
		if !inbox.Single(r) {
			return 0 // It is kept until the invocation ends.
		}
		readers++
	}
	return readers
}

// keptAt returns where a datum is kept, or none.
func (n *Node) keptAt(s *Subject, output int32) uint32 {
	for at := n.slot(s.Invocation).kept; at != none; at = n.sink.data[at].sibling {
		if k := &n.sink.data[at]; k.output == output && k.subject.Function == s.Function && k.subject.Path == s.Path {
			return at
		}
	}
	return none
}

// hasRead lets go of the data that a task which has ended was the last to read.
func (n *Node) hasRead(subject *Subject) {
	w := n.Workflow(subject.Invocation)
	for at := n.slot(subject.Invocation).kept; at != none; {
		k := &n.sink.data[at]
		next := k.sibling
		for i := range w.Functions[subject.Function].Inputs {
			in := &w.Functions[subject.Function].Inputs[i]
			if in.From != k.subject.Function || in.Output != k.output || !reads(&subject.Path, &k.subject.Path) {
				continue
			}
			if k.readers--; k.readers == 0 {
				drop := n.effects.add(EffectDrop)
				drop.Subject, drop.Number = k.subject, int64(k.output)
				n.unkeep(at)
				break
			}
		}
		at = next
	}
}

// reads reports whether an instance at path reads a datum at another: one
// leads to the other.
func reads(path, datum *workflow.Path) bool {
	depth := min(path.Depth(), datum.Depth())
	return path.Outer(depth) == datum.Outer(depth)
}

// unkeep forgets a datum.
func (n *Node) unkeep(at uint32) {
	k := n.sink.data[at]
	n.unlinkKept(at)
	slot := n.slot(k.subject.Invocation)
	if slot.kept == at {
		slot.kept = k.sibling
	} else {
		for s := slot.kept; ; s = n.sink.data[s].sibling {
			if n.sink.data[s].sibling == at {
				n.sink.data[s].sibling = k.sibling
				break
			}
		}
	}
	n.sink.free = append(n.sink.free, at)
}

// unlinkKept takes a datum out of the order of time, if it is still in it.
func (n *Node) unlinkKept(at uint32) {
	k := &n.sink.data[at]
	if k.spilled {
		return
	}
	if k.previous != none {
		n.sink.data[k.previous].next = k.next
	} else {
		n.sink.first = k.next
	}
	if k.next != none {
		n.sink.data[k.next].previous = k.previous
	} else {
		n.sink.last = k.previous
	}
}

// unkeepAll forgets the data of an invocation.
func (n *Node) unkeepAll(i Invocation) {
	for at := n.slot(i).kept; at != none; {
		next := n.sink.data[at].sibling
		n.unlinkKept(at)
		n.sink.free = append(n.sink.free, at)
		at = next
	}
	n.slot(i).kept = none
}

// spill moves to disk what has been in memory for too long.
func (n *Node) spill() {
	n.sink.armed = false
	k := &n.sink
	for len(k.data) > len(k.free) && k.first != none && k.data[k.first].until <= n.now {
		at := k.first
		e := n.effects.add(EffectSpill)
		e.Subject, e.Number = k.data[at].subject, int64(k.data[at].output)
		n.unlinkKept(at)
		k.data[at].spilled = true
	}
	n.watchSink()
}

func (n *Node) watchSink() {
	k := &n.sink
	if !k.armed && len(k.data) > len(k.free) && k.first != none {
		k.armed = true
		n.SetTimer(Timer{Kind: TimerLifetime}, max(k.data[k.first].until, n.now))
	}
}

// AnnounceDead tells all nodes that wait for data of an instance, or of all
// below a path, that none will come, and one more unless it is NoNode. It
// returns whether this node is among them; schemes see to that themselves.
func (n *Node) AnnounceDead(s Subject, also NodeID) (here bool) {
	d := n.deployments[s.Invocation.Epoch]
	w := s.Invocation.Workflow
	readers := d.readers[w][d.firstOut[w][s.Function]:d.firstOut[w][s.Function+1]]
	for to := range NodeID(n.system.Cluster.Nodes()) {
		if to != also && !slices.ContainsFunc(readers, func(nodes []NodeID) bool { return slices.Contains(nodes, to) }) {
			continue
		}
		if to == n.id {
			here = true
		} else {
			n.Send(Message{Kind: MessageDead, To: to, Subject: s})
		}
	}
	return here
}
