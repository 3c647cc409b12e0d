package engine

import (
	"slices"

	"github.com/flowtwin/flowtwin/engine/data"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// EffectKind says what a driver is asked to do.
type EffectKind uint8

const (
	// EffectAdmit: the arrival Number is now known as Invocation.
	EffectAdmit EffectKind = iota
	// EffectSend: deliver Message to node To.
	EffectSend
	// EffectStart: start Container for Function, because of Subject.
	EffectStart
	// EffectStop: stop Container. A task running in it is cancelled, and no
	// more events of it are expected.
	EffectStop
	// EffectRun: run Subject in Container according to Plan: fetch, compute,
	// put. Since is when the task was triggered here; Cold says that it is the
	// first in a container that has just started.
	EffectRun
	// EffectEvaluate: evaluate the switch Function. Plan says where its inputs
	// are.
	EffectEvaluate
	// EffectPrefetch: bring the datum Number of the function instance that the
	// Subject's path belongs to onto this node, chunk by chunk, from where
	// Handle says. EventArrived will tell when it is there.
	EffectPrefetch
	// EffectSpill: move the datum Number of the Subject from the node's memory
	// to its disk. EffectDrop: nobody will read it any more; forget it.
	EffectSpill
	EffectDrop
	// EffectDocument: perform an operation on the database.
	EffectDocument
	// EffectTimer: tell the node when At has come.
	EffectTimer
	// EffectFinish: the invocation has ended with Outcome. Exactly one for
	// each EffectAdmit.
	EffectFinish
	// EffectRelease: drop the data of Invocation that this node keeps.
	EffectRelease
)

var effectNames = [...]string{
	"admit", "send", "start", "stop", "run", "evaluate", "prefetch", "spill", "drop", "document", "timer", "finish", "release",
}

// String returns the kind's name as traces show it.
func (k EffectKind) String() string { return effectNames[k] }

// Effect is one thing that a node asks of its driver. Which fields matter
// depends on the kind. The embedded Message is what EffectSend sends; for
// other kinds its Subject, Call and Items say what the effect is about.
type Effect struct {
	Kind     EffectKind
	Outcome  Outcome
	Document DocumentKind
	Cold     bool
	// AtHand: an idle container was there for the task when it was triggered.
	AtHand    bool
	Try       uint16
	Container ContainerID
	Timer     Timer
	// At is when a timer is due, Since when a task was triggered.
	At, Since Time
	// Held is how much of the time since then a container has been held back
	// that then took up the task.
	Held Time
	// Cause is what completed the trigger of a task, or had a switch evaluated:
	// the datum that arrived last, or the function that ended, or switch that
	// chose. Its function is NoFunction if that is for others to find out.
	Cause  Cause
	Number int64
	Plan   Plan
	Message
}

// Cause names what something was triggered by: datum Output of an instance of
// Function, or its end if Output is negative. The instance, or the item of a
// list, is the one that has to do with the task's own path; where that leaves
// several, Item says which.
type Cause struct {
	Function workflow.FunctionID
	Output   int32
	Item     workflow.Level
}

// NoCause leaves it to whoever asks to find out what it was.
func NoCause() Cause { return Cause{Function: NoFunction} }

// EndOf returns the Cause that the end of a function is, or the choice of a
// switch.
func EndOf(f workflow.FunctionID) Cause { return Cause{Function: f, Output: -1} }

// CausedBy returns the Cause that a datum at path is.
func CausedBy(f workflow.FunctionID, output int32, path *workflow.Path) Cause {
	return Cause{f, output, path.Last()}
}

// Path returns that of the datum, or of the instance that ended, for a task at
// path.
func (c *Cause) Path(w *workflow.Workflow, path *workflow.Path) workflow.Path {
	from := &w.Functions[c.Function]
	depth := w.Scopes[from.Scope].Depth
	if c.Output < 0 {
		return path.Outer(depth)
	}
	if from.Outputs[c.Output].List {
		depth++
	}
	if depth <= path.Depth() {
		return path.Outer(depth)
	}
	return path.Outer(depth-1).Item(c.Item.Index, c.Item.Of)
}

// NoFunction is the Function of a Cause that is none.
const NoFunction workflow.FunctionID = -1

// Plan says where a task's inputs are and where its outputs go.
type Plan struct {
	// Sources holds one entry for each of the function's Inputs.
	Sources []Source
	// Targets holds, for each of the function's Outputs, where it is put:
	// store first, then memory, then the pipe, one after the other. What is
	// handed to the pipe does not keep the function waiting.
	Targets []data.Target
	// Announce: tell by EventPosted when a datum can be announced.
	Announce bool
	// Inline is the size, in bytes, up to which an output whose target has
	// Memory or Pipe is put nowhere, because it travels in control messages;
	// negative means that none is.
	Inline int64
	// Guarded: the stored outputs of an invocation are parts of one document,
	// and a put fails if another was committed since it began.
	Guarded bool
	// Logged: a document is written for each key that is fetched or put.
	Logged bool
}

// Source is where an input is.
type Source uint8

const (
	// FromStore: in the remote store.
	FromStore Source = iota
	// FromMemory: in this node's memory.
	FromMemory
	// FromDisk: on this node's disk, prefetched.
	FromDisk
	// FromNowhere: a global input that was never uploaded. It is looked for in
	// vain.
	FromNowhere
)

// Effects collects what a Step asks for. The driver applies the list in order
// and resets it; the list is valid until then.
type Effects struct {
	List []Effect
}

// Reset empties the list and keeps its storage.
func (e *Effects) Reset() { e.List = e.List[:0] }

// add appends an effect of the given kind and returns it to be filled in.
func (e *Effects) add(kind EffectKind) *Effect {
	n := len(e.List)
	if n == cap(e.List) {
		e.List = slices.Grow(e.List, n+1) // Doubled, as append does not do for long ones.
	}
	e.List = e.List[:n+1]
	added := &e.List[n]
	*added = Effect{Kind: kind}
	return added
}
