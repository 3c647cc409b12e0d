// Package harness runs trials on emulated clusters of any kind: it sends the
// load, plays the faults, collects the records, and waits until all is quiet.
package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/emu/load"
	"github.com/flowtwin/flowtwin/emu/records"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Cluster is the machines of a trial, which have been brought up.
type Cluster interface {
	// Begin makes this moment the start of the trial, for all nodes and for
	// the clock.
	Begin(*clock.Clock) error
	// Arrive asks the gateway for an invocation.
	Arrive(w engine.WorkflowID, number int64)
	// Quiet reports whether nothing is under way on any node.
	Quiet() bool
	// Lost tells of a machine or service that is gone though no fault was to
	// take it: the trial is worth nothing then. It is nil where that cannot be.
	Lost() <-chan error
	// End ends the trial. Nothing is left of it, also where Begin has failed.
	End() error
	Faults
}

// Faults are what can be done to a cluster. Each is undone by the same call
// the other way round. Of a node that has been killed, only Restart and Part are
// asked; it comes back with its link as it was, and not standing still.
type Faults interface {
	// Kill stops a node with everything on it, Restart brings it back empty.
	Kill(engine.NodeID) error
	Restart(engine.NodeID) error
	// Freeze makes a node stand still, or go on.
	Freeze(n engine.NodeID, still bool) error
	// Part keeps two nodes apart, or lets them meet again, as far as they are
	// there. To keep them apart twice is the same as once.
	Part(a, b engine.NodeID, apart bool) error
	// Slow divides the bandwidth of a node's link by a factor, 1 is none.
	Slow(n engine.NodeID, factor float64) error
	// StopStore makes the services of the storage node stand still: they keep
	// what they have; or has them go on.
	StopStore(stopped bool) error
	// LoseMemory stops the memory of a worker, and starts it again: it is then
	// empty.
	LoseMemory(engine.NodeID) error
	// Crash kills a container that runs a function, if there is one.
	Crash(engine.WorkflowID, workflow.FunctionID) error
}

// Start brings up the machines of a trial, whose observations go to an
// observer. If it fails, nothing is left of them.
type Start func(context.Context, *scenarios.Trial, agent.Observer) (Cluster, error)

// settleTime is how long nodes may take to forget invocations that have ended.
const settleTime = 2 * time.Second

// Run runs a trial and hands its records to r. It ends early, with the error
// of ctx, when ctx is cancelled; what has been recorded by then is right. warn,
// if set, is told of what went wrong that was not to.
func Run(ctx context.Context, t *scenarios.Trial, r record.Recorder, start Start, warn func(string)) (err error) {
	var generator *load.Generator
	progress := make(chan struct{}, 1)
	interrupted := ctx.Err
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	advance := func() {
		select {
		case progress <- struct{}{}:
		default:
		}
	}
	collector := records.NewCollector(t, r, func(i *record.Invocation) {
		generator.Ended(i)
		advance()
	}, advance, cancel)
	c, err := start(ctx, t, collector)
	if err != nil {
		// What is cut short fails in many ways, of which none matters.
		if errors.Is(err, context.Canceled) {
			err = context.Cause(ctx)
		}
		return cmp.Or(interrupted(), err)
	}
	defer func() {
		ended := c.End()
		if err == nil || interrupted() == nil {
			err = errors.Join(err, ended)
			return
		}
		err = interrupted()
		if ended != nil && warn != nil {
			warn(ended.Error())
		}
	}()
	timer := clock.New()
	generator = load.New(t, timer.Now, func(w engine.WorkflowID, number int64, client int, intended, sent engine.Time) {
		collector.Ask(w, number, client, intended, sent)
		c.Arrive(w, number)
	})
	if err := c.Begin(timer); err != nil {
		return err
	}
	var playing sync.WaitGroup
	faulty, peace := context.WithCancel(ctx)
	playing.Go(func() {
		p := newPlayer(c, t.Faults, scenarios.FirstWorker+engine.NodeID(len(t.Cluster.Workers)))
		if err := p.play(faulty, timer.Now); err != nil {
			cancel(err)
		}
	})
	var lost error
	playing.Go(func() {
		select {
		case lost = <-c.Lost():
			cancel(lost)
		case <-faulty.Done():
		}
	})
	// Faults that are to come after the last invocation are not waited for.
	defer playing.Wait()
	defer peace()
	generator.Run(ctx)
	var late <-chan time.Time
	for collector.Open() > 0 && ctx.Err() == nil {
		if late == nil && collector.Owed() == 0 && endless(t.Faults) {
			late = time.After(settleTime)
		}
		select {
		case <-progress:
		case <-late:
			collector.GiveUp()
		case <-ctx.Done():
		}
	}
	peace()
	playing.Wait()
	switch {
	case interrupted() != nil:
		return interrupted()
	case lost != nil:
		return lost
	case ctx.Err() != nil:
		return cmp.Or(more(c), context.Cause(ctx))
	}
	settle(ctx, c)
	tell(warn, collector, len(t.Faults) > 0)
	return context.Cause(ctx)
}

// more returns what a cluster knows of why a trial has ended early, if it comes
// to know it soon: it may be told later than the harness notices something.
func more(c Cluster) error {
	const patience = time.Second
	if c.Lost() == nil {
		return nil
	}
	select {
	case err := <-c.Lost():
		return err
	case <-time.After(patience):
		return nil
	}
}

// endless reports whether a node is to stand still for good, with the tasks that
// it runs then.
func endless(faults []scenarios.Fault) bool {
	return slices.ContainsFunc(faults, func(f scenarios.Fault) bool { return f.Kind == scenarios.Pause && f.For == 0 })
}

// settle waits until all nodes have forgotten the invocations that have ended,
// for a while.
func settle(ctx context.Context, c Cluster) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for ctx.Err() == nil && !c.Quiet() {
		time.Sleep(time.Millisecond)
	}
}

// tell says what went wrong. Under faults, things are to.
func tell(warn func(string), c *records.Collector, faults bool) {
	failures, n := c.Failures()
	if warn == nil || n == 0 {
		return
	}
	switch {
	case faults && n == 1:
		warn(fmt.Sprintf("under the scenario's faults one thing failed, as is to be expected: %v", failures[0]))
	case faults:
		warn(fmt.Sprintf("under the scenario's faults %d things failed, as is to be expected; the first: %v", n, failures[0]))
	case n == 1:
		warn(failures[0].Error())
	default:
		warn(fmt.Sprintf("%d things went wrong; the first was: %v", n, failures[0]))
	}
}
