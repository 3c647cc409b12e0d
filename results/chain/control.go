package chain

import (
	"cmp"
	"slices"
	"sort"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// Wait is something that the control plane waited for: a message, or an
// operation. Where tasks are not recorded, worlds need not tell of them.
type Wait struct {
	Kind     WaitKind
	Attempt  uint16
	Function workflow.FunctionID
	Path     workflow.Path
	From, To engine.Time
}

// WaitKind says what was waited for.
type WaitKind uint8

const (
	// Message is one that triggers or announces something of a function.
	Message WaitKind = iota
	// Probe is a message that does not say which function it is for.
	Probe
	// Sync is an operation on the database, or the evaluation of a switch.
	Sync
)

// MessageWait returns what a wait for a message counts as.
func MessageWait(m engine.MessageKind) WaitKind {
	switch m {
	case engine.MessageProbe, engine.MessageProbed, engine.MessageInform, engine.MessageInformed:
		return Probe
	}
	return Message
}

// Waited adds something that the control plane waited for, or will.
func (c *Chain) Waited(w Wait) { c.waits = append(c.waits, w) }

// sortWaits puts what counts in the order in which it ended.
func (c *Chain) sortWaits() {
	c.waits = slices.DeleteFunc(c.waits, func(w Wait) bool { return w.Attempt != c.attempt })
	slices.SortStableFunc(c.waits, func(a, b Wait) int { return cmp.Compare(a.To, b.To) })
}

// divideAfter says of the control time behind the last task of the chain how
// much of it messages and operations took. The answers that tell the end pass by
// many functions.
func (c *Chain) divideAfter(last link, ended engine.Time) {
	if last.task != none {
		c.tasks[last.task].After = divide(c.waits, last.until, ended, func(*Wait) bool { return true })
	}
}

// divideBefore says the same of the time between a task and the link before it,
// or when the invocation was to be sent.
func (c *Chain) divideBefore(t *Task, l link, intended engine.Time) {
	from := intended
	var before *Task
	if l.task != none {
		before = &c.tasks[l.task]
		from = l.until
	}
	if l.streamed {
		t.Before = record.ControlTime{Transfer: t.Queued - from}
		return
	}
	t.Before = divide(c.waits, from, t.Queued, func(w *Wait) bool {
		return w.Kind == Probe || c.workflow.Functions[w.Function].Kind != workflow.Task ||
			w.Function == t.Function && related(&w.Path, &t.Path) ||
			before != nil && w.Function == before.Function && related(&w.Path, &before.Path)
	})
}

// related reports whether one path is the other's, or leads to it.
func related(a, b *workflow.Path) bool {
	depth := min(a.Depth(), b.Depth())
	return a.Outer(depth) == b.Outer(depth)
}

// divide goes back through a stretch of time, from each thing that was waited
// for to what had ended last before it began. They are in the order of their
// ends.
func divide(all []Wait, from, until engine.Time, concerns func(*Wait) bool) record.ControlTime {
	var c record.ControlTime
	for n := sort.Search(len(all), func(n int) bool { return all[n].To > until }) - 1; n >= 0 && all[n].To >= from; n-- {
		w := &all[n]
		if w.To > until || w.From < from || !concerns(w) {
			continue
		}
		if w.Kind == Sync {
			c.Sync += w.To - w.From
		} else {
			c.Message += w.To - w.From
		}
		until = w.From
	}
	return c
}
