package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/load"
	"github.com/flowtwin/flowtwin/emu/records"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// World runs trials in this process. Trials share nothing but the process, and
// are to run one at a time.
type World struct {
	// Compute lets time pass as functions compute; nil sleeps.
	Compute function.Compute
	// Services are servers to use in place of the embedded ones.
	Services Endpoints
	// Warn, if set, is told of what went wrong in a trial that was not to.
	Warn func(string)
}

// Run runs a trial and hands its records to r. It ends early, with the error
// of ctx, when ctx is cancelled; what has been recorded by then is right.
func (w World) Run(ctx context.Context, t *scenarios.Trial, r record.Recorder) (err error) {
	if len(t.Faults) > 0 {
		return errors.New("the back end local does not do faults yet: run the scenario in the simulator, or without them")
	}
	var generator *load.Generator
	progress := make(chan struct{}, 1)
	collector := records.NewCollector(t, r, func(i *record.Invocation) {
		generator.Ended(i)
		select {
		case progress <- struct{}{}:
		default:
		}
	})
	c, err := start(ctx, w, t, collector)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	generator = load.New(t, c.clock.Now, c.ask)
	c.clock.Restart()
	generator.Run(ctx)
	for collector.Open() > 0 {
		select {
		case <-progress:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.settle(ctx)
	w.warn(collector)
	return ctx.Err()
}

func (w World) warn(c *records.Collector) {
	failures, n := c.Failures()
	if w.Warn == nil || n == 0 {
		return
	}
	text := fmt.Sprintf("%d things went wrong; the first was: %v", n, failures[0])
	if n == 1 {
		text = failures[0].Error()
	}
	w.Warn(text)
}

// settleTime is how long nodes may take to forget invocations that have ended.
const settleTime = 2 * time.Second
