//go:build invariants

package engine

import (
	"fmt"
	"slices"
)

// checkTime makes sure that time does not go back.
func (n *Node) checkTime(now Time) {
	if now < n.now {
		panic(fmt.Sprintf("node %d: time went back from %d to %d", n.id, n.now, now))
	}
}

// check looks through the whole state of a node after every event, in builds
// with the tag invariants, which tests use. It panics when something is wrong,
// because nothing that follows would mean anything.
func (n *Node) check() {
	for _, problem := range []string{n.wrongSink(), n.wrongMatching(), n.wrongTasks(), n.wrongContainers(), n.wrongPools(), n.wrongSlots(), n.wrongGateway()} {
		if problem != "" {
			panic(fmt.Sprintf("node %d: %s", n.id, problem))
		}
	}
}

// wrongTasks: every task is either free, or one of an open invocation, and
// then either in its pool's queue or in a container.
func (n *Node) wrongTasks() string {
	w := &n.worker
	used := map[uint32]bool{}
	for wf := range n.slots {
		for at := range n.slots[wf] {
			s := &n.slots[wf][at]
			if !s.open && s.tasks != none {
				return fmt.Sprintf("invocation %v has ended and has tasks", s.occupant(WorkflowID(wf), uint32(at)))
			}
			younger := none
			for t := s.tasks; t != none; t = w.tasks.At(t).older {
				task := w.tasks.At(t)
				if used[t] || task.younger != younger {
					return fmt.Sprintf("the list of the tasks of %v is broken", task.subject.Invocation)
				}
				used[t], younger = true, t
				if task.subject.Invocation != s.occupant(WorkflowID(wf), uint32(at)) {
					return fmt.Sprintf("%v is among the tasks of %v", task.subject, s.occupant(WorkflowID(wf), uint32(at)))
				}
				if c := task.container; c != none && (w.containers.At(c).task != t || w.containers.At(c).state != containerBusy) {
					return fmt.Sprintf("%v is not in its container", task.subject)
				}
			}
		}
	}
	for c := range w.containers.Used() {
		if t := w.containers.At(c).task; w.containers.At(c).state == containerBusy && w.tasks.At(t).detached {
			if used[t] {
				return fmt.Sprintf("%v is detached, and among the tasks of its invocation", w.tasks.At(t).subject)
			}
			used[t] = true
		}
	}
	if len(used) != w.tasks.Taken() {
		return fmt.Sprintf("%d tasks are there, %d are used", w.tasks.Taken(), len(used))
	}
	queued := 0
	for at := range w.all.Used() {
		p := w.all.At(at)
		length, previous := int32(0), none
		for t := p.first; t != none; t = w.tasks.At(t).next {
			task := w.tasks.At(t)
			if !used[t] || task.container != none || task.pool != at || task.previous != previous {
				return fmt.Sprintf("the queue of pool %d is broken at %v", at, task.subject)
			}
			previous = t
			length++
		}
		if length != p.queued || previous != p.last {
			return fmt.Sprintf("the queue of pool %d holds %d tasks and counts %d", at, length, p.queued)
		}
		queued += int(length)
	}
	running := 0
	for c := range w.containers.Used() {
		if w.containers.At(c).state == containerBusy {
			running++
		}
	}
	if queued+running != len(used) {
		return fmt.Sprintf("of %d tasks, %d are queued and %d running", len(used), queued, running)
	}
	return ""
}

// wrongContainers: the pools count what there is, and stay within their caps.
func (n *Node) wrongContainers() string {
	w := &n.worker
	type count struct{ idle, starting, all int }
	counts := make([]count, w.all.Used())
	alive := 0
	for i := range w.containers.Used() {
		c := w.containers.At(i)
		if c.state == containerGone {
			continue
		}
		alive++
		at := &counts[c.pool]
		at.all++
		switch c.state {
		case containerIdle:
			at.idle++
		case containerStarting:
			at.starting++
		}
		if busy := c.state == containerBusy; busy != (c.task != none) {
			return fmt.Sprintf("container %d is in state %d and has task %d", i, c.state, c.task)
		}
		if c.state == containerHeld && (c.until <= c.held || n.system.Rules.Pressure.Rate == 0) {
			return fmt.Sprintf("container %d is held back from %d to %d", i, c.held, c.until)
		}
	}
	if alive != w.containers.Taken() {
		return fmt.Sprintf("%d containers are there, but %d places are taken", alive, w.containers.Taken())
	}
	for i := range w.all.Used() {
		p := w.all.At(i)
		var counted count
		counted.idle, counted.starting, counted.all = p.Count()
		if counted != counts[i] {
			return fmt.Sprintf("pool %d counts %+v, there are %+v", i, counted, counts[i])
		}
		limit := n.system.Workflows[p.workflow].Functions[p.function].MaxContainers
		if counted.all > n.system.Rules.Pool.Limit(limit) {
			return fmt.Sprintf("pool %d has %d containers under a cap of %d", i, counted.all, limit)
		}
	}
	return ""
}

// wrongPools: no task waits for nothing, and no container is kept for ever.
func (n *Node) wrongPools() string {
	r := &n.system.Rules
	for i := range n.worker.all.Used() {
		p := n.worker.all.At(i)
		idle, starting, all := p.Count()
		unserved := int(p.queued) - starting
		limit := r.Pool.Limit(n.system.Workflows[p.workflow].Functions[p.function].MaxContainers)
		couldServe := unserved > 0 && (idle > 0 || all < limit) || p.queued > 0 && idle > 0 && !r.BindColdStart
		if couldServe && !p.Locked() && !p.ticking {
			return fmt.Sprintf("pool %d leaves %d tasks waiting, with %d idle of %d containers, %d starting", i, p.queued, idle, all, starting)
		}
		if idle > 0 && r.Pool.KeepAlive > 0 && !p.aging {
			return fmt.Sprintf("pool %d has idle containers and no timer", i)
		}
	}
	return ""
}

// wrongSlots: open invocations are of deployments that the node knows and may
// take part in.
func (n *Node) wrongSlots() string {
	for wf := range n.slots {
		for at := range n.slots[wf] {
			s := &n.slots[wf][at]
			if s.open && (s.epoch < n.oldest || int(s.epoch) >= len(n.deployments) || n.deployments[s.epoch] == nil) {
				return fmt.Sprintf("%v is open under deployment %d", s.occupant(WorkflowID(wf), uint32(at)), s.epoch)
			}
		}
	}
	for i := range n.early {
		if e := n.early[i].Invocation.Epoch; !n.joining && int(e) < len(n.deployments) && n.deployments[e] != nil {
			return fmt.Sprintf("a %s is held back for deployment %d, which is known", n.early[i].Kind, e)
		}
	}
	return ""
}

// wrongGateway: invocations are alive as long as their slots are open, each is
// in the list it belongs to, and who counts as lost is missed by someone who
// does not.
func (n *Node) wrongGateway() string {
	g := n.gateway
	if g == nil {
		return ""
	}
	for wf := range g.workflows {
		a := &g.workflows[wf]
		listed := map[uint32]bool{}
		for _, l := range []struct {
			list
			finished bool
		}{{a.waiting, false}, {a.overdue, true}} {
			previous := none
			for at := l.first; at != none; at = a.slots[at].next {
				s := &a.slots[at]
				if listed[at] || !s.alive || s.finished != l.finished || s.previous != previous {
					return fmt.Sprintf("the list of invocations is broken at %v", s.invocation)
				}
				if previous != none && !l.finished && a.slots[previous].arrived > s.arrived {
					return fmt.Sprintf("%v is out of order", s.invocation)
				}
				if slot := &n.slots[wf][at]; !slot.open || slot.occupant(WorkflowID(wf), uint32(at)) != s.invocation {
					return fmt.Sprintf("%v is alive, but not here", s.invocation)
				}
				listed[at], previous = true, at
			}
			if previous != l.last {
				return fmt.Sprintf("the list of invocations of workflow %d has a wrong end", wf)
			}
		}
		if len(listed)+len(a.free) != len(a.slots) {
			return fmt.Sprintf("of %d slots, %d are alive and %d free", len(a.slots), len(listed), len(a.free))
		}
		if a.waiting.first != none && n.system.Rules.Timeout > 0 && !a.armed {
			return fmt.Sprintf("workflow %d has no deadline timer", wf)
		}
	}
	for id := range g.reports {
		lost := slices.Contains(g.lost, NodeID(id))
		if lost != slices.Contains(g.reports[id], true) {
			return fmt.Sprintf("node %d: lost is %v, and the reports say otherwise", id, lost)
		}
		for from, says := range g.reports[id] {
			if says && slices.Contains(g.lost, NodeID(from)) {
				return fmt.Sprintf("node %d is missed by %d, who is lost", id, from)
			}
		}
	}
	return ""
}

// wrongSink: every datum that is kept is one of an open invocation, waits for
// readers, and is in the order of time unless it has been spilled.
func (n *Node) wrongSink() string {
	k := &n.sink
	kept := map[uint32]bool{}
	spilled := 0
	for wf := range n.slots {
		for at := range n.slots[wf] {
			s := &n.slots[wf][at]
			if !s.open && s.kept != none {
				return fmt.Sprintf("invocation %v has ended and keeps data", s.occupant(WorkflowID(wf), uint32(at)))
			}
			for d := s.kept; d != none; d = k.data[d].sibling {
				datum := &k.data[d]
				if kept[d] || slices.Contains(k.free, d) || datum.subject.Invocation != s.occupant(WorkflowID(wf), uint32(at)) {
					return fmt.Sprintf("the list of the data of %v is broken", s.occupant(WorkflowID(wf), uint32(at)))
				}
				if datum.readers <= 0 {
					return fmt.Sprintf("output %d of %v is kept for %d readers", datum.output, datum.subject, datum.readers)
				}
				if kept[d] = true; datum.spilled {
					spilled++
				}
			}
		}
	}
	if len(kept)+len(k.free) != len(k.data) {
		return fmt.Sprintf("of %d places for data, %d are taken and %d free", len(k.data), len(kept), len(k.free))
	}
	if len(k.data) == 0 {
		return ""
	}
	listed, previous := 0, none
	for d := k.first; d != none; d = k.data[d].next {
		datum := &k.data[d]
		if !kept[d] || datum.spilled || datum.previous != previous || previous != none && k.data[previous].until > datum.until {
			return fmt.Sprintf("the order of the data is broken at %v", datum.subject)
		}
		previous = d
		listed++
	}
	if previous != k.last || listed+spilled != len(kept) {
		return fmt.Sprintf("of %d data that are kept, %d are listed and %d spilled", len(kept), listed, spilled)
	}
	if listed > 0 && !k.armed {
		return "there are data in memory and no timer"
	}
	return ""
}

// wrongMatching: no datum waits to be matched without a tick to come.
func (n *Node) wrongMatching() string {
	if len(n.unmatched) > 0 && !n.matching {
		return fmt.Sprintf("%d data are unmatched, and there is no timer", len(n.unmatched))
	}
	return ""
}
