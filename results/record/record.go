// Package record is what a world reports of a run: a record for each
// invocation and, where asked for, each function instance. Everything that
// flowtwin says about a run is computed from these.
package record

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Phase is a part of the time that an invocation takes.
type Phase uint8

// The phases that the latency of an invocation is made of, along the chain of
// function instances that determined its end.
const (
	// Control: messages, engines, database operations of the control plane.
	Control Phase = iota
	// Queue: waiting for a container of those there are.
	Queue
	// ColdStart: waiting for a container that had to be started.
	ColdStart
	// Fetch: reading inputs.
	Fetch
	// Compute: the function's own time.
	Compute
	// Put: writing outputs.
	Put

	// Phases is their number.
	Phases
)

var phaseNames = [Phases]string{"control", "queue", "cold_start", "fetch", "compute", "put"}

// String returns the phase's name in files and figures.
func (p Phase) String() string { return phaseNames[p] }

// Invocation is one finished invocation. Times are in ns since the start of
// the trial, sizes in bytes.
type Invocation struct {
	// Workflow is its index in the trial, Number counts its invocations from
	// 0 in the order they were sent.
	Workflow int
	Number   int64
	// Client is that of a closed loop, -1 in an open one.
	Client int
	// Measured tells those that count in the statistics from the warm-up.
	Measured bool
	// Intended is when it was to be sent, Sent when it was, Started when its
	// first function instance began, Ended when the gateway knew of its end.
	Intended, Sent, Started, Ended engine.Time
	Outcome                        engine.Outcome
	// Attempts that were begun, function instances that ran, and those that
	// waited for a container to be started.
	Attempts, Tasks, ColdStarts int
	// Phases add up to Ended - Intended.
	Phases [Phases]engine.Time
	// CriticalTime is the sum of the measured times of the functions on the
	// critical path, waiting, fetching and putting included.
	CriticalTime engine.Time
	// FetchTime and PutTime are sums over all function instances.
	FetchTime, PutTime engine.Time
	// Messages is the number of control messages, Conflicts that of puts that
	// the store refused because of another.
	Messages, Conflicts int
	// Bytes that went from and to the remote store, and from and to the
	// memory of nodes. ResentBytes were uploaded in vain, on top.
	RemoteRead, RemoteWritten, LocalRead, LocalWritten, ResentBytes int64
	// ContainerByteTime is memory × time of the containers that ran its
	// functions, while they did, in byte·ns.
	ContainerByteTime float64
	// Cost is what a provider would charge, in dollars.
	Cost float64
}

// Latency is the end-to-end latency in ns, from the intended send time.
func (i *Invocation) Latency() engine.Time { return i.Ended - i.Intended }

// Task is one run of a function instance.
type Task struct {
	Workflow int
	Number   int64 // of the invocation
	Function workflow.FunctionID
	Path     workflow.Path
	Try      int
	Node     engine.NodeID
	// Container is numbered by its node.
	Container uint32
	Cold      bool
	// Critical: it is on the chain that determined the end of the invocation.
	Critical bool
	Outcome  engine.Outcome
	// Queued is when it was triggered, Started when a container took it up,
	// Ended when it had put its outputs.
	Queued, Started, Ended engine.Time
	// Fetch, Compute and Put add up to Ended - Started.
	Fetch, Compute, Put engine.Time
}

// Recorder takes the records of one trial, each when it is complete. A record
// is only valid during the call.
type Recorder interface {
	Invocation(*Invocation)
	// Task is called before the invocation's record, and only if WantsTasks.
	Task(*Task)
	WantsTasks() bool
}

// Trial sums up one trial of one workflow, the warm-up left out.
type Trial struct {
	Point, Number int
	Workflow      int
	// Sent counts all invocations, Measured those outside the warm-up; the
	// others count among the measured.
	Sent, Measured, Completed, Failed, TimedOut, ColdStarts int64
	// Throughput is completed invocations per minute of the window in which
	// the load lasted.
	Throughput float64
}

// Tally makes a Trial from the records of its invocations.
type Tally struct {
	Trial
	// Window is the time that counts for the throughput: from the end of the
	// warm-up to the end of the load. To 0 means: to the last end.
	From, To engine.Time
	inWindow int64
	first    engine.Time
	last     engine.Time
}

// Add counts an invocation.
func (t *Tally) Add(i *Invocation) {
	t.Sent++
	if !i.Measured {
		return
	}
	if t.Measured == 0 || i.Intended < t.first {
		t.first = i.Intended
	}
	t.last = max(t.last, i.Ended)
	t.Measured++
	t.ColdStarts += int64(i.ColdStarts)
	switch i.Outcome {
	case engine.Completed:
		t.Completed++
		if t.To == 0 || i.Ended < t.To {
			t.inWindow++
		}
	case engine.TimedOut:
		t.TimedOut++
	default:
		t.Failed++
	}
}

// Close computes what can only be known at the end.
func (t *Tally) Close() {
	from, to := max(t.From, 0), t.To
	if t.From < 0 {
		from = t.first
	}
	if to == 0 {
		to = t.last
	}
	if to > from {
		t.Throughput = float64(t.inWindow) / (float64(to-from) / 60e9)
	}
}
