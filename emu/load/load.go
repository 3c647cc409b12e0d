// Package load asks an emulated cluster for invocations, as a plan says.
//
// In an open loop invocations are asked for at their times, whatever has
// become of those before: latency counts from the intended time, and how much
// later an invocation was really sent is the generator's own lag, which is
// recorded. In a closed loop a client sends its next invocation when the last
// has ended.
package load

import (
	"context"
	"sync"

	"github.com/flowtwin/flowtwin/emu/clock"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/load"
)

// Ask asks for an invocation by its number among those of its workflow. client
// is -1 in an open loop.
type Ask func(w engine.WorkflowID, number int64, client int, intended, sent engine.Time)

// Generator makes the load of a trial.
type Generator struct {
	now    func() engine.Time
	ask    Ask
	source draw.Source
	loads  []*workflowLoad
}

// workflowLoad is the load on one workflow.
type workflowLoad struct {
	plan  *load.Plan
	ended []chan struct{} // by client; holds at most one

	mu   sync.Mutex
	sent int64 // by all clients
}

// New returns the generator of a trial's load. now is the time since the
// start of the trial.
func New(t *scenarios.Trial, now func() engine.Time, ask Ask) *Generator {
	g := &Generator{now: now, ask: ask, source: draw.New(t.Seed)}
	for i := range t.Loads {
		l := &workflowLoad{plan: &t.Loads[i]}
		for range l.plan.Clients {
			l.ended = append(l.ended, make(chan struct{}, 1))
		}
		g.loads = append(g.loads, l)
	}
	return g
}

// Ended tells the generator of an invocation that has ended. It never blocks.
func (g *Generator) Ended(r *record.Invocation) {
	if r.Client >= 0 {
		g.loads[r.Workflow].ended[r.Client] <- struct{}{} // A client has one invocation at a time.
	}
}

// Run makes the load and returns when all of it has been sent, or ctx ends.
func (g *Generator) Run(ctx context.Context) {
	var all sync.WaitGroup
	for i, l := range g.loads {
		w := engine.WorkflowID(i)
		if l.plan.Clients == 0 {
			all.Go(func() { g.open(ctx, w, l) })
		}
		for c := range l.plan.Clients {
			all.Go(func() { g.client(ctx, w, l, c) })
		}
	}
	all.Wait()
}

// open sends the invocations of an open loop.
func (g *Generator) open(ctx context.Context, w engine.WorkflowID, l *workflowLoad) {
	arrivals := l.plan.Arrivals(g.source, uint64(w))
	for number := int64(0); ; number++ {
		at, ok := arrivals.Next()
		if !ok || !g.sleep(ctx, at) {
			return
		}
		g.ask(w, number, -1, at, g.now())
	}
}

// client sends the invocations of one client. They are numbered so that the
// k-th of client c has the same number under every scheduler.
func (g *Generator) client(ctx context.Context, w engine.WorkflowID, l *workflowLoad, c int) {
	at := l.plan.First + l.plan.Stagger*int64(c)
	until := at + min(l.plan.Until, 1<<62-at)
	for sent := int64(0); ; sent++ {
		if at >= until && sent >= l.plan.AtLeast || !g.sleep(ctx, at) || !l.mayOne() {
			return
		}
		g.ask(w, sent*int64(l.plan.Clients)+int64(c), c, at, g.now())
		select {
		case <-l.ended[c]:
			at = g.now() // It cannot have meant to send before it knew.
		case <-ctx.Done():
			return
		}
	}
}

// mayOne reports whether one more invocation is within the limit, and counts
// it.
func (l *workflowLoad) mayOne() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plan.Limit > 0 && l.sent >= l.plan.Limit {
		return false
	}
	l.sent++
	return true
}

// sleep waits until a time, and reports whether ctx lasted that long.
func (g *Generator) sleep(ctx context.Context, until engine.Time) bool {
	return clock.Sleep(ctx, until-g.now())
}
