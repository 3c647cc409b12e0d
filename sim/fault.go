package sim

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
)

// activeFault is a fault of the scenario, and how far it has come.
type activeFault struct {
	fault   *scenarios.Fault
	active  bool
	noticed bool
}

func (w *world) scheduleFaults() {
	for i := range w.trial.Faults {
		f := &w.trial.Faults[i]
		w.faults = append(w.faults, activeFault{fault: f})
		w.queue.push(event{at: f.At, kind: evFaultBegin, a: uint32(i)})
	}
}

// faultBegins makes a fault take effect. That its peers notice, and that it
// is over, are events of their own.
func (w *world) faultBegins(at int) {
	f := &w.faults[at]
	f.active = true
	noticeable := true
	switch f.fault.Kind {
	case scenarios.Kill:
		w.kill(f.fault.Node)
	case scenarios.Pause:
		w.pause(f.fault.Node)
	case scenarios.Partition:
		w.strain(f.fault.Node)
	case scenarios.SlowLink:
		w.nodes[f.fault.Node].slow = f.fault.Factor
		w.strain(f.fault.Node)
		noticeable = false
	case scenarios.StopService:
		w.stopService(f.fault.Node)
		noticeable = f.fault.Node == scenarios.StorageNode
	case scenarios.CrashFunction:
		w.crash(f.fault)
		noticeable = false
	}
	if noticeable {
		wait := w.cost.detect
		if f.fault.Kind == scenarios.Kill && f.fault.For > 0 {
			wait = min(wait, f.fault.For) // Who restarts has forgotten, which shows at once.
		}
		w.after(wait, event{kind: evFaultNoticed, a: uint32(at)})
	}
	if f.fault.For > 0 {
		w.after(f.fault.For, event{kind: evFaultEnd, a: uint32(at)})
	}
}

// faultNoticed tells engines of the peers that they have lost.
func (w *world) faultNoticed(at int) {
	f := &w.faults[at]
	if !f.active {
		return
	}
	f.noticed = true
	switch f.fault.Kind {
	case scenarios.Kill, scenarios.Pause, scenarios.Partition:
		w.tellPeers(f.fault, engine.EventPeerLost)
		if f.fault.Kind != scenarios.Kill && w.cutFromStore(f.fault) {
			w.failTransfers(func(n engine.NodeID) bool { return n == f.fault.Node })
		}
	case scenarios.StopService:
		w.failTransfers(func(engine.NodeID) bool { return true })
	}
}

// faultEnds undoes a fault, unless another does the same: then the node recovers
// when that ends.
func (w *world) faultEnds(at int) {
	f := &w.faults[at]
	f.active = false
	n := &w.nodes[f.fault.Node]
	if other := w.sameFault(f.fault); other != nil {
		other.noticed = other.noticed || f.noticed
		if other.fault.Kind == scenarios.SlowLink {
			n.slow = other.fault.Factor
			w.strain(f.fault.Node)
		}
		return
	}
	switch f.fault.Kind {
	case scenarios.Kill:
		n.up = true
		n.engine = engine.RestartNode(f.fault.Node, w.system)
		w.tellPeers(f.fault, engine.EventPeerBack)
	case scenarios.Pause:
		w.proceed(f.fault.Node)
	case scenarios.SlowLink:
		n.slow = 1
	case scenarios.StopService:
		if f.fault.Node == scenarios.StorageNode {
			w.store.up = true
			w.performWaiting()
		}
	}
	w.strain(f.fault.Node)
	if f.noticed && f.fault.Kind != scenarios.Kill {
		w.tellPeers(f.fault, engine.EventPeerBack)
	}
}

// sameFault returns an active fault of the same kind on the same node, or nil.
// Partitions are told apart by whom they cut off.
func (w *world) sameFault(f *scenarios.Fault) *activeFault {
	for i := range w.faults {
		other := &w.faults[i]
		if other.active && other.fault.Kind == f.Kind && other.fault.Node == f.Node && f.Kind != scenarios.Partition {
			return other
		}
	}
	return nil
}

// tellPeers tells both sides of a cut that the other is lost, or back. Only
// the machines of the engine matter: the storage node's services have no say.
func (w *world) tellPeers(f *scenarios.Fault, kind engine.EventKind) {
	if f.Kind == scenarios.StopService {
		return
	}
	for id := range engine.NodeID(len(w.nodes)) {
		if id == f.Node || !f.Cuts(id) {
			continue
		}
		w.tell(id, &engine.Event{Kind: kind, Peer: f.Node})
		if f.Kind == scenarios.Partition {
			w.tell(f.Node, &engine.Event{Kind: kind, Peer: id})
		}
	}
}

// cut reports whether messages cannot pass between two nodes, and until when
// they are held back: never, if the connection counts as lost by then.
func (w *world) cut(from, to engine.NodeID) (until engine.Time, cut bool) {
	for i := range w.faults {
		f := &w.faults[i]
		if !f.active || f.fault.Kind != scenarios.Partition || f.fault.Node != from && f.fault.Node != to {
			continue
		}
		other := from
		if other == f.fault.Node {
			other = to
		}
		if !f.fault.Cuts(other) {
			continue
		}
		if f.noticed || f.fault.For == 0 || f.fault.For > w.cost.detect {
			return never, true
		}
		return f.fault.At + f.fault.For, true
	}
	return 0, false
}

func (w *world) cutFromStore(f *scenarios.Fault) bool {
	return f.Kind == scenarios.Pause || f.Cuts(scenarios.StorageNode)
}

// kill stops a node: what runs there is gone, and nobody is told.
func (w *world) kill(id engine.NodeID) {
	n := &w.nodes[id]
	for at := range w.tasks.Used() {
		if t := w.tasks.At(at); t.alive() && t.node == id {
			w.cancel(at)
		}
	}
	n.up, n.paused, n.busy = false, false, false
	n.incarnation++
	n.waiting.clear()
	n.held = n.held[:0]
	n.effects.Reset()
	n.running, n.starting = n.running[:0], 0
	for at := range n.units {
		w.loseUnit(n, uint32(at))
	}
	for wf := range w.invocations {
		for slot := range w.invocations[wf] {
			if i := &w.invocations[wf][slot]; i.alive && i.streams != none {
				w.dropStreams(i, id, false)
			}
		}
	}
}

// pause freezes a node: its processor and its link stand still, its engine
// handles nothing. Sleeping functions sleep on, as the clock does not stop.
func (w *world) pause(id engine.NodeID) {
	w.nodes[id].paused = true
	w.strain(id)
}

// proceed ends a pause.
func (w *world) proceed(id engine.NodeID) {
	n := &w.nodes[id]
	n.paused = false
	held := n.held
	n.held = nil
	for _, e := range held {
		w.tell(id, &e)
	}
	w.serveNext(id, n)
}

// strain sets what a node's processor and link can do under the faults of the
// moment.
func (w *world) strain(id engine.NodeID) {
	n := &w.nodes[id]
	if w.trial.Cluster.HostCores == 0 {
		cores := n.cores
		if n.paused {
			cores = 0
		}
		n.processor.resize(w.now, cores)
		w.touch(n.processor)
	}
	memory, link := n.memoryBandwidth, n.linkBandwidth/n.slow
	if n.paused {
		memory, link = 0, 0
	}
	for i := range w.faults {
		if f := &w.faults[i]; f.active && f.fault.Kind == scenarios.Partition && f.fault.Node == id && f.fault.Cuts(scenarios.StorageNode) {
			link = 0
		}
	}
	if id == scenarios.StorageNode && !w.store.up {
		link = 0
	}
	n.memory.resize(w.now, memory)
	w.touch(n.memory)
	for _, l := range []linkID{n.egress, n.ingress} {
		for _, d := range w.network.resize(l, link) {
			w.touchDomain(d)
		}
	}
}

// stopService stops the store, or the memory of a worker, which loses what it
// holds.
func (w *world) stopService(id engine.NodeID) {
	if id == scenarios.StorageNode {
		w.store.up = false
		w.strain(id)
		return
	}
	w.loseMemory(id)
}

// failTransfers fails the tasks of some nodes that are waiting for the store.
func (w *world) failTransfers(concerns func(engine.NodeID) bool) {
	for at := range w.tasks.Used() {
		t := w.tasks.At(at)
		if !t.alive() || t.isSwitch || !concerns(t.node) || !w.usesStore(at) {
			continue
		}
		w.failTask(at, engine.Failed)
	}
	w.failStreams(concerns)
}

// failStreams gives up what some nodes are sending to the broker or fetching
// from it, and tells the nodes that posted it.
func (w *world) failStreams(concerns func(engine.NodeID) bool) {
	for wf := range w.invocations {
		for slot := range w.invocations[wf] {
			i := &w.invocations[wf][slot]
			if !i.alive {
				continue
			}
			for at := i.streams; at != none; at = w.streams.At(at).next {
				s := w.streams.At(at)
				lost := s.unit != none && concerns(s.node)
				for p := s.readers; p != none; p = w.prefetches.At(p).next {
					lost = lost || !w.prefetches.At(p).done && concerns(w.prefetches.At(p).node)
				}
				if lost {
					w.tell(s.node, &engine.Event{Kind: engine.EventDataLost, Message: engine.Message{Subject: engine.Subject{Invocation: s.invocation}}})
					break
				}
			}
		}
	}
}

// usesStore reports whether a task has a transfer or an operation of the
// store under way.
func (w *world) usesStore(at uint32) bool {
	t := w.tasks.At(at)
	if t.operations > 0 {
		return true
	}
	n := &w.nodes[t.node]
	for _, class := range [...]classID{n.put[w.capOf(&t.subject)], n.get} {
		c := &w.network.classes[class]
		if slices.ContainsFunc(c.heap, func(j job) bool { return j.task == at }) {
			return true
		}
	}
	return false
}

// crash kills the first container that is running the function.
func (w *world) crash(f *scenarios.Fault) {
	for at := range w.tasks.Used() {
		t := w.tasks.At(at)
		if !t.alive() || t.isSwitch || int(t.subject.Invocation.Workflow) != f.Workflow || t.subject.Function != f.Function {
			continue
		}
		to, c := t.node, t.container
		w.nodes[to].running[c.Index] = none
		w.cancel(at)
		lost := w.loseUnit(&w.nodes[to], c.Index)
		w.tell(to, &engine.Event{Kind: engine.EventContainerLost, Container: c})
		for _, i := range lost {
			w.tell(to, &engine.Event{Kind: engine.EventDataLost, Message: engine.Message{Subject: engine.Subject{Invocation: i}}})
		}
		return
	}
}

// loseMemory voids the data that a node keeps for others. Invocations that
// still need some of it learn so when they look.
func (w *world) loseMemory(id engine.NodeID) { w.nodes[id].emptied = w.now }

// failTask ends a task that could not get on.
func (w *world) failTask(at uint32, o engine.Outcome) {
	w.leaveAll(at)
	w.endTask(at, o)
}
