package engine

import (
	"fmt"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Time is in nanoseconds since the start of the run.
type Time = int64

// Durations, in Time's unit.
const (
	Microsecond Time = 1e3
	Millisecond Time = 1e6
	Second      Time = 1e9
)

// NodeID numbers the machines of a cluster from 0.
type NodeID int32

// NoNode is the NodeID of nobody.
const NoNode NodeID = -1

// WorkflowID is the index of a workflow in the System.
type WorkflowID uint16

// Invocation names one attempt of one invocation. The gateway gives it a slot
// of its workflow; a slot is used again under a higher generation, and a new
// attempt has a higher number. So what arrives late can be told from what is
// current.
type Invocation struct {
	Workflow   WorkflowID
	Attempt    uint16
	Slot       uint32
	Generation uint32
	// Epoch is the deployment that the attempt is placed by.
	Epoch uint32
}

// olderThan reports whether i is an earlier occupant or attempt of a slot
// than the one described.
func (i Invocation) olderThan(generation uint32, attempt uint16) bool {
	return i.Generation < generation || i.Generation == generation && i.Attempt < attempt
}

// String shows the invocation as workflow.slot.generation.attempt.
func (i Invocation) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", i.Workflow, i.Slot, i.Generation, i.Attempt)
}

// Subject is what a message, an event or an effect is about: an invocation,
// and mostly an instance of one of its functions.
type Subject struct {
	Invocation Invocation
	Function   workflow.FunctionID
	Path       workflow.Path
}

// ContainerID names a container of one node. Indices are used again with a
// higher generation.
type ContainerID struct {
	Index, Generation uint32
}

// Outcome says how something ended.
type Outcome uint8

// The outcomes of tasks and invocations.
const (
	Completed Outcome = iota
	Failed
	TimedOut
	// DataLost: a task found that an input was gone which had been there.
	DataLost
)

var outcomeNames = [...]string{"completed", "failed", "timed_out", "data_lost"}

// String returns the name used in records.
func (o Outcome) String() string { return outcomeNames[o] }
