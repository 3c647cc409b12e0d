package enginetest

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Driver drives the nodes of a system. Set its fields before Run.
type Driver struct {
	System *engine.System
	Nodes  []*engine.Node
	Now    engine.Time

	// Facts are what is known only at run time; by default Means.
	Facts Facts
	// MessageTime, StartTime, ComputeTime and DocumentTime say how long things
	// take. However long messages take, those between two nodes stay in order.
	MessageTime, StartTime, ComputeTime, DocumentTime func(*engine.Effect) engine.Time
	// StreamTime is how long after it was posted the first chunk of a datum is
	// at the broker, PrefetchTime how long it takes from there to a node.
	StreamTime, PrefetchTime func() engine.Time
	// Backlog is how many bytes a task leaves to its container's data unit.
	Backlog func(*engine.Effect) int64
	// StartFails decides whether a container comes up; by default it does.
	StartFails func(*engine.Effect) bool
	// Outcome decides how a task ends; by default well.
	Outcome func(*engine.Effect) engine.Outcome
	// LoseInFlight decides whether a message is lost that was under way when
	// its receiver could not be reached for a time that its peers noticed; by
	// default it comes late.
	LoseInFlight func() bool
	// ReportLate: what happened in a container before it was stopped is
	// reported nevertheless.
	ReportLate bool
	// Detect is how long a node is out of reach before its peers notice.
	Detect engine.Time

	// Quiet keeps Trace, which is what has happened so far, empty.
	Quiet bool
	Trace strings.Builder
	// Runs are all tasks that were begun, Ended all invocations that have
	// ended, both in order.
	Runs  []*Run
	Ended []Ended
	// Sent counts messages by kind, without those that nodes send themselves.
	Sent map[engine.MessageKind]int

	pending   queue
	seq, step int
	machines  []machine
	links     [][]link // from, to
	broken    error    // the engine has broken the contract

	arrivals map[engine.Invocation]int64 // without attempt and epoch
	admitted int
	stored   map[dataKey][]datum
	posted   map[post]*whereabouts
}

// Run is a task that was given to a container.
type Run struct {
	// Number is that of the arrival.
	Number  int64
	Attempt uint16
	Subject engine.Subject
	Node    engine.NodeID
	Cold    bool
	// Begin and End number the events in the order they happened; End is 0 if
	// it was cancelled or lost.
	Begin, End int
	Outcome    engine.Outcome
	targets    []data.Target
}

// Ended is the end of an invocation.
type Ended struct {
	Number  int64
	At      engine.Time
	Outcome engine.Outcome
	// Attempts is how often it was begun.
	Attempts int
}

// machine is a node as the driver sees it.
type machine struct {
	down        bool
	incarnation int
	containers  map[engine.ContainerID]*container
	released    map[engine.Invocation]bool
}

type container struct {
	up, lost bool
	ran      int  // tasks
	run      *Run // nil: idle
	of       engine.Subject
}

// pending is something that will happen.
type pending struct {
	at          engine.Time
	seq         int
	to          engine.NodeID
	incarnation int // of the node it concerns, or any
	sent        int // seq when a message was sent
	run         *Run
	unit        *container // whose data unit posts; nil for others
	event       engine.Event
	what        func() // if set, happens instead of the event
}

const anyIncarnation = -1

// queue is a heap ordered by time, then by sequence.
type queue []pending

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(pending)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}

// NewDriver returns a driver of fresh nodes.
func NewDriver(s *engine.System) *Driver {
	nodes := s.Cluster.Nodes()
	d := &Driver{
		System: s, Facts: Means{s}, Detect: 5 * engine.Millisecond, Sent: map[engine.MessageKind]int{},
		MessageTime:  func(*engine.Effect) engine.Time { return engine.Millisecond },
		StartTime:    func(*engine.Effect) engine.Time { return 100 * engine.Millisecond },
		DocumentTime: func(*engine.Effect) engine.Time { return 2 * engine.Millisecond },
		StreamTime:   func() engine.Time { return engine.Millisecond },
		PrefetchTime: func() engine.Time { return 2 * engine.Millisecond },
		Backlog:      func(*engine.Effect) int64 { return 0 },
		StartFails:   func(*engine.Effect) bool { return false },
		Outcome:      func(*engine.Effect) engine.Outcome { return engine.Completed },
		LoseInFlight: func() bool { return false },
		machines:     make([]machine, nodes), links: make([][]link, nodes),
		arrivals: map[engine.Invocation]int64{}, stored: map[dataKey][]datum{}, posted: map[post]*whereabouts{},
	}
	d.ComputeTime = func(e *engine.Effect) engine.Time {
		return engine.Time(d.function(&e.Subject).Compute.Mean())
	}
	for id := range engine.NodeID(nodes) {
		d.links[id] = make([]link, nodes)
		d.Nodes = append(d.Nodes, nil)
		d.boot(id, engine.NewNode(id, s))
	}
	return d
}

// boot starts a node that remembers nothing.
func (d *Driver) boot(id engine.NodeID, n *engine.Node) {
	d.Nodes[id] = n
	d.machines[id] = machine{
		incarnation: d.machines[id].incarnation + 1,
		containers:  map[engine.ContainerID]*container{}, released: map[engine.Invocation]bool{},
	}
}

func (d *Driver) function(s *engine.Subject) *workflow.Function {
	return &d.System.Workflows[s.Invocation.Workflow].Functions[s.Function]
}

// Number is the number of the arrival that an invocation stands for.
func (d *Driver) Number(i engine.Invocation) int64 { return d.arrivals[slotOf(i)] }

// slotOf names the occupant of a slot, whatever its attempt.
func slotOf(i engine.Invocation) engine.Invocation {
	i.Attempt, i.Epoch = 0, 0
	return i
}

func (d *Driver) push(p pending) {
	d.seq++
	p.seq = d.seq
	heap.Push(&d.pending, p)
}

// tell schedules an event that a node's present incarnation will see.
func (d *Driver) tell(after engine.Time, to engine.NodeID, e engine.Event) {
	d.push(pending{at: d.Now + after, to: to, incarnation: d.machines[to].incarnation, event: e})
}

// Do schedules anything.
func (d *Driver) Do(at engine.Time, what func()) { d.push(pending{at: at, what: what}) }

// Arrive schedules an invocation. The n-th call makes arrival number n, from 1.
func (d *Driver) Arrive(at engine.Time, w engine.WorkflowID) {
	d.admitted++
	e := engine.Event{Kind: engine.EventArrive, Number: int64(d.admitted)}
	e.Invocation.Workflow = w
	d.push(pending{at: at, to: d.System.Cluster.Gateway, incarnation: anyIncarnation, event: e})
}

// Deliver schedules a message that no node has sent, or one that comes again.
func (d *Driver) Deliver(at engine.Time, m engine.Message) {
	d.push(pending{at: at, to: m.To, incarnation: anyIncarnation, sent: d.seq, event: engine.Event{Kind: engine.EventDeliver, Message: m}})
}

// Run handles events until none is left. The error says how the engine has
// broken the contract, or that there is no end within the limit of steps.
func (d *Driver) Run(limit int) error {
	var effects engine.Effects
	for range limit {
		if len(d.pending) == 0 {
			return nil
		}
		p := heap.Pop(&d.pending).(pending)
		d.Now = p.at
		switch {
		case p.what != nil:
			p.what()
		case d.due(&p):
			d.happen(&p, &effects)
		}
		if d.broken != nil {
			return d.broken
		}
	}
	return fmt.Errorf("still not done after %d steps", limit)
}

// due reports whether a node sees what happens now.
func (d *Driver) due(p *pending) bool {
	m := &d.machines[p.to]
	if m.down || p.incarnation != anyIncarnation && p.incarnation != m.incarnation {
		return false
	}
	if e := &p.event; e.Kind == engine.EventDeliver && e.From != e.To {
		return d.comesThrough(p)
	}
	return true
}

// happen lets a node handle an event and applies what it asks for.
func (d *Driver) happen(p *pending, effects *engine.Effects) {
	e := &p.event
	m := &d.machines[p.to]
	d.step++
	if p.unit != nil && p.unit.lost {
		*e = engine.Event{Kind: engine.EventDataLost, Message: e.Message}
	}
	switch e.Kind {
	case engine.EventPosted:
		if p.unit == nil && (m.containers[e.Container] == nil || m.containers[e.Container].run != p.run) {
			return
		}
		d.note(p.to, e)
	case engine.EventArrived:
		d.posted[postOf(e)].on[p.to] = true
	case engine.EventContainerUp, engine.EventContainerFailed, engine.EventContainerLost, engine.EventItems, engine.EventTaskEnded:
		c := m.containers[e.Container]
		if c == nil && d.ReportLate {
			break
		}
		if c == nil || c.lost && e.Kind != engine.EventContainerLost || p.run != nil && c.run != p.run {
			return
		}
		switch e.Kind {
		case engine.EventContainerUp:
			c.up = true
		case engine.EventTaskEnded:
			d.taskEnds(p.to, c, e.Outcome)
		case engine.EventContainerFailed, engine.EventContainerLost:
			delete(m.containers, e.Container)
		}
	}
	d.Nodes[p.to].Step(d.Now, *e, effects)
	if !d.Quiet {
		fmt.Fprintf(&d.Trace, "%4d ms  %-8s  %s\n", d.Now/engine.Millisecond, d.System.Cluster.NodeName(p.to), d.System.DescribeEvent(e))
	}
	for i := range effects.List {
		effect := &effects.List[i]
		if !d.Quiet && effect.Kind != engine.EffectTimer {
			fmt.Fprintf(&d.Trace, "%21s→ %s\n", "", d.System.DescribeEffect(effect))
		}
		d.apply(p.to, e, effect)
	}
	effects.Reset()
}

func (d *Driver) taskEnds(id engine.NodeID, c *container, o engine.Outcome) {
	c.run.End, c.run.Outcome = d.step, o
	if o == engine.Completed {
		d.put(c.run)
	}
	c.run = nil
}

// breach notes that the engine has broken the contract.
func (d *Driver) breach(id engine.NodeID, e *engine.Effect, format string, args ...any) {
	if d.broken == nil {
		d.broken = fmt.Errorf("at %d ns %s asks to %s: %s",
			d.Now, d.System.Cluster.NodeName(id), d.System.DescribeEffect(e), fmt.Sprintf(format, args...))
	}
}

// apply does what a node asks for on the occasion of an event.
func (d *Driver) apply(id engine.NodeID, on *engine.Event, e *engine.Effect) {
	m := &d.machines[id]
	if k := e.Kind; k == engine.EffectRun || k == engine.EffectEvaluate || k == engine.EffectDocument {
		if m.released[e.Invocation] {
			d.breach(id, e, "it has released the invocation")
		}
	}
	switch e.Kind {
	case engine.EffectAdmit:
		d.admit(id, on, e)
	case engine.EffectSend:
		d.send(id, e)
	case engine.EffectStart:
		d.start(id, e)
	case engine.EffectStop:
		d.stop(id, e)
	case engine.EffectRun:
		d.run(id, on, e)
	case engine.EffectEvaluate:
		d.checkPlan(id, e)
		back := engine.Event{Kind: engine.EventSwitched, Number: int64(d.Facts.Branch(d.Number(e.Invocation), &e.Subject)), Message: e.Message}
		d.tell(0, id, back)
	case engine.EffectPrefetch:
		d.tell(d.PrefetchTime(), id, engine.Event{Kind: engine.EventArrived, Number: e.Number, Message: e.Message})
	case engine.EffectSpill, engine.EffectDrop:
		d.leaveMemory(id, e)
	case engine.EffectDocument:
		d.tell(d.DocumentTime(e), id, engine.Event{Kind: engine.EventDocument, Document: e.Document, Message: e.Message})
	case engine.EffectTimer:
		if e.At < d.Now {
			d.breach(id, e, "that is in the past")
		}
		d.tell(e.At-d.Now, id, engine.Event{Kind: engine.EventTimer, Timer: e.Timer})
	case engine.EffectFinish:
		d.finish(id, e)
	case engine.EffectRelease:
		if m.released[e.Invocation] {
			d.breach(id, e, "it has done so before")
		}
		m.released[e.Invocation] = true
		d.drop(id, e.Invocation)
	}
}

func (d *Driver) admit(id engine.NodeID, on *engine.Event, e *engine.Effect) {
	if on.Kind != engine.EventArrive || on.Number != e.Number || on.Invocation.Workflow != e.Invocation.Workflow {
		d.breach(id, e, "nothing has arrived under this number")
	}
	if _, known := d.arrivals[slotOf(e.Invocation)]; known {
		d.breach(id, e, "the slot and generation are those of another invocation")
	}
	d.arrivals[slotOf(e.Invocation)] = e.Number
}

func (d *Driver) finish(id engine.NodeID, e *engine.Effect) {
	number, known := d.arrivals[slotOf(e.Invocation)]
	if !known {
		d.breach(id, e, "it was never admitted")
	}
	if slices.ContainsFunc(d.Ended, func(x Ended) bool { return x.Number == number }) {
		d.breach(id, e, "it has ended before")
	}
	d.Ended = append(d.Ended, Ended{number, d.Now, e.Outcome, int(e.Invocation.Attempt) + 1})
}

func (d *Driver) start(id engine.NodeID, e *engine.Effect) {
	m := &d.machines[id]
	for c := range m.containers {
		if c.Index == e.Container.Index {
			d.breach(id, e, "there is one of that index")
		}
	}
	m.containers[e.Container] = &container{of: e.Subject}
	alive := 0
	for _, c := range m.containers {
		if c.of.Invocation.Workflow == e.Invocation.Workflow && c.of.Function == e.Function && !c.lost {
			alive++
		}
	}
	if allowed := d.System.Rules.Pool.Limit(d.function(&e.Subject).MaxContainers); alive > allowed {
		d.breach(id, e, "it is number %d, the cap is %d", alive, allowed)
	}
	kind := engine.EventContainerUp
	if d.StartFails(e) {
		kind = engine.EventContainerFailed
	}
	d.tell(d.StartTime(e), id, engine.Event{Kind: kind, Container: e.Container})
}

func (d *Driver) stop(id engine.NodeID, e *engine.Effect) {
	m := &d.machines[id]
	if m.containers[e.Container] == nil {
		d.breach(id, e, "there is no such container")
	}
	delete(m.containers, e.Container)
}

// run begins a task.
func (d *Driver) run(id engine.NodeID, on *engine.Event, e *engine.Effect) {
	c := d.machines[id].containers[e.Container]
	switch {
	case c == nil:
		d.breach(id, e, "there is no such container")
		return
	case !c.up:
		d.breach(id, e, "the container has not come up")
	case c.run != nil:
		d.breach(id, e, "the container is running %v", c.run.Subject)
	case c.of.Function != e.Function || c.of.Invocation.Workflow != e.Invocation.Workflow:
		d.breach(id, e, "the container is for another function")
	case int(e.Try) > d.System.Rules.TaskRetries:
		d.breach(id, e, "try %d is one too many", e.Try)
	case e.Cold != (on.Kind == engine.EventContainerUp && on.Container == e.Container):
		d.breach(id, e, "cold: %v, after %v tasks", e.Cold, c.ran)
	}
	d.checkPlan(id, e)
	run := &Run{
		Number: d.Number(e.Invocation), Attempt: e.Invocation.Attempt, Subject: e.Subject, Node: id, Cold: e.Cold,
		Begin: d.step, targets: e.Plan.Targets,
	}
	d.Runs = append(d.Runs, run)
	c.run = run
	c.ran++
	outcome, time := d.Outcome(e), d.ComputeTime(e)
	report := func(after engine.Time, event engine.Event) {
		event.Container = e.Container
		d.push(pending{at: d.Now + after, to: id, incarnation: d.machines[id].incarnation, run: run, event: event})
	}
	if outcome == engine.Completed || e.Plan.Announce && d.Backlog(e)&1 == 0 { // Some fail only after that.
		d.post(id, c, run, e, time, report)
	}
	report(time, engine.Event{Kind: engine.EventTaskEnded, Outcome: outcome, Number: d.Backlog(e)})
}

// post has a task post its outputs, each in its time.
func (d *Driver) post(id engine.NodeID, c *container, run *Run, e *engine.Effect, time engine.Time, report func(engine.Time, engine.Event)) {
	outputs := d.function(&e.Subject).Outputs
	order := make([]int, len(outputs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(outputs[a].PostedAt, outputs[b].PostedAt) })
	for _, output := range order {
		o := &outputs[output]
		after := engine.Time(float64(time) * o.PostedAt)
		if !e.Plan.Announce {
			after = time
		}
		paths := []workflow.Path{e.Path}
		if o.List {
			items := d.Facts.Items(run.Number, &e.Subject, int32(output))
			report(after, engine.Event{Kind: engine.EventItems, Number: int64(output), Message: engine.Message{Items: items, Subject: e.Subject}})
			paths = paths[:0]
			for item := range items {
				paths = append(paths, e.Path.Item(item, items))
			}
		}
		if !e.Plan.Announce {
			continue
		}
		for _, path := range paths {
			event := engine.Event{Kind: engine.EventPosted, Number: int64(output), Message: engine.Message{Subject: e.Subject}}
			event.Path = path
			target := e.Plan.Targets[output]
			if target&data.Store == 0 && o.Size.Mean() <= float64(e.Plan.Inline) {
				target = data.Inline
			}
			if event.Way = target &^ data.Pipe; event.Way != 0 {
				report(after, event)
			}
			if target&data.Pipe != 0 {
				event.Way, event.Container = data.Pipe, e.Container
				d.Do(d.Now+after, func() {
					if c.run == run && !c.lost { // Else it was killed before.
						d.push(pending{at: d.Now + d.StreamTime(), to: id, incarnation: d.machines[id].incarnation, unit: c, event: event})
					}
				})
			}
		}
	}
}

// CheckQuiet returns an error if a node that is up has anything under way, as
// none must when all that was asked for has happened.
func (d *Driver) CheckQuiet() error {
	for id, n := range d.Nodes {
		if open := n.Open(); !d.machines[id].down && open != (engine.Open{}) {
			return fmt.Errorf("%s still has %+v", d.System.Cluster.NodeName(engine.NodeID(id)), open)
		}
		for container, c := range d.machines[id].containers {
			if c.run != nil {
				return fmt.Errorf("%s: container %d is still running", d.System.Cluster.NodeName(engine.NodeID(id)), container.Index)
			}
		}
	}
	return nil
}
