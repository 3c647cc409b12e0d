package records

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Collector takes what the agents of a trial observe, and hands each record on
// when it is complete.
type Collector struct {
	trial    *scenarios.Trial
	recorder record.Recorder
	traced   bool
	// ended is told of each invocation that has ended, recorded when the
	// record of one has been made.
	ended    func(*record.Invocation)
	recorded func()
	// broken is told why the trial cannot go on.
	broken func(error)

	mu          sync.Mutex
	asked       map[asked]*arrival
	invocations map[engine.Invocation]*invocation // without attempt and epoch
	failures    []error
	failed      int
	bytes       function.Bytes
}

// asked names an invocation before the gateway does.
type asked struct {
	workflow engine.WorkflowID
	number   int64
}

type arrival struct {
	client         int
	intended, sent engine.Time
}

// invocation is what is known of one that has not ended.
type invocation struct {
	attempt uint16
	record  record.Invocation
	tasks   []chain.Task
	posts   []chain.Post
	choices []chain.Choice
	waits   []chain.Wait
	// running counts the tasks that a container has taken up. It may have
	// ended before they have: then its record waits for theirs.
	running int
	ended   bool
	name    engine.Invocation
}

// NewCollector returns a collector. ended is called when an invocation has
// ended, of whose record only what its client knows is right then; recorded
// when its record is complete, which may be later. Both are called by one
// goroutine at a time, and must not call the collector. broken is called when
// the trial cannot go on.
func NewCollector(t *scenarios.Trial, r record.Recorder, ended func(*record.Invocation), recorded func(), broken func(error)) *Collector {
	return &Collector{
		trial: t, recorder: r, traced: r.WantsTasks(), ended: ended, recorded: recorded, broken: broken,
		asked: map[asked]*arrival{}, invocations: map[engine.Invocation]*invocation{},
	}
}

// Ask notes that an invocation is being asked for. client is -1 in an open
// loop.
func (c *Collector) Ask(w engine.WorkflowID, number int64, client int, intended, sent engine.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[asked{w, number}] = &arrival{client, intended, sent}
}

// slotOf names the occupant of a slot, whatever its attempt.
func slotOf(i engine.Invocation) engine.Invocation {
	i.Attempt, i.Epoch = 0, 0
	return i
}

// of returns an invocation that has not ended, or nil.
func (c *Collector) of(i engine.Invocation) *invocation { return c.invocations[slotOf(i)] }

// Admitted implements agent.Observer.
func (c *Collector) Admitted(number int64, i engine.Invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := asked{i.Workflow, number}
	a := c.asked[key]
	if a == nil {
		return
	}
	delete(c.asked, key)
	c.invocations[slotOf(i)] = &invocation{
		record: record.Invocation{
			Workflow: int(i.Workflow), Number: number, Client: a.client,
			Measured: c.trial.Loads[i.Workflow].Measured(number, a.intended),
			Intended: a.intended, Sent: a.sent, Started: -1, Attempts: 1,
		},
	}
}

// Sent implements agent.Observer.
func (c *Collector) Sent(m *engine.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.of(m.Invocation); i != nil {
		i.record.Messages++
	}
}

// Carried implements agent.Observer.
func (c *Collector) Carried(id engine.Invocation, b function.Bytes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes.Add(&b)
	if i := c.of(id); i != nil {
		i.moved(&b)
	}
}

// Received implements agent.Observer.
func (c *Collector) Received(m *engine.Message, sent, at engine.Time) {
	if !c.traced {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.of(m.Invocation); i != nil {
		i.note(&m.Subject, chain.MessageWait(m.Kind), sent, at)
	}
}

// Waited implements agent.Observer.
func (c *Collector) Waited(s *engine.Subject, from, to engine.Time) {
	if !c.traced {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.of(s.Invocation); i != nil {
		i.note(s, chain.Sync, from, to)
	}
}

// Chosen implements agent.Observer.
func (c *Collector) Chosen(choice *chain.Choice, from, to engine.Time, moved function.Bytes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes.Add(&moved)
	if i := c.of(choice.Invocation); i != nil {
		i.moved(&moved)
		i.choices = append(i.choices, *choice)
		if c.traced {
			i.note(&choice.Subject, chain.Sync, from, to)
		}
	}
}

// note keeps what the control plane has waited for.
func (i *invocation) note(s *engine.Subject, kind chain.WaitKind, from, to engine.Time) {
	i.waits = append(i.waits, chain.Wait{Kind: kind, Attempt: s.Invocation.Attempt, Function: s.Function, Path: s.Path, From: from, To: to})
}

func (i *invocation) moved(b *function.Bytes) {
	r := &i.record
	r.RemoteRead += b.RemoteRead
	r.RemoteWritten += b.RemoteWritten
	r.LocalRead += b.LocalRead
	r.LocalWritten += b.LocalWritten
	r.ResentBytes += b.Resent
	r.Conflicts += b.Conflicts
}

// Started implements agent.Observer. With the first task of a new attempt,
// what earlier ones have done is void.
func (c *Collector) Started(at engine.Time, id engine.Invocation, cold bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.of(id)
	if i == nil {
		return
	}
	i.attempt = max(i.attempt, id.Attempt)
	i.record.Tasks++
	i.running++
	if cold {
		i.record.ColdStarts++
	}
	if i.record.Started < 0 {
		i.record.Started = at
	}
}

// Ended implements agent.Observer.
func (c *Collector) Ended(r *agent.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes.Add(&r.Bytes)
	if r.Err != nil {
		c.fail(fmt.Errorf("a task failed on node %d: %w", r.Node, r.Err))
	}
	i := c.of(r.Invocation)
	if i == nil {
		return
	}
	t := chain.Task{Attempt: r.Invocation.Attempt, Cause: r.Cause, AtHand: r.AtHand, Told: r.Told, Task: record.Task{
		Workflow: i.record.Workflow, Number: i.record.Number, Function: r.Function, Path: r.Path, Try: int(r.Try),
		Node: r.Node, Container: r.Container.Index, Cold: r.Cold, Outcome: r.Outcome,
		Queued: r.Queued, Started: r.Result.Started, Ended: r.Result.Ended, Fetch: r.Fetch, Put: r.Put,
		Retry: r.Retry, Conflicts: r.Conflicts, Streamed: r.Streamed, Held: min(r.Held, r.Result.Started-r.Queued),
	}}
	t.Compute = t.Ended - t.Started - t.Fetch - t.Put
	i.tasks = append(i.tasks, t)
	for _, p := range r.Posts {
		i.posts = append(i.posts, chain.Post{
			Function: r.Function, Output: p.Key.Output, Path: p.Key.Path, Attempt: r.Invocation.Attempt, Node: r.Node,
			Way: p.Way, At: p.At, Put: p.Put,
		})
	}
	record := &i.record
	record.FetchTime += r.Fetch
	record.PutTime += r.Put
	i.moved(&r.Bytes)
	memory := c.workflow(r.Invocation.Workflow).Functions[r.Function].Memory
	if memory == 0 {
		memory = int64(c.trial.Profile.Container.Memory)
	}
	record.ContainerByteTime += float64(memory) * float64(t.Ended-t.Started)
	c.taskGone(i)
}

// Killed implements agent.Observer.
func (c *Collector) Killed(id engine.Invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.of(id); i != nil {
		c.taskGone(i)
	}
}

// taskGone notes that one of the tasks of an invocation is no more.
func (c *Collector) taskGone(i *invocation) {
	if i.running--; i.ended && i.running == 0 {
		c.complete(i)
	}
}

func (c *Collector) workflow(w engine.WorkflowID) *workflow.Workflow { return c.trial.Workflows[w] }

// Finished implements agent.Observer.
func (c *Collector) Finished(at engine.Time, id engine.Invocation, o engine.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.of(id)
	if i == nil {
		return
	}
	if i.ended {
		return
	}
	r := &i.record
	i.ended, i.attempt = true, id.Attempt
	r.Ended, r.Outcome, r.Attempts = at, o, int(id.Attempt)+1
	if r.Started < 0 {
		r.Started = at
	}
	// What runs after the result was posted belongs to the record, unless it
	// is about to be killed.
	i.name = slotOf(id)
	c.ended(r)
	if o != engine.Completed || i.running == 0 {
		c.complete(i)
	}
}

// complete makes the record of an invocation that has ended.
func (c *Collector) complete(i *invocation) {
	delete(c.invocations, i.name)
	r := &i.record
	all := c.chainOf(i)
	all.Close(r)
	price := &c.trial.Profile.Price
	r.Cost = price.GBSecond*r.ContainerByteTime/1e18 + price.Task*float64(r.Tasks)
	if c.traced {
		tasks := all.Tasks()
		for t := range tasks {
			c.recorder.Task(&tasks[t].Task)
		}
	}
	c.recorder.Invocation(r)
	c.recorded()
}

// chainOf tells a chain of all that was observed of an invocation. Agents report
// at the same time, so the order is made certain here.
func (c *Collector) chainOf(i *invocation) *chain.Chain {
	slices.SortStableFunc(i.tasks, func(a, b chain.Task) int { return cmp.Compare(a.Ended, b.Ended) })
	slices.SortStableFunc(i.posts, func(a, b chain.Post) int { return cmp.Compare(a.At, b.At) })
	_, driven := c.trial.Scheduler.Control.(engine.DataDriven)
	var all chain.Chain
	all.Begin(c.trial.Workflows[i.record.Workflow], driven)
	all.Attempt(i.attempt)
	for _, t := range i.tasks {
		all.Ended(t)
	}
	for _, p := range i.posts {
		all.Posted(p)
	}
	for _, choice := range i.choices {
		all.Chosen(choice)
	}
	for _, w := range i.waits {
		all.Waited(w)
	}
	return &all
}

// Failed implements agent.Observer.
func (c *Collector) Failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(err)
}

// Broken implements agent.Observer.
func (c *Collector) Broken(err error) { c.broken(err) }

// fail keeps the first of what went wrong, and counts all.
func (c *Collector) fail(err error) {
	const kept = 10
	c.failed++
	if len(c.failures) < kept {
		c.failures = append(c.failures, err)
	}
}

// Failures returns the first things that went wrong, and how many did.
func (c *Collector) Failures() ([]error, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures, c.failed
}

// Open counts the invocations that have been asked for and have not ended.
func (c *Collector) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asked) + len(c.invocations)
}

// Owed counts the invocations that have been asked for and are still to end. Open
// counts those as well that have ended, and have tasks left to end.
func (c *Collector) Owed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.asked)
	for _, i := range c.invocations {
		if !i.ended {
			n++
		}
	}
	return n
}

// GiveUp records the invocations that have ended without the tasks that they
// still have: those will never end.
func (c *Collector) GiveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range c.invocations { // Of which complete deletes one.
		if i.ended {
			c.complete(i)
		}
	}
}

// Moved returns what tasks have moved so far, those of attempts that came to
// nothing included.
func (c *Collector) Moved() function.Bytes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bytes
}
