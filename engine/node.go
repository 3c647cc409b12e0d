package engine

import (
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Node is the engine of one machine, with all roles that the cluster gives
// it. See the package comment for how to drive it.
type Node struct {
	id      NodeID
	system  *System
	control Control
	gateway *gateway // nil on other nodes

	deployments []*Deployment // by epoch; nil: not announced yet
	early       []Message     // messages of epochs not announced yet
	oldest      uint32        // epoch whose attempts this node may take part in
	joining     bool          // none of them yet: the gateway is to say which
	missing     []NodeID      // peers out of reach
	slots       [][]slot      // by workflow
	worker      worker
	sink        sink

	// Data that have yet to be matched, when the last one was, and whether a
	// timer is set.
	unmatched []Event
	matched   Time
	matching  bool

	// While a Step runs.
	now     Time
	effects *Effects

	counters Counters
}

// Counters count what a driver may want to know of a node.
type Counters struct {
	// Stale messages and reports were about attempts that have ended.
	Stale int64
}

// slot is what a node knows of the occupant of a slot.
type slot struct {
	generation uint32
	attempt    uint16
	epoch      uint32
	// open: the occupant is alive. A closed slot is the tombstone that keeps
	// late messages from reviving it.
	open bool
	// completed: a closed slot's occupant has ended well, and what was still
	// running of it was left to end.
	completed bool
	// tasks is the first of the occupant's tasks here, kept the first of its
	// data; or none.
	tasks, kept uint32
}

func (s *slot) occupant(w WorkflowID, at uint32) Invocation {
	return Invocation{Workflow: w, Slot: at, Generation: s.generation, Attempt: s.attempt, Epoch: s.epoch}
}

// none is the index of nothing.
const none uint32 = math.MaxUint32

// NewNode returns the engine of a machine at the start of a run.
func NewNode(id NodeID, s *System) *Node {
	n := &Node{id: id, system: s, deployments: []*Deployment{s.deployments[0]}, slots: make([][]slot, len(s.Workflows)), matched: -s.Rules.MatchTick}
	if id == s.Cluster.Gateway {
		n.gateway = newGateway(s)
	}
	n.worker.pools = make([][]uint32, len(s.Workflows))
	n.control = s.Scheduler.Control.New(n)
	return n
}

// RestartNode returns the engine of a machine that has come back without its
// memory. It takes part in nothing until the gateway has taken it back, because
// messages of attempts that it has forgotten may still arrive.
func RestartNode(id NodeID, s *System) *Node {
	n := NewNode(id, s)
	n.joining = true
	return n
}

// Step tells the node what has happened at time now, and appends what it asks
// for to effects. now never decreases.
func (n *Node) Step(now Time, e Event, effects *Effects) {
	n.checkTime(now)
	n.now, n.effects = now, effects
	switch e.Kind {
	case EventArrive:
		n.arrive(e)
	case EventDeliver:
		n.deliver(&e)
	case EventContainerUp:
		n.containerUp(e.Container)
	case EventContainerFailed:
		n.containerFailed(e.Container)
	case EventContainerLost:
		n.containerLost(e.Container)
	case EventTaskEnded:
		n.taskEnded(&e)
	case EventItems:
		n.items(e)
	case EventPosted:
		n.posted(&e)
	case EventArrived:
		n.arrived(&e)
	case EventDataLost:
		if n.current(e.Invocation, false) {
			n.Fail(e.Invocation, true)
		}
	case EventSwitched, EventDocument:
		if n.current(e.Invocation, false) {
			n.control.Handle(e)
		}
	case EventTimer:
		n.timer(e)
	case EventPeerLost, EventPeerBack:
		n.peer(e)
	}
	n.effects = nil
	n.check()
}

// Counters returns what has been counted so far.
func (n *Node) Counters() Counters { return n.counters }

// Open counts what a node has under way.
type Open struct {
	// Invocations that have not ended, as far as the node knows.
	Invocations int
	// Queued and Running tasks.
	Queued, Running int
	// Calls that the control scheme has accepted and not yet answered, if it
	// counts them.
	Calls int
	// Early messages wait for the announcement of a deployment.
	Early int
}

// Open returns what the node has under way. It takes time in proportion to all
// that it has ever had under way at once.
func (n *Node) Open() Open {
	o := Open{Early: len(n.early)}
	for _, slots := range n.slots {
		for i := range slots {
			if slots[i].open {
				o.Invocations++
			}
		}
	}
	for i := range n.worker.all.Used() {
		o.Queued += int(n.worker.all.At(i).queued)
	}
	o.Running = n.worker.tasks.Taken() - o.Queued
	if c, counts := n.control.(interface{ OpenCalls() int }); counts {
		o.Calls = c.OpenCalls()
	}
	return o
}

func (n *Node) deliver(e *Event) {
	switch m := &e.Message; m.Kind {
	case MessageDeploy:
		n.deployed(m.Items, m.Lost)
	case MessageReset:
		n.reset(m.Items)
	case MessageSuspect, MessageTrust:
		if n.gateway != nil {
			n.report(m.From, NodeID(m.Items), m.Kind == MessageSuspect, m.Invocation.Epoch)
		}
	case MessageRelease:
		n.bury(m.Invocation, m.Items == completed)
	case MessageFailed, MessageDataLost:
		if n.gateway != nil && n.current(m.Invocation, false) {
			n.giveUp(m.Invocation, m.Kind == MessageDataLost)
		}
	case MessageProbe:
		n.Send(Message{Kind: MessageProbed, To: m.From, Call: m.Call, Subject: m.Subject})
	default:
		n.handle(e)
	}
}

// handle gives the scheme a message, if it is about an attempt that is alive.
func (n *Node) handle(e *Event) {
	m := &e.Message
	answer := m.Kind == MessageDone || m.Kind == MessageProbed || m.Kind == MessageInformed
	epoch, alive := m.Invocation.Epoch, false
	switch {
	case epoch < n.oldest:
		n.counters.Stale++
	case n.joining || int(epoch) >= len(n.deployments) || n.deployments[epoch] == nil:
		n.early = append(n.early, *m)
		return
	default:
		alive = n.current(m.Invocation, !answer)
	}
	switch {
	case alive && m.Kind == MessageData:
		n.announced(m)
	case alive:
		n.control.Handle(*e)
	case !answer && m.From != n.system.Cluster.Gateway:
		// Whoever still works for an attempt that has ended is told so.
		release := Message{Kind: MessageRelease, To: m.From, Subject: Subject{Invocation: m.Invocation}}
		if s := n.slot(m.Invocation); s.generation == m.Invocation.Generation && s.attempt == m.Invocation.Attempt && s.completed {
			release.Items = completed
		}
		n.Send(release)
	}
}

func (n *Node) timer(e Event) {
	switch e.Timer.Kind {
	case TimerDeadline:
		n.deadline(WorkflowID(e.Timer.Index))
	case TimerKeepAlive:
		n.expire(e.Timer.Index)
	case TimerDispatch:
		n.tick(e.Timer.Index)
	case TimerHold:
		n.holdEnds(e.Timer.Index)
	case TimerMatch:
		n.matchNext()
	case TimerLifetime:
		n.spill()
	default:
		n.control.Handle(e)
	}
}

// current reports whether an invocation is alive here. With create, one that
// is newer than the occupant of its slot takes its place.
func (n *Node) current(i Invocation, create bool) bool {
	if slots := n.slots[i.Workflow]; int(i.Slot) < len(slots) {
		s := &slots[i.Slot]
		if s.generation == i.Generation && s.attempt == i.Attempt {
			if !s.open {
				n.counters.Stale++
			}
			return s.open
		}
		if i.olderThan(s.generation, s.attempt) {
			n.counters.Stale++
			return false
		}
		if create && s.open {
			n.forget(s.occupant(i.Workflow, i.Slot), false)
		}
	}
	if !create {
		n.counters.Stale++
		return false
	}
	*n.slot(i) = slot{generation: i.Generation, attempt: i.Attempt, epoch: i.Epoch, open: true, tasks: none, kept: none}
	return true
}

func (n *Node) slot(i Invocation) *slot {
	slots := n.slots[i.Workflow]
	for int(i.Slot) >= len(slots) {
		slots = append(slots, slot{tasks: none, kept: none})
	}
	n.slots[i.Workflow] = slots
	return &slots[i.Slot]
}

// completed in MessageRelease.Items says that the invocation has ended well,
// so that what is still running of it may end: a function may have posted the
// result and have something left to do.
const completed = 1

// forget ends the life of an open invocation here: its tasks are cancelled, or
// those that run left to end, and its data released.
func (n *Node) forget(i Invocation, completed bool) {
	if completed {
		n.detachTasks(i)
	} else {
		n.cancelTasks(i)
	}
	n.unkeepAll(i)
	n.control.Forget(i.Workflow, i.Slot)
	s := n.slot(i)
	s.open, s.completed = false, completed
	n.effects.add(EffectRelease).Invocation = i
}

// bury ends the life of an attempt here and leaves a tombstone, also for one
// that this node has yet to hear of.
func (n *Node) bury(i Invocation, completed bool) {
	s := n.slot(i)
	if !i.olderThan(s.generation, s.attempt) {
		if s.open {
			n.forget(s.occupant(i.Workflow, i.Slot), completed)
		}
		*n.slot(i) = slot{generation: i.Generation, attempt: i.Attempt, completed: completed, tasks: none, kept: none}
	}
}

func (n *Node) items(e Event) {
	if task := n.taskIn(e.Container); task != nil && !task.detached {
		e.Subject, e.Call = task.subject, task.call
		n.control.Handle(e)
		n.emptyList(&e)
	}
}

// deployed takes note of a deployment, and of the messages that came before
// its announcement.
func (n *Node) deployed(epoch uint32, lost []NodeID) {
	for int(epoch) >= len(n.deployments) {
		n.deployments = append(n.deployments, nil)
	}
	d, err := n.system.deploy(lost)
	if err != nil {
		return // The gateway has tried the same and announces only what works.
	}
	n.deployments[epoch] = d
	for _, peer := range n.missing {
		if !slices.Contains(lost, peer) {
			n.tellGateway(MessageSuspect, peer)
		}
	}
	n.handleEarly()
}

func (n *Node) handleEarly() {
	early := n.early
	n.early = nil
	for _, m := range early {
		n.handle(&Event{Kind: EventDeliver, Message: m})
	}
}

// reset forgets every attempt that was placed before an epoch, for good: the
// gateway has given them up, but not everyone may know it yet.
func (n *Node) reset(epoch uint32) {
	n.oldest, n.joining = epoch, false
	for w := range n.slots {
		for s := range n.slots[w] {
			if slot := &n.slots[w][s]; slot.open && slot.epoch < epoch {
				n.forget(slot.occupant(WorkflowID(w), uint32(s)), false)
			}
		}
	}
	n.handleEarly()
}

// peer handles the loss or return of a node: the gateway acts on it, a worker
// reports it.
func (n *Node) peer(e Event) {
	switch {
	case n.gateway != nil:
		n.report(n.id, e.Peer, e.Kind == EventPeerLost, n.gateway.epoch)
	case e.Peer == n.system.Cluster.Gateway: // It sees that for itself.
	case e.Kind == EventPeerBack:
		n.missing = slices.DeleteFunc(n.missing, func(id NodeID) bool { return id == e.Peer })
		n.tellGateway(MessageTrust, e.Peer)
	case !slices.Contains(n.missing, e.Peer):
		n.missing = append(n.missing, e.Peer)
		n.tellGateway(MessageSuspect, e.Peer)
	}
}

// tellGateway reports on a peer, under the deployment heard of last.
func (n *Node) tellGateway(kind MessageKind, peer NodeID) {
	m := Message{Kind: kind, To: n.system.Cluster.Gateway, Items: uint32(peer)}
	m.Invocation.Epoch = uint32(len(n.deployments) - 1)
	n.Send(m)
}

// The methods below are for control schemes, which call them while they
// handle an event.

// ID returns the node's number.
func (n *Node) ID() NodeID { return n.id }

// Now returns the time of the event being handled.
func (n *Node) Now() Time { return n.now }

// System returns what all nodes agree on.
func (n *Node) System() *System { return n.system }

// Workflow returns the workflow of an invocation.
func (n *Node) Workflow(i Invocation) *workflow.Workflow { return n.system.Workflows[i.Workflow] }

// Deployment returns the deployment that an invocation is placed by.
func (n *Node) Deployment(i Invocation) *Deployment { return n.deployments[i.Epoch] }

// Send sends a message.
func (n *Node) Send(m Message) {
	m.From = n.id
	n.effects.add(EffectSend).Message = m
}

// Evaluate has a switch evaluated. EventSwitched will tell the branch. cause is
// kept for the records.
func (n *Node) Evaluate(subject Subject, call int32, cause Cause) {
	e := n.effects.add(EffectEvaluate)
	e.Subject, e.Call, e.Cause = subject, call, cause
	n.deployments[subject.Invocation.Epoch].plan(&e.Plan, &subject, &n.system.Rules)
	e.Plan.Targets = nil
}

// Document has an operation performed on the database. EventDocument will
// repeat all of it.
func (n *Node) Document(kind DocumentKind, subject Subject, call int32, items uint32) {
	e := n.effects.add(EffectDocument)
	e.Document, e.Subject, e.Call, e.Items = kind, subject, call, items
}

// SetTimer asks for an EventTimer at the given time.
func (n *Node) SetTimer(t Timer, at Time) {
	e := n.effects.add(EffectTimer)
	e.Timer, e.At = t, at
}

// Fail tells the gateway that an attempt cannot be completed; another one may
// be tried if it is because data were lost.
func (n *Node) Fail(i Invocation, dataLost bool) {
	kind := MessageFailed
	if dataLost {
		kind = MessageDataLost
	}
	n.Send(Message{Kind: kind, To: n.system.Cluster.Gateway, Subject: Subject{Invocation: i}})
}
