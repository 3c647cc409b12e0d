package explain

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
)

// Phase is a part of the time that an invocation takes. It is finer than
// record.Phase, which every run keeps of every invocation: some of what it
// tells apart is only in the records of tasks.
//
// A phase that another scheduler brings with it is added here: its constant,
// its names, and the line of TaskSpans (or of between, if it is the control
// plane's) that says where its time is.
type Phase uint8

// The phases, in the order in which they are shown.
const (
	// EarlierAttempts: an attempt was under way that was given up, because a
	// node or data were lost.
	EarlierAttempts Phase = iota
	// Engine: engines took in events and decided, or other work kept them
	// from it.
	Engine
	// Message: a control message was on its way.
	Message
	// StateSync: state was read or written that the next step depended on, by
	// an operation on the database or the evaluation of a switch.
	StateSync
	// Queue: waiting for one of the containers there are.
	Queue
	// ColdStart: waiting for a container that had to be started.
	ColdStart
	// Transfer: an output that had been posted was on its way through the
	// broker, or waited for those that its container had posted before.
	Transfer
	// HoldBack: the container that then took up the task was held back,
	// because it had posted more than it could send.
	HoldBack
	// FailedTry: the same function instance ran and failed.
	FailedTry
	// Fetch: reading inputs.
	Fetch
	// Compute: the function's own time.
	Compute
	// ConflictRetry: uploading what the store then refused, because something
	// else had been committed since the upload began.
	ConflictRetry
	// Put: writing outputs, but for what was refused.
	Put
	// Unfinished: from the last that had ended to the end of an invocation
	// that did not complete.
	Unfinished

	// Phases is their number.
	Phases
)

var phaseNames = [Phases]struct{ name, label string }{
	EarlierAttempts: {"earlier_attempts", "earlier attempts"},
	Engine:          {"engine", "engine"},
	Message:         {"message", "control message"},
	StateSync:       {"state_sync", "state sync"},
	Queue:           {"queue", "queue"},
	ColdStart:       {"cold_start", "cold start"},
	Transfer:        {"transfer", "transfer"},
	HoldBack:        {"hold_back", "hold-back"},
	FailedTry:       {"failed_try", "failed try"},
	Fetch:           {"fetch", "fetch"},
	Compute:         {"compute", "compute"},
	ConflictRetry:   {"conflict_retry", "conflict retry"},
	Put:             {"put", "put"},
	Unfinished:      {"unfinished", "unfinished"},
}

// String returns the phase's name for machines.
func (p Phase) String() string { return phaseNames[p].name }

// Label returns the phase's name for people.
func (p Phase) Label() string { return phaseNames[p].label }

// Span is a stretch of time spent on one thing. Times are in ns since the
// start of the trial.
type Span struct {
	Phase    Phase
	From, To engine.Time
}

// Length is in ns.
func (s Span) Length() engine.Time { return s.To - s.From }

// spans collects what follows one another without gaps.
type spans struct {
	list []Span
	at   engine.Time
}

func (s *spans) add(p Phase, length engine.Time) {
	if length != 0 {
		s.list = append(s.list, Span{p, s.at, s.at + length})
	}
	s.at += length
}

// TaskSpans says what a task did, from its trigger to its end. failed are runs
// of the same instance that failed, in the order of time. Of phases that take
// turns, as computing and putting do, each is shown in one piece: their lengths
// are right, their order is simplified.
func TaskSpans(t *record.Task, failed []*record.TaskRow) []Span {
	s := spans{at: t.Queued}
	wait := Queue
	if t.Cold {
		wait = ColdStart
	}
	for _, f := range failed {
		if f.Started >= s.at && f.Ended <= t.Started {
			s.add(wait, f.Started-s.at)
			s.add(FailedTry, f.Ended-f.Started)
		}
	}
	held := min(t.Held, t.Started-s.at)
	s.add(wait, t.Started-s.at-held)
	s.add(HoldBack, held)
	s.add(Fetch, t.Fetch)
	s.add(Compute, t.Compute)
	s.add(ConflictRetry, t.Retry)
	s.add(Put, t.Put-t.Retry)
	return s.list
}

// between says what the control plane did for a stretch of time. Messages,
// operations and the work of engines alternate; as above, each is shown in one
// piece.
func between(from, to engine.Time, c record.ControlTime) []Span {
	s := spans{at: from}
	s.add(Transfer, c.Transfer)
	s.add(Engine, to-from-c.Message-c.Sync-c.Transfer)
	s.add(StateSync, c.Sync)
	s.add(Message, c.Message)
	return s.list
}
