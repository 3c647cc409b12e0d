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

// divideControl says of each stretch of control time on the chain how much of
// it messages and operations took.
func (c *Chain) divideControl(i *record.Invocation, last link) {
	if len(c.waits) == 0 || last.task == none { // Without tasks, nobody wants to know.
		return
	}
	all := slices.DeleteFunc(c.waits, func(w Wait) bool { return w.Attempt != c.attempt })
	slices.SortStableFunc(all, func(a, b Wait) int { return cmp.Compare(a.To, b.To) })
	t := &c.tasks[last.task]
	// The answers that tell the end pass by many functions.
	t.After = divide(all, last.until, i.Ended, func(*Wait) bool { return true })
	for {
		l := c.before(t)
		from := i.Intended
		var before *Task
		if l.task != none {
			before = &c.tasks[l.task]
			from = l.until
		}
		if l.streamed {
			t.Before = record.ControlTime{Transfer: t.Queued - from}
		} else {
			t.Before = divide(all, from, t.Queued, func(w *Wait) bool {
				return w.Kind == Probe || c.workflow.Functions[w.Function].Kind != workflow.Task ||
					w.Function == t.Function && related(&w.Path, &t.Path) ||
					before != nil && w.Function == before.Function && related(&w.Path, &before.Path)
			})
		}
		if before == nil {
			return
		}
		t = before
	}
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
