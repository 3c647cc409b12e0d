package node

import (
	"context"
	"errors"
	"sync"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Goroutines are containers in the node's own process: starting one takes the
// time of a cold start, and nothing else.
type Goroutines struct {
	node *Node
	ctx  context.Context
	stop context.CancelFunc

	mu       sync.Mutex
	starting int
	made     uint64
	// running are the containers that have a task. units are the data logic
	// units of all containers, where data are streamed: a unit outlives its
	// container until it has sent all.
	running map[*goroutine]bool
	units   []*function.Unit
}

// InProcess makes the containers of a node goroutines.
func InProcess(n *Node) agent.Containers {
	g := &Goroutines{node: n, running: map[*goroutine]bool{}}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// Start implements agent.Containers.
func (g *Goroutines) Start(ctx context.Context, i *facts.Instance) (agent.Container, error) {
	g.mu.Lock()
	others := g.starting
	g.starting++
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.starting--
		g.mu.Unlock()
	}()
	if !clock.Sleep(ctx, g.node.Facts.ColdStart(i, others)) {
		return nil, ctx.Err()
	}
	one := &goroutine{all: g, workflow: i.Invocation.Workflow, function: i.Function, lost: make(chan struct{})}
	one.ctx, one.crash = context.WithCancel(g.ctx)
	if !g.node.Access.Streams() {
		return one, nil
	}
	g.mu.Lock()
	g.made++
	// A node that has been restarted has topics of its own.
	number := g.node.Boot<<32 | g.made
	g.mu.Unlock()
	topic, err := g.node.Access.MakeTopic(ctx, number)
	if err != nil {
		return nil, err
	}
	one.unit = function.NewUnit(one.ctx, g.node.Access.Sender(topic), g.node.Trial.Profile.Broker.FIFOUnit, g.node.Announce, g.node.Lost)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.units = append(g.units, one.unit)
	return one, nil
}

// Close ends all units.
func (g *Goroutines) Close() error {
	g.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range g.units {
		u.Wait()
	}
	return nil
}

// Crash kills a container that runs a function, with what its data unit has
// not sent, and reports whether there was one.
func (g *Goroutines) Crash(w engine.WorkflowID, f workflow.FunctionID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.running {
		if c.workflow == w && c.function == f {
			delete(g.running, c)
			close(c.lost)
			c.crash()
			return true
		}
	}
	return false
}

// goroutine is a container. It runs its tasks on the goroutine of its agent.
type goroutine struct {
	all      *Goroutines
	workflow engine.WorkflowID
	function workflow.FunctionID
	unit     *function.Unit // nil where nothing is streamed
	ctx      context.Context
	crash    context.CancelFunc
	lost     chan struct{}
}

var errCrashed = errors.New("the container has crashed")

// Run implements agent.Container.
func (c *goroutine) Run(ctx context.Context, t *function.Task) function.Result {
	c.setRunning(true)
	defer c.setRunning(false)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(errCrashed) })()
	if c.unit != nil {
		t.Hand = c.unit.Hand
	}
	return c.all.node.Runtime.Run(ctx, t)
}

func (c *goroutine) setRunning(is bool) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if is {
		c.all.running[c] = true
	} else {
		delete(c.all.running, c)
	}
}

// Lost implements agent.Container.
func (c *goroutine) Lost() <-chan struct{} { return c.lost }

// Close implements agent.Container.
func (c *goroutine) Close() {}
