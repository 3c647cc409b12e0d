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
}

// Start implements agent.Containers.
func (c *containers) Start(ctx context.Context, i *facts.Instance) (agent.Container, error) {
	others := c.starting.Add(1) - 1
	defer c.starting.Add(-1)
	if !clock.Sleep(ctx, c.facts.ColdStart(i, int(others))) {
		return nil, ctx.Err()
	}
	return &container{runtime: c.runtime, lost: make(chan struct{})}, nil
}

// container runs its tasks on the goroutine of its agent.
type container struct {
	runtime *function.Runtime
	lost    chan struct{}
	once    sync.Once
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
	return c.runtime.Run(ctx, t)
}

// Lost implements agent.Container.
func (c *container) Lost() <-chan struct{} { return c.lost }

// Close implements agent.Container.
func (c *container) Close() {}

// crash lets the container die.
func (c *container) crash() { c.once.Do(func() { close(c.lost) }) }
