package engine

import (
	"github.com/flowtwin/flowtwin/engine/pool"
	"github.com/flowtwin/flowtwin/engine/slab"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// worker is the part of a node that runs functions: a queue of tasks and a
// pool of containers for each function.
type worker struct {
	pools      [][]uint32 // by workflow and function: index into all, or none
	all        slab.Slab[functionPool]
	tasks      slab.Slab[task]
	containers slab.Slab[container]
}

type functionPool struct {
	pool.Pool
	workflow    WorkflowID
	function    workflow.FunctionID
	first, last uint32 // queued tasks
	queued      int32
	ticking     bool // a dispatch timer is set
	ticked      Time // when the last tick served a task
	aging       bool // a keep-alive timer is set
}

// task is an instance that is queued or running here. Tasks of one queue are
// linked, and so are those of one invocation.
type task struct {
	subject        Subject
	call           int32
	pool           uint32
	since          Time
	previous, next uint32 // in the queue
	older, younger uint32 // of the invocation
	container      uint32 // none while queued
	try            uint16
	begun          Time
	cause          Cause
	// atHand: an idle container was there for it when it was triggered.
	atHand bool
	// detached: its invocation has completed; it may end, but nobody waits.
	detached bool
}

type container struct {
	generation uint32
	pool       uint32
	task       uint32
	state      containerState
	held       Time // since when it was held back last
	until      Time // when that ended, or will
}

type containerState uint8

const (
	containerGone containerState = iota
	containerStarting
	containerIdle
	containerBusy
	containerHeld
)

// Run queues an instance of a function on this node. When it has ended well,
// the scheme is given an EventTaskEnded with the same subject and call. cause
// says what has triggered it.
func (n *Node) Run(subject Subject, call int32, cause Cause) {
	w := &n.worker
	at := n.poolOf(subject.Invocation.Workflow, subject.Function)
	t := w.tasks.Take()
	s := n.slot(subject.Invocation)
	task := w.tasks.At(t)
	task.subject, task.call, task.pool, task.since = subject, call, at, n.now
	task.container, task.try, task.cause, task.detached = none, 0, cause, false
	task.previous, task.next, task.older, task.younger = none, none, s.tasks, none
	if s.tasks != none {
		w.tasks.At(s.tasks).younger = t
	}
	s.tasks = t
	p := w.all.At(at)
	idle, _, _ := p.Count()
	task.atHand = p.Idle() && idle > int(p.queued)
	if p.queued == 0 && p.Starting() == 0 && n.system.Rules.DispatchTick == 0 {
		if c, ok := p.Take(); ok { // A short cut past the queue.
			n.run(t, c, false)
			return
		}
	}
	n.enqueue(t)
	n.wake(at)
}

func (n *Node) poolOf(wf WorkflowID, f workflow.FunctionID) uint32 {
	w := &n.worker
	if w.pools[wf] == nil {
		w.pools[wf] = make([]uint32, len(n.system.Workflows[wf].Functions))
		for i := range w.pools[wf] {
			w.pools[wf][i] = none
		}
	}
	at := w.pools[wf][f]
	if at == none {
		at = w.all.Take()
		*w.all.At(at) = functionPool{workflow: wf, function: f, first: none, last: none, ticked: -n.system.Rules.DispatchTick}
		w.pools[wf][f] = at
	}
	return at
}

func (n *Node) enqueue(t uint32) {
	w := &n.worker
	task := w.tasks.At(t)
	p := w.all.At(task.pool)
	task.previous, task.next = p.last, none
	if p.last != none {
		w.tasks.At(p.last).next = t
	} else {
		p.first = t
	}
	p.last = t
	p.queued++
}

func (n *Node) dequeue(t uint32) {
	w := &n.worker
	task := w.tasks.At(t)
	p := w.all.At(task.pool)
	if task.previous != none {
		w.tasks.At(task.previous).next = task.next
	} else {
		p.first = task.next
	}
	if task.next != none {
		w.tasks.At(task.next).previous = task.previous
	} else {
		p.last = task.previous
	}
	task.previous, task.next = none, none
	p.queued--
}

// wake serves the queue of a pool, at once or on the next tick.
func (n *Node) wake(at uint32) {
	p := n.worker.all.At(at)
	tick := n.system.Rules.DispatchTick
	if tick == 0 {
		for n.serve(at) {
		}
		return
	}
	if !p.ticking && p.queued > 0 {
		p.ticking = true
		due := (n.now + tick - 1) / tick * tick
		n.SetTimer(Timer{TimerDispatch, at}, max(due, p.ticked+tick))
	}
}

// tick serves one queued task of a pool.
func (n *Node) tick(at uint32) {
	p := n.worker.all.At(at)
	p.ticking = false
	if n.serve(at) {
		p.ticked = n.now
		n.wake(at)
	}
}

// serve gives a queued task of the pool a container, or starts one for it. It
// reports whether it could do either; if not, trying again is of no use until
// a container is given back or lost.
func (n *Node) serve(at uint32) bool {
	r := &n.system.Rules
	p := n.worker.all.At(at)
	unserved := int(p.queued) - p.Starting()
	if p.queued == 0 || unserved <= 0 && (r.BindColdStart || !p.Idle()) {
		return false
	}
	if c, ok := p.Take(); ok {
		n.runNext(at, c, false)
		return true
	}
	limit := n.system.Workflows[p.workflow].Functions[p.function].MaxContainers
	if !p.Room(limit, &r.Pool) {
		return false
	}
	n.start(at)
	return true
}

// start starts a container for the first queued task that waits for none yet.
func (n *Node) start(at uint32) {
	w := &n.worker
	p := w.all.At(at)
	t := p.first
	for range p.Starting() {
		t = w.tasks.At(t).next
	}
	c := w.containers.Take()
	container := w.containers.At(c)
	container.generation++
	container.pool, container.task, container.state = at, none, containerStarting
	container.held, container.until = 0, 0
	p.Start()
	e := n.effects.add(EffectStart)
	e.Container = ContainerID{c, container.generation}
	e.Subject = w.tasks.At(t).subject
	e.Try = w.tasks.At(t).try
}

// runNext runs the first queued task of a pool in a container, which is cold if
// it is the first that the container runs.
func (n *Node) runNext(at uint32, c uint32, cold bool) {
	t := n.worker.all.At(at).first
	n.dequeue(t)
	n.run(t, c, cold)
}

// run runs a task that is in no queue.
func (n *Node) run(t uint32, c uint32, cold bool) {
	w := &n.worker
	task := w.tasks.At(t)
	task.container, task.begun = c, n.now
	container := w.containers.At(c)
	container.task, container.state = t, containerBusy
	e := n.effects.add(EffectRun)
	e.Container = ContainerID{c, container.generation}
	e.Subject, e.Call, e.Since, e.Try, e.Cold = task.subject, task.call, task.since, task.try, cold
	e.AtHand = task.atHand && task.try == 0
	e.Held, e.Cause = max(0, container.until-max(container.held, task.since)), task.cause
	n.deployments[task.subject.Invocation.Epoch].plan(&e.Plan, &task.subject, &n.system.Rules)
}

// container returns the state of a container that the driver names, or nil if
// it is no more.
func (n *Node) container(id ContainerID) *container {
	if id.Index >= n.worker.containers.Used() {
		return nil
	}
	c := n.worker.containers.At(id.Index)
	if c.generation != id.Generation || c.state == containerGone {
		n.counters.Stale++
		return nil
	}
	return c
}

// taskIn returns the task that runs in a container, or nil.
func (n *Node) taskIn(id ContainerID) *task {
	if c := n.container(id); c != nil && c.task != none {
		return n.worker.tasks.At(c.task)
	}
	return nil
}

func (n *Node) containerUp(id ContainerID) {
	c := n.container(id)
	if c == nil {
		return
	}
	p := n.worker.all.At(c.pool)
	p.Up()
	if p.first != none {
		n.runNext(c.pool, id.Index, true)
		return
	}
	n.giveBack(c, id.Index)
}

// hold keeps a container from taking up another task for a while.
func (n *Node) hold(c *container, index uint32, time Time) {
	c.task, c.state, c.held, c.until = none, containerHeld, n.now, n.now+time
	n.SetTimer(Timer{TimerHold, index}, c.until)
}

// holdEnds gives back a container that was held.
func (n *Node) holdEnds(index uint32) {
	c := n.worker.containers.At(index)
	if c.state != containerHeld || c.until > n.now {
		return // The timer was for an earlier one.
	}
	n.giveBack(c, index)
	n.wake(c.pool)
}

// giveBack puts an idle container into its pool.
func (n *Node) giveBack(c *container, index uint32) {
	p := n.worker.all.At(c.pool)
	c.task, c.state = none, containerIdle
	p.Give(index, n.now)
	if r := &n.system.Rules.Pool; r.KeepAlive > 0 && !p.aging {
		p.aging = true
		n.SetTimer(Timer{TimerKeepAlive, c.pool}, r.Expiry(n.now))
	}
}

// expire stops the containers of a pool that have been idle for too long.
func (n *Node) expire(at uint32) {
	p := n.worker.all.At(at)
	p.aging = false
	for {
		c, expired, next := p.Expire(n.now, &n.system.Rules.Pool)
		if !expired {
			if next > 0 {
				p.aging = true
				n.SetTimer(Timer{TimerKeepAlive, at}, next)
			}
			return
		}
		n.stop(c)
	}
}

// stop has a container stopped that its pool no longer counts.
func (n *Node) stop(index uint32) {
	e := n.effects.add(EffectStop)
	e.Container = ContainerID{index, n.worker.containers.At(index).generation}
	n.bin(index)
}

// bin makes the place of a container free.
func (n *Node) bin(index uint32) {
	n.worker.containers.At(index).state = containerGone
	n.worker.containers.Give(index)
}

// containerFailed handles a start that failed: the task that has waited for
// longest has failed with it.
func (n *Node) containerFailed(id ContainerID) {
	c := n.container(id)
	if c == nil {
		return
	}
	at := c.pool
	p := n.worker.all.At(at)
	p.Gone(true)
	n.bin(id.Index)
	if t := p.first; t != none {
		n.dequeue(t)
		n.retry(t)
	}
	n.wake(at)
}

func (n *Node) containerLost(id ContainerID) {
	c := n.container(id)
	if c == nil {
		return
	}
	at, t := c.pool, c.task
	p := n.worker.all.At(at)
	if c.state == containerIdle {
		p.Remove(id.Index)
	}
	p.Gone(c.state == containerStarting)
	n.bin(id.Index)
	if t != none {
		n.retry(t)
	}
	n.wake(at)
}

// retry queues a failed task again, or gives up the attempt.
func (n *Node) retry(t uint32) {
	task := n.worker.tasks.At(t)
	if task.detached {
		n.worker.tasks.Give(t)
		return
	}
	if int(task.try) >= n.system.Rules.TaskRetries {
		i := task.subject.Invocation
		n.drop(t)
		n.Fail(i, false)
		return
	}
	task.try++
	task.container = none
	n.enqueue(t)
}

func (n *Node) taskEnded(e *Event) {
	c := n.container(e.Container)
	if c == nil || c.task == none {
		return
	}
	t, at := c.task, c.pool
	task := n.worker.tasks.At(t)
	cores := n.system.Workflows[task.subject.Invocation.Workflow].Functions[task.subject.Function].CPU
	if hold := n.system.Rules.Pressure.Hold(e.Number, cores, n.now-task.begun); hold > 0 {
		n.hold(c, e.Container.Index, hold)
	} else {
		n.giveBack(c, e.Container.Index)
	}
	if task.detached {
		n.worker.tasks.Give(t)
		n.wake(at)
		return
	}
	switch e.Outcome {
	case Completed:
		n.hasRead(&task.subject)
		e.Subject, e.Call = n.worker.tasks.At(t).subject, n.worker.tasks.At(t).call
		n.drop(t)
		n.control.Handle(*e)
	case DataLost:
		i := n.worker.tasks.At(t).subject.Invocation
		n.drop(t)
		n.Fail(i, true)
	default:
		n.retry(t)
	}
	n.wake(at)
}

// drop removes a task, which is in no queue and no container any more.
func (n *Node) drop(t uint32) {
	n.unlinkTask(t)
	n.worker.tasks.Give(t)
}

// unlinkTask takes a task out of the list of its invocation.
func (n *Node) unlinkTask(t uint32) {
	w := &n.worker
	task := w.tasks.At(t)
	if task.older != none {
		w.tasks.At(task.older).younger = task.younger
	}
	if task.younger != none {
		w.tasks.At(task.younger).older = task.older
	} else {
		n.slot(task.subject.Invocation).tasks = task.older
	}
}

// cancelTasks drops the tasks of an invocation. Queued ones are simply
// removed. A running one is killed together with its container, whose state
// nobody could vouch for. Queues are looked at only when all tasks are out of
// them, so that none that is about to go is given a container.
func (n *Node) cancelTasks(i Invocation) {
	w := &n.worker
	for t := n.slot(i).tasks; t != none; t = w.tasks.At(t).older {
		if c := w.tasks.At(t).container; c != none {
			n.stop(c)
			w.all.At(w.tasks.At(t).pool).Gone(false)
		} else {
			n.dequeue(t)
		}
	}
	for t := n.slot(i).tasks; t != none; t = n.slot(i).tasks {
		at := w.tasks.At(t).pool
		n.drop(t)
		n.wake(at)
	}
}

// detachTasks lets the running tasks of an invocation that has completed go on
// to their end, and drops queued ones.
func (n *Node) detachTasks(i Invocation) {
	w := &n.worker
	for t := n.slot(i).tasks; t != none; {
		next := w.tasks.At(t).older
		if w.tasks.At(t).container != none {
			n.unlinkTask(t)
			w.tasks.At(t).detached = true
		}
		t = next
	}
	n.cancelTasks(i)
}
