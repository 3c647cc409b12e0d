package agent

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/chain"
)

// Config is what an agent is given.
type Config struct {
	Node engine.NodeID
	// System is the agent's own: no other goroutine may use it.
	System *engine.System
	// Restarted: the node comes back without its memory.
	Restarted bool
	// Now is the time since the start of the run.
	Now func() engine.Time
	// Send sends a message to another node.
	Send func(to engine.NodeID, message []byte) error
	// Containers starts containers; nil on a node that runs no functions.
	Containers Containers
	// Runtime is for switches, which are evaluated without one.
	Runtime *function.Runtime
	// Documents performs the operations that engines wait for.
	Documents Documents
	// Release drops the data of an attempt that are for this node to drop.
	Release func(ctx context.Context, i engine.Invocation) error
	// Data brings streamed data to the node and keeps them; nil where none
	// are.
	Data Data
	// Observer is told what happens.
	Observer Observer
	// Journal, if set, keeps the inputs of the engine.
	Journal Journal
	// Pace is how slow the engine and the messages are to be. The zero value
	// lets them be as fast as they are.
	Pace Pace
}

// Pace says how long things take on a platform that is to be played, where
// they are faster here.
type Pace struct {
	// Service, if set, is how long the engine is busy with an event, given
	// what it asks for. It handles one event at a time, first come, first
	// served; what it asks for happens when it has done with the event.
	Service func(e *engine.Event, effects []engine.Effect) engine.Time
	// Message is how long a message is under way at least, Notice how long it
	// takes a container to tell its node of an output.
	Message, Notice engine.Time
}

// Containers starts function containers.
type Containers interface {
	// Start starts a container for a function, because of an instance of it,
	// and returns when it can run tasks. If ctx ends it is not needed any more.
	Start(ctx context.Context, i *facts.Instance) (Container, error)
}

// Container runs tasks of a function, one at a time.
type Container interface {
	// Run runs a task. If ctx ends the task is killed, and what is returned
	// means nothing.
	Run(ctx context.Context, t *function.Task) function.Result
	// Lost is closed when the container has died by itself.
	Lost() <-chan struct{}
	// Close stops the container.
	Close()
}

// Documents performs operations on the database.
type Documents interface {
	Perform(ctx context.Context, kind engine.DocumentKind, s *engine.Subject, items uint32) error
}

// Data is where streamed data arrive on a node.
type Data interface {
	// Keep keeps what came inline.
	Keep(k *function.Key, payload []byte)
	// Prefetch brings a datum from where an announcement says it is, and
	// returns when all of it is there.
	Prefetch(ctx context.Context, k *function.Key, where []byte) (bytes int64, err error)
	// Spill moves a datum from memory to disk, Drop forgets it.
	Spill(ctx context.Context, k *function.Key) error
	Drop(ctx context.Context, k *function.Key) error
}

// Observer is told what happens on a node. It is called by several goroutines
// and must not block.
type Observer interface {
	// Admitted: the invocation Number has been given a name.
	Admitted(number int64, i engine.Invocation)
	// Sent: a message is on its way.
	Sent(m *engine.Message)
	// Received: it has arrived.
	Received(m *engine.Message, sent, at engine.Time)
	// Waited: the engine waited for an operation on the database. Chosen: it
	// waited for a switch, whose inputs were moved.
	Waited(s *engine.Subject, from, to engine.Time)
	Chosen(c *chain.Choice, from, to engine.Time, moved function.Bytes)
	// Carried: bytes were moved on behalf of an attempt, outside its tasks.
	Carried(i engine.Invocation, b function.Bytes)
	// Started: a container has been given a task, Ended: it has run it.
	// Killed: it never will, because its container was stopped or lost.
	Started(at engine.Time, i engine.Invocation, cold bool)
	Ended(*Report)
	Killed(i engine.Invocation)
	// Finished: the invocation has ended.
	Finished(at engine.Time, i engine.Invocation, o engine.Outcome)
	// Failed: something went wrong that is not the subject of study. Broken: so
	// much that the node is of no use any more, and the trial cannot go on.
	Failed(error)
	Broken(error)
}

// Report is what is told of a task that has run.
type Report struct {
	facts.Instance
	Node      engine.NodeID
	Container engine.ContainerID
	Cold      bool
	// Queued is when it was triggered, Held how long after that the container
	// was held back, Cause what triggered it. AtHand: an idle container was
	// there for it then.
	Queued, Held engine.Time
	Cause        engine.Cause
	AtHand       bool
	// Told is when the agent had its result.
	Told engine.Time
	function.Result
}

// Journal keeps what an engine was told and what it asked for.
type Journal interface {
	Step(now engine.Time, e *engine.Event, effects []engine.Effect) error
}

// Agent drives one engine.
type Agent struct {
	Config
	engine  *engine.Node
	effects engine.Effects
	inbox   *inbox
	// messages and notices are those under way, if that takes time.
	messages, notices *inbox

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup // all that goes on beside the loop
	loop   sync.WaitGroup

	releasing atomic.Int64

	freezing sync.Mutex
	thaw     chan struct{} // nil unless the loop is to stand still

	// Used by the loop only.
	numbers    [][]numbered // by workflow and slot
	containers map[engine.ContainerID]*container
	timers     map[engine.Timer]*time.Timer
	fetching   map[engine.Invocation]fetching
	scratch    []byte
	free       time.Time // when the engine has done with all before, if that takes time

	// What announcements carry, by the handle that the engine knows it by.
	bodies *bodies
}

// numbered is what the driver knows of the occupant of a slot: the number of
// the invocation, which travels with messages.
type numbered struct {
	generation uint32
	number     int64
}

// unknown is the number of an invocation that a node has not heard of.
const unknown int64 = -1

// container is one that has been asked for.
type container struct {
	cancel context.CancelFunc
	tasks  chan *assignment // holds at most one
	gone   chan struct{}    // closed when nobody takes tasks any more
}

type assignment struct {
	task   *function.Task
	report *Report
}

// New makes an agent and starts its loop.
func New(c Config) *Agent {
	a := &Agent{
		Config: c, inbox: newInbox(), numbers: make([][]numbered, len(c.System.Workflows)),
		containers: map[engine.ContainerID]*container{}, timers: map[engine.Timer]*time.Timer{}, fetching: map[engine.Invocation]fetching{}, bodies: newBodies(),
	}
	if c.Restarted {
		a.engine = engine.RestartNode(c.Node, c.System)
	} else {
		a.engine = engine.NewNode(c.Node, c.System)
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	if c.Pace.Message > 0 {
		a.messages = newInbox()
		a.loop.Go(func() { a.hold(a.messages) })
	}
	if c.Pace.Notice > 0 {
		a.notices = newInbox()
		a.loop.Go(func() { a.hold(a.notices) })
	}
	a.loop.Go(a.run)
	return a
}

// Tell has the engine handle an event, once it has handled those before.
func (a *Agent) Tell(e *engine.Event) { a.inbox.push(item{event: *e}) }

// Arrive asks for an invocation, by its number among those of its workflow.
// The node must be the gateway.
func (a *Agent) Arrive(w engine.WorkflowID, number int64) {
	e := &engine.Event{Kind: engine.EventArrive, Number: number}
	e.Invocation.Workflow = w
	a.Tell(e)
}

// Open returns what the node has under way, unless the agent is closed.
func (a *Agent) Open() (open engine.Open, ok bool) {
	answer := make(chan engine.Open, 1)
	if !a.inbox.push(item{do: func(time.Time) { answer <- a.engine.Open() }}) {
		return open, false
	}
	select {
	case open = <-answer:
		return open, true
	case <-a.ctx.Done():
		return open, false
	}
}

// Quiet reports whether nothing is under way on the node, what releases have
// left to do included.
func (a *Agent) Quiet() bool {
	open, ok := a.Open()
	return !ok || open == (engine.Open{}) && a.releasing.Load() == 0
}

// Freeze has the loop stand still, or go on. It is for faults.
func (a *Agent) Freeze(still bool) {
	a.freezing.Lock()
	defer a.freezing.Unlock()
	switch {
	case !still && a.thaw != nil:
		close(a.thaw)
		a.thaw = nil
	case still && a.thaw == nil:
		thaw := make(chan struct{})
		a.thaw = thaw
		a.inbox.push(item{do: func(time.Time) {
			select {
			case <-thaw:
			case <-a.ctx.Done():
			}
		}})
	}
}

// Close stops the loop and all that it has set off, and waits for that. Nobody
// is told.
func (a *Agent) Close() {
	a.cancel()
	for _, b := range []*inbox{a.inbox, a.messages, a.notices} {
		if b != nil {
			b.close()
		}
	}
	a.loop.Wait()
	for _, t := range a.timers {
		t.Stop()
	}
	a.work.Wait()
}

// run is the loop. If the engine does not survive what it is told, that ends the
// trial, not the process: the inputs so far say how it came about.
func (a *Agent) run() {
	defer func() {
		if p := recover(); p != nil {
			a.inbox.close()
			a.Observer.Broken(fmt.Errorf("node %d: its engine has panicked: %v\n%s", a.Node, p, debug.Stack()))
		}
	}()
	var batch []item
	for {
		var ok bool
		if batch, ok = a.inbox.take(batch); !ok {
			return
		}
		for i := range batch {
			if a.ctx.Err() != nil {
				return
			}
			if batch[i].do != nil {
				batch[i].do(batch[i].came)
			} else {
				a.step(&batch[i].event, batch[i].came)
			}
		}
		clear(batch)
	}
}

// step has the engine handle an event, which came at a given time, and does
// what it asks for.
func (a *Agent) step(e *engine.Event, came time.Time) {
	now := a.Now()
	a.engine.Step(now, *e, &a.effects)
	if a.Journal != nil {
		if err := a.Journal.Step(now, e, a.effects.List); err != nil {
			a.Observer.Failed(fmt.Errorf("the inputs of node %d cannot be recorded any more: %w", a.Node, err))
			a.Journal = nil
		}
	}
	if a.Pace.Service != nil {
		if !a.occupy(a.Pace.Service(e, a.effects.List), came) {
			return
		}
		now = a.Now()
	}
	finished := false
	for i := range a.effects.List {
		effect := &a.effects.List[i]
		a.apply(now, effect)
		finished = finished || effect.Kind == engine.EffectFinish
	}
	if finished { // Told last, so that what the end has set off belongs to it.
		for i := range a.effects.List {
			if effect := &a.effects.List[i]; effect.Kind == engine.EffectFinish {
				a.Observer.Finished(now, effect.Invocation, effect.Outcome)
			}
		}
	}
	a.effects.Reset()
}

func (a *Agent) apply(now engine.Time, e *engine.Effect) {
	switch e.Kind {
	case engine.EffectAdmit:
		a.note(e.Invocation, e.Number)
		a.Observer.Admitted(e.Number, e.Invocation)
	case engine.EffectSend:
		a.send(now, &e.Message)
	case engine.EffectStart:
		a.start(e)
	case engine.EffectStop:
		a.stop(e.Container)
	case engine.EffectRun:
		a.runTask(now, e)
	case engine.EffectEvaluate:
		a.evaluate(now, e)
	case engine.EffectDocument:
		a.document(now, e)
	case engine.EffectTimer:
		a.setTimer(now, e)
	case engine.EffectPrefetch:
		a.prefetch(e)
	case engine.EffectSpill, engine.EffectDrop:
		a.dropOrSpill(e)
	case engine.EffectRelease:
		a.release(e.Invocation)
	case engine.EffectFinish:
	default:
		a.Observer.Failed(fmt.Errorf("the engine of node %d asks to %s, which this back end cannot do", a.Node, e.Kind))
	}
}

// Numbers of invocations.

// note remembers the number of an invocation, unless a later one has its slot.
func (a *Agent) note(i engine.Invocation, number int64) {
	slots := a.numbers[i.Workflow]
	for int(i.Slot) >= len(slots) {
		slots = append(slots, numbered{number: unknown})
	}
	a.numbers[i.Workflow] = slots
	if n := &slots[i.Slot]; i.Generation >= n.generation && number != unknown {
		*n = numbered{i.Generation, number}
	}
}

func (a *Agent) number(i engine.Invocation) int64 {
	if slots := a.numbers[i.Workflow]; int(i.Slot) < len(slots) && slots[i.Slot].generation == i.Generation {
		return slots[i.Slot].number
	}
	return unknown
}

func (a *Agent) instance(e *engine.Effect) facts.Instance {
	return facts.Instance{Subject: e.Subject, Number: a.number(e.Invocation), Try: e.Try}
}

// Messages.

// send puts a message on its way, with the number of its invocation and the
// time.
func (a *Agent) send(now engine.Time, m *engine.Message) {
	a.Observer.Sent(m)
	sent := now - a.overslept()
	if m.To == a.Node {
		own := *m
		a.deliver(sent, func(came time.Time) {
			a.Observer.Received(&own, sent, a.Now())
			a.step(&engine.Event{Kind: engine.EventDeliver, Message: own}, came)
		})
		return
	}
	a.scratch = binary.AppendVarint(a.scratch[:0], a.number(m.Invocation))
	a.scratch = binary.AppendVarint(a.scratch, sent)
	a.scratch = wire.AppendMessage(a.scratch, m)
	if m.Kind == engine.MessageData {
		a.scratch = append(a.scratch, a.bodies.get(m.Handle)...)
	}
	if err := a.Send(m.To, a.scratch); err != nil {
		a.Observer.Failed(fmt.Errorf("node %d cannot send a %s: %w", a.Node, m.Kind, err))
	}
}

// Receive takes a message of another node.
func (a *Agent) Receive(from engine.NodeID, message []byte) {
	r := wire.NewReader(message)
	number, sent := r.Int(math.MaxInt64), r.Int(math.MaxInt64)
	m := r.Message()
	body := []byte(nil)
	if m.Kind == engine.MessageData {
		body = slices.Clone(r.Bytes(uint64(r.Left())))
	}
	err := r.End()
	switch {
	case err != nil:
	case m.From != from || m.To != a.Node:
		err = fmt.Errorf("it says that it is from node %d for node %d", m.From, m.To)
	default:
		err = wire.Check(a.System, &m)
	}
	if err != nil {
		a.Observer.Failed(fmt.Errorf("a message from node %d to node %d is not right: %w", from, a.Node, err))
		return
	}
	a.deliver(sent, func(came time.Time) {
		a.note(m.Invocation, number)
		a.Observer.Received(&m, sent, a.Now())
		if m.Kind == engine.MessageData {
			m.Handle = a.take(keyOf(&m.Subject, int64(m.Call)), m.Way, body)
		}
		a.step(&engine.Event{Kind: engine.EventDeliver, Message: m}, came)
	})
}

// Containers.

func (a *Agent) start(e *engine.Effect) {
	ctx, cancel := context.WithCancel(a.ctx)
	c := &container{cancel: cancel, tasks: make(chan *assignment, 1), gone: make(chan struct{})}
	a.containers[e.Container] = c
	instance, id := a.instance(e), e.Container
	a.work.Go(func() {
		defer cancel()
		handle, err := a.Containers.Start(ctx, &instance)
		if err != nil {
			if ctx.Err() == nil {
				a.Observer.Failed(fmt.Errorf("a container cannot be started: %w", err))
				a.Tell(&engine.Event{Kind: engine.EventContainerFailed, Container: id})
			}
			return
		}
		defer handle.Close()
		a.Tell(&engine.Event{Kind: engine.EventContainerUp, Container: id})
		a.serve(ctx, id, c, handle)
		close(c.gone)
		a.forgo(c)
	})
}

// serve runs the tasks of a container until it is stopped or lost.
func (a *Agent) serve(ctx context.Context, id engine.ContainerID, c *container, handle Container) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-handle.Lost():
			a.Tell(&engine.Event{Kind: engine.EventContainerLost, Container: id})
			return
		case s := <-c.tasks:
			s.task.Posted = func(output int32, items uint32) {
				e := engine.Event{Kind: engine.EventItems, Container: id, Number: int64(output)}
				e.Subject, e.Items = s.task.Subject, items
				a.Tell(&e)
			}
			s.task.Announce = a.Announce
			s.report.Result = handle.Run(ctx, s.task)
			s.report.Told = a.Now()
			if ctx.Err() != nil {
				a.Observer.Killed(s.task.Invocation)
				return
			}
			select {
			case <-handle.Lost():
				a.Observer.Killed(s.task.Invocation)
				continue // Which is what is reported.
			default:
			}
			a.Observer.Ended(s.report)
			a.Tell(&engine.Event{Kind: engine.EventTaskEnded, Outcome: s.report.Outcome, Container: id, Number: s.report.Streamed})
		}
	}
}

// forgo gives up a task that a container has been given and will never take:
// the engine did not know yet that it is gone.
func (a *Agent) forgo(c *container) {
	select {
	case s := <-c.tasks:
		a.Observer.Killed(s.task.Invocation)
	default:
	}
}

func (a *Agent) stop(id engine.ContainerID) {
	if c := a.containers[id]; c != nil {
		c.cancel()
		delete(a.containers, id)
	}
}

func (a *Agent) runTask(now engine.Time, e *engine.Effect) {
	c := a.containers[e.Container]
	if c == nil {
		a.Observer.Failed(fmt.Errorf("node %d: there is no container %d to run a task in", a.Node, e.Container.Index))
		return
	}
	a.Observer.Started(now, e.Invocation, e.Cold)
	instance := a.instance(e)
	c.tasks <- &assignment{
		&function.Task{Instance: instance, Plan: ownPlan(&e.Plan)},
		&Report{
			Instance: instance, Node: a.Node, Container: e.Container, Cold: e.Cold, AtHand: e.AtHand,
			Queued: e.Since, Held: e.Held, Cause: e.Cause,
		},
	}
	select {
	case <-c.gone:
		a.forgo(c)
	default:
	}
}

// ownPlan is a plan that outlives the effect.
func ownPlan(p *engine.Plan) engine.Plan {
	own := *p
	own.Sources, own.Targets = slices.Clone(p.Sources), slices.Clone(p.Targets)
	return own
}

// What engines wait for.

func (a *Agent) evaluate(now engine.Time, e *engine.Effect) {
	answer := engine.Event{Kind: engine.EventSwitched, Message: e.Message}
	task := &function.Task{Instance: a.instance(e), Plan: ownPlan(&e.Plan)}
	choice := chain.Choice{Subject: e.Subject, Node: a.Node, Cause: e.Cause}
	a.work.Go(func() {
		branch, moved, err := a.Runtime.Choose(a.ctx, task)
		if err != nil && a.ctx.Err() == nil {
			a.Observer.Failed(fmt.Errorf("a switch cannot be evaluated: %w", err))
		}
		if branch < 0 { // Nobody can say where the invocation goes on.
			lost := engine.Event{Kind: engine.EventDataLost}
			lost.Invocation = task.Invocation
			a.Observer.Carried(task.Invocation, moved)
			a.Tell(&lost)
			return
		}
		choice.Branch = branch
		answer.Number = int64(choice.Branch)
		a.Observer.Chosen(&choice, now, a.Now(), moved)
		a.Tell(&answer)
	})
}

func (a *Agent) document(now engine.Time, e *engine.Effect) {
	answer := engine.Event{Kind: engine.EventDocument, Document: e.Document, Message: e.Message}
	a.work.Go(func() {
		a.perform(&answer)
		a.Observer.Waited(&answer.Subject, now, a.Now())
		a.Tell(&answer)
	})
}

// perform performs an operation on the database, as often as it takes: an
// engine that is not answered stands still. A database that is gone for a while
// is a fault, and said once.
func (a *Agent) perform(e *engine.Event) {
	const pause = 50 * time.Millisecond
	for told := false; ; told = true {
		err := a.Documents.Perform(a.ctx, e.Document, &e.Subject, e.Items)
		if err == nil || a.ctx.Err() != nil {
			return
		}
		if !told {
			a.Observer.Failed(fmt.Errorf("the operation %s on the database: %w", e.Document, err))
		}
		if !clock.Sleep(a.ctx, int64(pause)) {
			return
		}
	}
}

// setTimer sets a timer. One of the same name that is still waiting is
// forgotten, as only the last matters.
func (a *Agent) setTimer(now engine.Time, e *engine.Effect) {
	if before := a.timers[e.Timer]; before != nil {
		before.Stop()
	}
	event := engine.Event{Kind: engine.EventTimer, Timer: e.Timer}
	wait := time.Duration(max(e.At-now, 0))
	due := time.Now().Add(wait)
	a.timers[e.Timer] = time.AfterFunc(wait, func() { a.inbox.push(item{event: event, came: due}) })
}

func (a *Agent) release(i engine.Invocation) {
	a.bodies.release(i)
	if f, ok := a.fetching[i]; ok {
		f.cancel()
		delete(a.fetching, i)
	}
	a.releasing.Add(1)
	a.work.Go(func() {
		defer a.releasing.Add(-1)
		if err := a.Release(a.ctx, i); err != nil && a.ctx.Err() == nil {
			a.Observer.Failed(fmt.Errorf("data of an invocation that has ended cannot be dropped: %w", err))
		}
	})
}
