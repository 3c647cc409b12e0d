// Package record is what a world reports of a run: a record for each
// invocation and, where asked for, each function instance. Everything that
// flowtwin says about a run is computed from these.
package record

import (
	"math"

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
	// Transfer: an output that was posted was on its way through the broker.
	Transfer
	// HoldBack: a container was held back that then took up the task.
	HoldBack

	// Phases is their number.
	Phases
)

var phaseNames = [Phases]string{"control", "queue", "cold_start", "fetch", "compute", "put", "transfer", "hold_back"}

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
	// HopTime is the sum over all Hops: from when one node's agent knew what
	// triggers a function instance on another node, to when a warm container
	// that was idle there took it up.
	HopTime engine.Time
	Hops    int
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

// HopOverhead is the mean time of a hop in seconds, NaN if there was none.
func (i *Invocation) HopOverhead() float64 {
	if i.Hops == 0 {
		return math.NaN()
	}
	return float64(i.HopTime) / float64(i.Hops) / 1e9
}

// ContainerGBSeconds is ContainerByteTime in GB·s, rounded to 10⁻⁹ of them as
// in invocations.csv, so that it is the same number when that is read again.
func (i *Invocation) ContainerGBSeconds() float64 { return i.containerByteSeconds() / 1e9 }

func (i *Invocation) containerByteSeconds() float64 { return math.Round(i.ContainerByteTime / 1e9) }

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
	// Retry is the part of Put in which outputs were uploaded that the store
	// then refused, Conflicts how often it did.
	Retry     engine.Time
	Conflicts int
	// Streamed is how many bytes it left to its container's data unit.
	Streamed int64
	// Held is the part of the wait for a container in which the one that then
	// took up the task was held back.
	Held engine.Time
	// Until is when a critical task did what the next one, or the end, waited
	// for: it ended, or it posted an output that was announced at once. By
	// then it had spent PutUntil on putting.
	Until, PutUntil engine.Time
	// Before and After divide the time between tasks on the chain: between
	// Until of the task before this one (or the intended send time) and its
	// trigger; and, for the last one, between Until and the invocation's end.
	// Both are zero for a task that is not critical.
	Before, After ControlTime
}

// ControlTime is what the control plane spent a stretch of time on. What remains of
// the stretch its engines took, or other work kept them from it.
type ControlTime struct {
	// Message: a message was on its way. Sync: state was read or written that
	// the next step depended on, by an operation on the database or by the
	// evaluation of a switch.
	Message, Sync engine.Time
	// Transfer: a datum was on its way through the broker.
	Transfer engine.Time
}

// Instance names the instance of its function, by its index in each foreach
// around it, outermost first: "3/8 0/2".
func (t *Task) Instance() string { return string(t.appendInstance(nil)) }

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
	// Throughput is invocations that completed within the window in which the
	// load lasted, per minute. Those sent in the warm-up count if they
	// completed in the window, as those sent in the window do not if they
	// completed after it: so it is what the system can do under overload too.
	Throughput float64
}

// Tally makes a Trial from the records of its invocations.
type Tally struct {
	Trial
	// From and To are the window that counts for the throughput: from the end
	// of the warm-up to the end of the load. From below 0 means: from the
	// first measured invocation. To 0 means: to the last end.
	From, To engine.Time

	completed   int64         // measured ones, before To
	early       []engine.Time // when the others completed
	first, last engine.Time
}

// Add counts an invocation.
func (t *Tally) Add(i *Invocation) {
	t.Sent++
	completed := i.Outcome == engine.Completed && (t.To == 0 || i.Ended < t.To)
	if !i.Measured {
		if completed && i.Ended >= t.From {
			t.early = append(t.early, i.Ended)
		}
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
	case engine.TimedOut:
		t.TimedOut++
	default:
		t.Failed++
	}
	if completed {
		t.completed++
	}
}

// Close computes what can only be known at the end.
func (t *Tally) Close() {
	from, to := t.From, t.To
	if from < 0 {
		from = t.first
	}
	if to == 0 {
		to = t.last
	}
	completed := t.completed
	for _, ended := range t.early {
		if ended >= from && ended <= to {
			completed++
		}
	}
	t.early = nil
	if to > from {
		t.Throughput = float64(completed) / (float64(to-from) / 60e9)
	}
}
