package local

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
)

// containers are goroutines: starting one takes the time of a cold start, and
// nothing else.
type containers struct {
	runtime  *function.Runtime
	facts    *facts.Facts
	starting atomic.Int32

	// Where data are streamed, each container has a data logic unit, which
	// lives as long as the node.
	access *access
	agent  *agent.Agent
	ctx    context.Context
	mu     sync.Mutex
	units  []*function.Unit
}

// Start implements agent.Containers.
func (c *containers) Start(ctx context.Context, i *facts.Instance) (agent.Container, error) {
	others := c.starting.Add(1) - 1
	defer c.starting.Add(-1)
	if !clock.Sleep(ctx, c.facts.ColdStart(i, int(others))) {
		return nil, ctx.Err()
	}
	one := &container{runtime: c.runtime, lost: make(chan struct{})}
	s, err := c.access.newSender(ctx)
	if err != nil || s == nil {
		return one, err
	}
	one.unit = function.NewUnit(c.ctx, s, c.access.servers.trial.Profile.Broker.FIFOUnit, c.agent.Announce, c.agent.Lost)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.units = append(c.units, one.unit)
	return one, nil
}

// wait waits until no data unit has anything to do.
func (c *containers) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.units {
		u.Wait()
	}
}

// container runs its tasks on the goroutine of its agent.
type container struct {
	runtime *function.Runtime
	unit    *function.Unit // nil where nothing is streamed
	lost    chan struct{}
}

// Run implements agent.Container.
func (c *container) Run(ctx context.Context, t *function.Task) function.Result {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-c.lost:
			cancel()
		case <-done:
		}
	}()
	if c.unit != nil {
		t.Hand = c.unit.Hand
	}
	return c.runtime.Run(ctx, t)
}

// Lost implements agent.Container.
func (c *container) Lost() <-chan struct{} { return c.lost }

// Close implements agent.Container.
func (c *container) Close() {}
