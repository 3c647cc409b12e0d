package chain

import (
	"math"
	"slices"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// Chain is what is known of one invocation. It may be used again, from Begin
// on, and then allocates nothing that it has room for.
type Chain struct {
	workflow *workflow.Workflow
	driven   bool
	attempt  uint16

	tasks     []Task
	posts     []Post
	choices   []Choice
	waits     []Wait
	functions []function

	// Where the tasks and posts in a foreach are, of this attempt.
	instances, data index
}

// Task is one run of a function instance.
type Task struct {
	record.Task
	Attempt uint16
	Cause   engine.Cause
	// AtHand: an idle container was there for it when it was triggered.
	AtHand bool
	// Told is when the agent of its node knew of its end, at Ended or later.
	Told    engine.Time
	earlier int32 // that completed, of the same function and attempt
}

// Post is a datum that a task has posted: an output, or an item of a list,
// whose path then has a level more than the task's.
type Post struct {
	Function workflow.FunctionID
	Output   int32
	Path     workflow.Path
	Attempt  uint16
	Node     engine.NodeID
	Way      data.Target
	At       engine.Time
	Put      engine.Time // what the task had spent on putting by then
	earlier  int32       // of the same function
}

// Choice is the branch that a switch has taken.
type Choice struct {
	engine.Subject
	Branch int
	Node   engine.NodeID
	Cause  engine.Cause
}

// function is what the instances of a function have done in this attempt.
type function struct {
	latest  int32 // the task that completed last, or none
	post    int32 // the last datum that was posted, or none
	longest engine.Time
	until   engine.Time // scratch of criticalTime
}

const none int32 = -1

// Begin forgets what was, and begins with the first attempt of an invocation.
// Under driven control functions are triggered by their data, and the end
// waits for results, not for the ends of functions.
func (c *Chain) Begin(w *workflow.Workflow, driven bool) {
	c.workflow, c.driven = w, driven
	c.tasks, c.posts, c.choices, c.waits = c.tasks[:0], c.posts[:0], c.choices[:0], c.waits[:0]
	c.functions = slices.Grow(c.functions[:0], len(w.Functions))[:len(w.Functions)]
	c.tasks = slices.Grow(c.tasks, len(w.Functions)) // as many as there are at least, as a rule
	c.begin(0)
}

func (c *Chain) begin(attempt uint16) {
	c.attempt = attempt
	for f := range c.functions {
		c.functions[f] = function{latest: none, post: none}
	}
	c.instances.reset()
	c.data.reset()
}

// Attempt begins another attempt: what earlier ones have done is void.
func (c *Chain) Attempt(attempt uint16) {
	if attempt > c.attempt {
		c.begin(attempt)
	}
}

// Ended adds a task that has ended, in whatever way.
func (c *Chain) Ended(t Task) {
	t.earlier = none
	if t.Attempt == c.attempt && t.Outcome == engine.Completed {
		f := &c.functions[t.Function]
		t.earlier, f.latest = f.latest, int32(len(c.tasks))
		f.longest = max(f.longest, t.Ended-t.Queued)
	}
	c.tasks = append(c.tasks, t)
}

// Posted adds a datum that has been posted.
func (c *Chain) Posted(p Post) {
	p.earlier = none
	if p.Attempt == c.attempt {
		f := &c.functions[p.Function]
		p.earlier, f.post = f.post, int32(len(c.posts))
	}
	c.posts = append(c.posts, p)
}

// Chosen adds the branch that a switch has taken.
func (c *Chain) Chosen(choice Choice) { c.choices = append(c.choices, choice) }

// Tasks returns all tasks in the order in which they were added. Close has
// marked those on the chain.
func (c *Chain) Tasks() []Task { return c.tasks }

// Ran returns an instance that has completed in this attempt, or nil.
func (c *Chain) Ran(f workflow.FunctionID, path *workflow.Path) *Task {
	if path.Depth() > 0 {
		if at := c.ended(f, path, math.MaxInt64); at != none {
			return &c.tasks[at]
		}
		return nil
	}
	for at := c.functions[f].latest; at != none; at = c.tasks[at].earlier {
		if t := &c.tasks[at]; t.Path == *path {
			return t
		}
	}
	return nil
}

// ended returns the task of an instance in a foreach that was the last to end
// before a time, or none.
func (c *Chain) ended(f workflow.FunctionID, path *workflow.Path, before engine.Time) int32 {
	for ; c.instances.read < len(c.tasks); c.instances.read++ {
		if t := &c.tasks[c.instances.read]; t.Attempt == c.attempt && t.Outcome == engine.Completed && t.Path.Depth() > 0 {
			c.instances.add(hashOf(t.Function, -1, &t.Path), int32(c.instances.read))
		}
	}
	for e := c.instances.last(hashOf(f, -1, path)); e != none; e = c.instances.before(e) {
		at := c.instances.entries[e].at
		if t := &c.tasks[at]; t.Function == f && t.Path == *path && t.Ended <= before {
			return at
		}
	}
	return none
}

// LatestPost returns the datum as it was posted last in this attempt, or nil.
func (c *Chain) LatestPost(f workflow.FunctionID, output int32, path *workflow.Path) *Post {
	if path.Depth() > 0 {
		for ; c.data.read < len(c.posts); c.data.read++ {
			if p := &c.posts[c.data.read]; p.Attempt == c.attempt && p.Path.Depth() > 0 {
				c.data.add(hashOf(p.Function, p.Output, &p.Path), int32(c.data.read))
			}
		}
		for e := c.data.last(hashOf(f, output, path)); e != none; e = c.data.before(e) {
			if p := &c.posts[c.data.entries[e].at]; p.Function == f && p.Output == output && p.Path == *path {
				return p
			}
		}
		return nil
	}
	for at := c.functions[f].post; at != none; at = c.posts[at].earlier {
		if p := &c.posts[at]; p.Output == output && p.Path == *path {
			return p
		}
	}
	return nil
}

// Close completes the record of the invocation, of which it takes when it was
// to be sent, when it ended and how: its phases, and the time of its critical
// path. It marks the tasks on the chain, from the last one back.
func (c *Chain) Close(i *record.Invocation) {
	c.sortWaits()
	p := &i.Phases
	until := i.Ended
	l := c.last(i)
	c.divideAfter(l, i.Ended)
	for l.task != none {
		t := &c.tasks[l.task]
		t.Critical, t.Until, t.PutUntil = true, l.until, l.put
		between := record.Control
		if l.streamed {
			between = record.Transfer
		}
		p[between] += until - l.until
		p[record.Put] += l.put
		p[record.Fetch] += t.Fetch
		p[record.Compute] += l.until - t.Started - t.Fetch - l.put
		p[record.HoldBack] += t.Held
		wait := record.Queue
		if t.Cold {
			wait = record.ColdStart
		}
		p[wait] += t.Started - t.Queued - t.Held
		until = t.Queued
		l = c.before(t)
		c.divideBefore(t, l, i.Intended)
	}
	p[record.Control] += until - i.Intended
	i.CriticalTime = c.criticalTime(i)
	c.addHops(i)
}

// link is a task on the chain, until the moment at which it did what the next
// one waited for, by which time it had spent so much on putting.
type link struct {
	task       int32
	until, put engine.Time
	streamed   bool // what it posted then went through the broker
}

var noLink = link{task: none}

// upToEnd is the link of a task whose end was waited for.
func (c *Chain) upToEnd(task int32) link {
	if task == none {
		return noLink
	}
	t := &c.tasks[task]
	return link{task: task, until: t.Ended, put: t.Put}
}

// upToPost is the link of a task whose output was waited for, on a node.
func (c *Chain) upToPost(p *Post, reader engine.NodeID) link {
	producer := p.Path.Outer(c.workflow.Scopes[c.workflow.Functions[p.Function].Scope].Depth)
	for at := c.functions[p.Function].latest; at != none; at = c.tasks[at].earlier {
		if t := &c.tasks[at]; t.Path == producer && t.Started <= p.At && p.At <= t.Ended {
			// Readers nearby have it from memory.
			return link{task: at, until: p.At, put: p.Put, streamed: p.Way&data.Pipe != 0 && t.Node != reader}
		}
	}
	return noLink
}

// last returns what the end of the invocation waited for last.
func (c *Chain) last(i *record.Invocation) link {
	last := noLink
	consider := func(l link) {
		if l.task != none && l.until <= i.Ended && (last.task == none || l.until > last.until) {
			last = l
		}
	}
	ends := func(f int) {
		for at := c.functions[f].latest; at != none; at = c.tasks[at].earlier {
			consider(c.upToEnd(at))
		}
	}
	posts := func(f int) {
		for at := c.functions[f].post; at != none; at = c.posts[at].earlier {
			consider(c.upToPost(&c.posts[at], c.posts[at].Node))
		}
	}
	if c.driven {
		for f := range c.workflow.Functions {
			if len(c.workflow.Functions[f].Next) > 0 {
				continue
			}
			posts(f)
			if len(c.workflow.Functions[f].Outputs) == 0 {
				ends(f)
			}
		}
	}
	if last.task == none { // What was left is dead, or a list was empty: so said what came last.
		for f := range c.workflow.Functions {
			ends(f)
			if c.driven {
				posts(f)
			}
		}
	}
	return last
}

// before returns what the trigger of a task waited for last, or no link for a
// task of a start function.
func (c *Chain) before(t *Task) link {
	return c.caused(&t.Cause, t.Function, &t.Path, t.Node, t.Queued)
}

// caused returns the link that is a cause of something at a function and path
// on a node, at a time.
func (c *Chain) caused(cause *engine.Cause, f workflow.FunctionID, path *workflow.Path, on engine.NodeID, at engine.Time) link {
	if cause.Function == engine.NoFunction {
		return c.upToEnd(c.triggeredBy(f, path, at))
	}
	from := cause.Path(c.workflow, path)
	switch {
	case cause.Output >= 0:
		if p := c.LatestPost(cause.Function, cause.Output, &from); p != nil {
			return c.upToPost(p, on)
		}
		return noLink
	case c.workflow.Functions[cause.Function].Kind == workflow.Task:
		return c.upToEnd(c.latestOf(cause.Function, &from, at))
	}
	if s := c.choice(cause.Function, &from); s != nil && s.Cause.Function != engine.NoFunction {
		return c.caused(&s.Cause, s.Function, &from, s.Node, at)
	}
	return c.upToEnd(c.triggeredBy(cause.Function, &from, at))
}

// choice returns what a switch has chosen in this attempt, or nil.
func (c *Chain) choice(f workflow.FunctionID, path *workflow.Path) *Choice {
	for n := len(c.choices) - 1; n >= 0; n-- {
		if s := &c.choices[n]; s.Function == f && s.Path == *path && s.Invocation.Attempt == c.attempt {
			return s
		}
	}
	return nil
}

// triggeredBy returns the task whose end triggered the instance of a function
// at path, seen through functions that run no task: the last to end of those
// that led there, or the first where the first wins.
func (c *Chain) triggeredBy(f workflow.FunctionID, path *workflow.Path, before engine.Time) int32 {
	w := c.workflow
	first := w.Functions[f].Join == workflow.JoinFirst
	best := none
	for _, p := range w.Functions[f].After {
		at := none
		switch {
		case w.Functions[p].Kind == workflow.Task:
			at = c.latestOf(p, path, before)
		case !first || c.leads(p, f, path, before):
			at = c.triggeredBy(p, path, before)
		}
		if at == none {
			continue
		}
		if best == none || first == (c.tasks[at].Ended < c.tasks[best].Ended) && c.tasks[at].Ended != c.tasks[best].Ended {
			best = at
		}
	}
	return best
}

// leads reports whether a live control edge led from p to the instance of f at
// path. Of a function in a foreach that f is outside of, it takes that for
// granted.
func (c *Chain) leads(p, f workflow.FunctionID, path *workflow.Path, before engine.Time) bool {
	w := c.workflow
	function := &w.Functions[p]
	depth := w.Scopes[function.Scope].Depth
	switch {
	case depth > path.Depth():
		return true
	case function.Kind == workflow.Task:
		return c.latestOf(p, path, before) != none
	case function.Kind == workflow.Switch:
		at := path.Outer(depth)
		s := c.choice(p, &at)
		if s == nil || !slices.Contains(function.Branches[s.Branch].To, f) {
			return false
		}
	}
	return slices.ContainsFunc(function.After, func(earlier workflow.FunctionID) bool { return c.leads(earlier, p, path, before) })
}

// latestOf returns the task of a function that was the last to end before a
// time, of those that have to do with a path. They were added in the order in
// which they ended.
func (c *Chain) latestOf(f workflow.FunctionID, path *workflow.Path, before engine.Time) int32 {
	own := c.workflow.Scopes[c.workflow.Functions[f].Scope].Depth
	depth := min(own, path.Depth())
	outer := path.Outer(depth)
	if own > 0 && own == depth {
		return c.ended(f, &outer, before)
	}
	for at := c.functions[f].latest; at != none; at = c.tasks[at].earlier {
		if t := &c.tasks[at]; t.Ended <= before && (depth == 0 || t.Path.Outer(depth) == outer) {
			return at
		}
	}
	return none
}

// criticalTime finds the longest chain of functions by their measured times,
// of several instances the longest. It is how FaaSFlow's artefact finds what
// to subtract for its scheduling overhead (experiment schedule_overhead).
// Where the first of several functions triggers another, the chain leads
// through the shortest of those that ran.
func (c *Chain) criticalTime(i *record.Invocation) engine.Time {
	longest := engine.Time(0)
	for _, f := range c.workflow.Order {
		before, any := engine.Time(0), false
		for _, p := range c.workflow.Functions[f].After {
			if until := c.functions[p].until; c.workflow.Functions[f].Join == workflow.JoinAll {
				before = max(before, until)
			} else if c.leads(p, f, &workflow.Path{}, i.Ended) && (!any || until < before) {
				before, any = until, true
			}
		}
		c.functions[f].until = before + c.functions[f].longest
		longest = max(longest, c.functions[f].until)
	}
	return longest
}
