package sim

import (
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// none is the index of nothing.
const none uint32 = math.MaxUint32

// node is a machine: an engine, which handles one event at a time, and the
// resources that it asks for.
type node struct {
	engine  *engine.Node
	effects engine.Effects
	// waiting are the events that the engine has yet to handle, if that takes
	// it time.
	waiting fifo[engine.Event]
	busy    bool

	up, paused bool
	// incarnation counts restarts: what was under way before is void.
	incarnation uint32
	held        []engine.Event // while paused

	memory    *server
	emptied   engine.Time // when all in its memory was lost; never, if below 0
	processor *server
	egress    linkID
	ingress   linkID
	disk      *server
	put, send []classID // flows to the store and to the broker, by the cap of a container
	get       classID   // from the store
	receive   classID   // from the broker
	running   []uint32  // task by container index, or none
	units     []uint32  // data unit by container index, or none
	starting  int       // container starts under way

	// What the resources can do without faults, in cores and bytes per ns.
	cores, memoryBandwidth, linkBandwidth float64
	slow                                  float64 // what the link's bandwidth is divided by
}

// build makes the machines and connects them.
func (w *world) build(mesh bool) {
	c := &w.trial.Cluster
	machines := append([]scenarios.Machine{c.Gateway, c.Storage}, c.Workers...)
	w.nodes = make([]node, len(machines))
	var host *server
	if c.HostCores > 0 {
		host = w.addServer(newServer(c.HostCores, 1))
	}
	n := &w.network
	limits := w.findCaps()
	for i, m := range machines {
		node := &w.nodes[i]
		node.engine = engine.NewNode(engine.NodeID(i), w.system)
		node.up, node.slow, node.emptied = true, 1, -1
		link := m.Link
		if link == units.Unlimited {
			link = w.trial.Profile.Network.Link
		}
		node.cores, node.linkBandwidth = m.Cores, perNanosecond(link)
		node.memoryBandwidth = perNanosecond(w.trial.Profile.Memory.Bandwidth)
		node.memory = w.addServer(newServer(node.memoryBandwidth, math.Inf(1)))
		node.disk = w.addServer(newServer(perNanosecond(w.trial.Profile.Disk.Bandwidth), math.Inf(1)))
		node.egress, node.ingress = n.addLink(node.linkBandwidth), n.addLink(node.linkBandwidth)
		if node.processor = host; host == nil {
			node.processor = w.addServer(newServer(m.Cores, 1))
		}
	}
	// Everything to and from the services of the storage node passes its
	// link, its cap and the store itself.
	storage := &w.nodes[scenarios.StorageNode]
	in, out := []linkID{storage.ingress}, []linkID{storage.egress}
	if c.StorageCap != units.Unlimited {
		payload := perNanosecond(c.StorageCap) * scenarios.PayloadShare
		in, out = append(in, n.addLink(payload)), append(out, n.addLink(payload))
	}
	// The broker is on the same machine, but no store.
	toBroker, fromBroker := slices.Clone(in), slices.Clone(out)
	if limit := w.trial.Profile.Store.Write; limit != units.Unlimited {
		in = append(in, n.addLink(perNanosecond(limit)))
	}
	if limit := w.trial.Profile.Store.Read; limit != units.Unlimited {
		out = append(out, n.addLink(perNanosecond(limit)))
	}
	stream := math.Inf(1)
	if limit := w.trial.Profile.Store.Stream; limit != units.Unlimited {
		stream = perNanosecond(limit)
	}
	for i := range w.nodes {
		node := &w.nodes[i]
		if engine.NodeID(i) == scenarios.StorageNode {
			continue
		}
		for _, limit := range limits {
			node.put = append(node.put, n.addClass(min(stream, limit), append([]linkID{node.egress}, in...)...))
			node.send = append(node.send, n.addClass(limit, append([]linkID{node.egress}, toBroker...)...))
		}
		node.get = n.addClass(stream, append([]linkID{node.ingress}, out...)...)
		node.receive = n.addClass(math.Inf(1), append([]linkID{node.ingress}, fromBroker...)...)
	}
	// What the storage node itself reads, as a master that evaluates switches
	// does, leaves it by no link.
	loopback := n.addLink(boundless)
	for range limits {
		storage.put = append(storage.put, n.addClass(stream, loopback))
		storage.send = append(storage.send, n.addClass(stream, loopback))
	}
	storage.get, storage.receive = n.addClass(stream, loopback), n.addClass(math.Inf(1), loopback)
	n.connect(!mesh && len(w.trial.Faults) == 0)
	for i := range n.classes {
		if single := n.classes[i].single; single != nil && !slices.Contains(w.servers, single) {
			w.addServer(single)
		}
	}
}

// findCaps finds what containers may send at most, in bytes per ns, and which
// of these limits holds for which function.
func (w *world) findCaps() []float64 {
	egress := w.trial.Profile.Container.Egress
	limits := []float64{}
	for _, wf := range w.trial.Workflows {
		caps := make([]int32, len(wf.Functions))
		for f := range wf.Functions {
			limit := math.Inf(1)
			if cores := wf.Functions[f].CPU; egress != units.Unlimited && cores > 0 {
				limit = perNanosecond(egress) * cores * scenarios.PayloadShare
			}
			at := slices.Index(limits, limit)
			if at < 0 {
				at = len(limits)
				limits = append(limits, limit)
			}
			caps[f] = int32(at)
		}
		w.caps = append(w.caps, caps)
	}
	return limits
}

// capOf returns which limit holds for a function's containers.
func (w *world) capOf(s *engine.Subject) int32 { return w.caps[s.Invocation.Workflow][s.Function] }

// addServer gives a server its place in the list.
func (w *world) addServer(s *server) *server {
	s.index = uint32(len(w.servers))
	w.servers = append(w.servers, s)
	return s
}

// boundless is the bandwidth, in bytes per ns, of what has no limit: so much
// that a transfer takes no time, but finite, so that clocks stay numbers.
const boundless = 1e21

// perNanosecond converts a bandwidth to bytes per ns.
func perNanosecond(b units.Bandwidth) float64 {
	if b == units.Unlimited {
		return boundless
	}
	return float64(b) / 1e9
}

// tell has a node's engine handle an event, once it has handled those before.
func (w *world) tell(to engine.NodeID, e *engine.Event) {
	n := &w.nodes[to]
	switch {
	case !n.up:
	case n.paused:
		n.held = append(n.held, *e)
	case w.cost.engineFree:
		n.engine.Step(w.now, *e, &n.effects)
		w.apply(to, n)
	case n.busy:
		n.waiting.push(*e)
	default:
		w.serve(to, n, e)
	}
}

// serve begins to handle an event. The engine decides now; what it asks for
// happens when the time that this takes is over.
func (w *world) serve(id engine.NodeID, n *node, e *engine.Event) {
	n.engine.Step(w.now, *e, &n.effects)
	n.busy = true
	w.after(w.engineTime(e, &n.effects), event{kind: evEngine, node: uint16(id), b: uint64(n.incarnation)})
}

// engineTime is what it takes an engine to handle an event.
func (w *world) engineTime(e *engine.Event, effects *engine.Effects) engine.Time {
	c := &w.cost
	time := c.event
	switch {
	case e.Kind == engine.EventItems:
		time = 0 // It comes with the end of a task.
	case e.Kind == engine.EventDeliver && e.Message.Kind == engine.MessageProbe:
		return c.probe
	case e.Kind == engine.EventDeliver:
		time = c.receive
	}
	for i := range effects.List {
		switch effects.List[i].Kind {
		case engine.EffectSend:
			time += c.send
		case engine.EffectDocument:
			time += c.document
		}
	}
	return time
}

// engineServed lets the effects of an event happen and begins the next.
func (w *world) engineServed(id engine.NodeID, incarnation uint32) {
	n := &w.nodes[id]
	if n.incarnation != incarnation {
		return
	}
	n.busy = false
	w.apply(id, n)
	w.serveNext(id, n)
}

func (w *world) serveNext(id engine.NodeID, n *node) {
	if !n.paused && !n.busy && n.waiting.len() > 0 {
		e := n.waiting.pop()
		w.serve(id, n, &e)
	}
}

// apply does what an engine has asked for.
func (w *world) apply(id engine.NodeID, n *node) {
	for i := range n.effects.List {
		e := &n.effects.List[i]
		switch e.Kind {
		case engine.EffectAdmit:
			w.admit(e)
		case engine.EffectSend:
			w.send(&e.Message)
		case engine.EffectStart:
			w.startContainer(id, n, e)
		case engine.EffectStop:
			w.stopContainer(n, e.Container)
			w.leaveUnit(n, e.Container.Index)
		case engine.EffectRun:
			w.runTask(id, n, e)
		case engine.EffectEvaluate:
			w.evaluate(id, e)
		case engine.EffectDocument:
			w.document(id, e)
		case engine.EffectTimer:
			w.queue.push(event{
				at: max(e.At, w.now), kind: evTimer, node: uint16(id), a: e.Timer.Index, b: uint64(n.incarnation)<<8 | uint64(e.Timer.Kind),
			})
		case engine.EffectFinish:
			w.finish(e.Invocation, e.Outcome)
		case engine.EffectPrefetch:
			w.startPrefetch(id, e)
		case engine.EffectSpill:
			w.spill(e)
		case engine.EffectDrop:
			// Data need no bookkeeping: their sizes are drawn, not stored.
		case engine.EffectRelease:
			if i := w.invocation(e.Invocation); i != nil && i.streams != none {
				w.dropStreams(i, id, false)
			}
		}
	}
	n.effects.Reset()
	if len(w.finished) > 0 {
		w.report()
	}
}

// send puts a message on its way.
func (w *world) send(m *engine.Message) {
	if i := w.invocation(m.Invocation); i != nil {
		i.record.Messages++
	}
	w.recordWait(&m.Subject, chain.MessageWait(m.Kind), w.now, w.now+w.cost.message)
	at := w.messages.Take()
	*w.messages.At(at) = *m
	w.after(w.cost.message, event{kind: evMessage, a: at})
}

// deliver hands a message to its receiver, unless the way is cut.
func (w *world) deliver(at uint32) {
	m := w.messages.At(at)
	if len(w.faults) > 0 {
		if until, cut := w.cut(m.From, m.To); cut {
			if until < never {
				w.queue.push(event{at: until, kind: evMessage, a: at})
			} else {
				w.messages.Give(at)
			}
			return
		}
	}
	e := engine.Event{Kind: engine.EventDeliver, Message: *m}
	w.messages.Give(at)
	w.tell(e.To, &e)
}

// startContainer takes the time of a cold start, which other starts on the
// node lengthen.
func (w *world) startContainer(id engine.NodeID, n *node, e *engine.Effect) {
	d := &w.trial.Profile.Container.ColdStart.Distribution
	time := w.draws.Value(d, draw.ColdStart, w.subject(&e.Subject, e.Try), e.Path)
	time *= 1 + w.cost.slowdown*float64(n.starting)
	n.starting++
	for int(e.Container.Index) >= len(n.running) {
		n.running = append(n.running, none)
	}
	n.running[e.Container.Index] = none
	w.after(nanoseconds(time), event{
		kind: evContainer, node: uint16(id), a: e.Container.Index, b: uint64(n.incarnation)<<32 | uint64(e.Container.Generation),
	})
}

func (w *world) containerUp(id engine.NodeID, c engine.ContainerID, incarnation uint32) {
	n := &w.nodes[id]
	if n.incarnation != incarnation {
		return
	}
	n.starting--
	w.tell(id, &engine.Event{Kind: engine.EventContainerUp, Container: c})
}

// stopContainer cancels what runs in a container.
func (w *world) stopContainer(n *node, c engine.ContainerID) {
	if t := n.running[c.Index]; t != none {
		w.cancel(t)
		n.running[c.Index] = none
	}
}

// subject names a draw about a function instance. The invocation's number,
// not its slot, makes it the same under every scheduler.
func (w *world) subject(s *engine.Subject, try uint16) draw.Subject {
	about := draw.Subject{Workflow: uint64(s.Invocation.Workflow), Function: s.Function, Try: uint64(try)}
	if i := w.invocation(s.Invocation); i != nil {
		about.Invocation = uint64(i.record.Number)
		about.Try += uint64(s.Invocation.Attempt) << 32
	}
	return about
}

// nanoseconds rounds a drawn time.
func nanoseconds(t float64) engine.Time {
	return engine.Time(max(0, min(t, math.MaxInt64/4)) + 0.5)
}

// function returns the function that something is about.
func (w *world) function(s *engine.Subject) *workflow.Function {
	return &w.system.Workflows[s.Invocation.Workflow].Functions[s.Function]
}

// workflowOf returns the workflow of an invocation.
func (w *world) workflowOf(i engine.Invocation) *workflow.Workflow {
	return w.system.Workflows[i.Workflow]
}
