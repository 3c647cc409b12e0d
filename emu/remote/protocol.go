// Package remote is the harness's hold on nodes that run in processes of their
// own: how both speak, and both ends of that.
//
// The harness dials a node and shows the cluster's token. It has the node begin
// a trial, and end it, as often as it likes; it asks the gateway for
// invocations and makes faults; the node tells what it observes. Messages are
// gobs over one TCP connection. A node whose harness is gone ends.
package remote

import (
	"encoding/json"
	"time"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/probe"
	"github.com/flowtwin/flowtwin/emu/shape/htb"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/chain"
	"github.com/flowtwin/flowtwin/scenarios"
)

// The protocol: both ends must have the same.
const (
	protocol = "node"
	version  = 1
)

// Begin is what a node needs to take part in a trial.
type Begin struct {
	Bundle *scenarios.Bundle
	ID     engine.NodeID
	// Listen is the address that its peers reach it at.
	Listen   string
	Boot     uint64
	Services access.Services
	Compute  string
	// Pace makes the node as slow as the scenario's profile says.
	Pace bool
	// Returns: see [function.Runtime].
	Returns bool
	// Record: what its engine is told is sent along.
	Record bool
	// Functions says how its containers are to be started, for the node's own
	// launcher.
	Functions Functions
	// Limits are what its traffic is held to.
	Limits htb.Limits
	// Probed is an address at which a storage node lets its bandwidth be
	// measured while the trial is on; none if it is empty.
	Probed string
}

// Functions says how function containers are started.
type Functions struct {
	// Image is that of the containers, Pod the container whose network they
	// share, which is the node's own.
	Image, Pod string
	// Labels mark all that is made.
	Labels Labels
	// Memory is that of a container whose function does not say, in bytes.
	Memory int64
	// Egress is what a container can send for each core of its function, in
	// bytes on the wire a second (0: what the node can). Addresses are then
	// given to the containers: the first one, and how many there are.
	Egress    float64
	Addresses string
	Count     int
}

// Labels are names and values. Package line says why they are not sent as a map.
type Labels map[string]string

// MarshalBinary implements encoding.BinaryMarshaler.
func (l Labels) MarshalBinary() ([]byte, error) { return json.Marshal(map[string]string(l)) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (l *Labels) UnmarshalBinary(text []byte) error {
	return json.Unmarshal(text, (*map[string]string)(l))
}

// command is what the harness tells a node. It is answered if it has a number.
type command struct {
	Number uint64
	Begin  *Begin
	// Connect names its peers.
	Connect []peer
	Ready   bool
	// Start is when the trial starts, by the machine's clock.
	Start  int64
	Arrive *arrive
	Quiet  bool
	Mark   bool
	Usage  bool
	Fault  *fault
	Probe  *Probe
	End    bool
}

// peer is a node and the address that others reach it at.
type peer struct {
	ID      engine.NodeID
	Address string
}

type arrive struct {
	Workflow engine.WorkflowID
	Number   int64
}

// fault is one of the things that can be done to a node by itself: cut it off
// from a peer or mend that, slow its link, crash a function.
type fault struct {
	Kind    faultKind
	Peer    engine.NodeID
	Address string // of the peer
	Factor  float64
	Crash   crash
}

type faultKind int

const (
	faultCut faultKind = iota + 1
	faultMend
	faultSlow
	faultCrash
)

type crash struct {
	Workflow engine.WorkflowID
	Function workflow.FunctionID
}

// Probe has a node measure what it can send to, or receive from, a probe's
// server.
type Probe struct {
	Address   string
	Direction probe.Direction
	Duration  time.Duration
}

// answer is what a command comes to.
type answer struct {
	Number uint64
	Error  string
	// Yes answers a question.
	Yes   bool
	Rate  float64
	Usage *Usage
}

// Usage is what the services of a node, and its own records, say.
type Usage struct {
	// Received and Sent are what its Redis has, by its own count, since it was
	// started; Memory says whether it counts.
	Received, Sent int64
	Memory         bool
}

// said is what a node tells. One field is set.
type said struct {
	Answer *answer
	// Seen are observations, in order. All from before Mark, by the machine's
	// clock, have been told then.
	Seen []observation
	Mark int64
	// Inputs is a part of what its engine was told.
	Inputs []byte
}

// observation is a call of an agent.Observer, and when it was, by the machine's
// clock. One other field is set.
type observation struct {
	Stamp    int64
	Admitted *admitted
	Sent     *engine.Message
	Received *received
	Waited   *waited
	Chosen   *chosen
	Carried  *carried
	Started  *started
	Ended    *ended
	Killed   *engine.Invocation
	Finished *finished
	Failed   string
	Broken   string
}

type admitted struct {
	Number     int64
	Invocation engine.Invocation
}

type received struct {
	Message  engine.Message
	Sent, At engine.Time
}

type waited struct {
	Subject  engine.Subject
	From, To engine.Time
}

type chosen struct {
	Choice   chain.Choice
	From, To engine.Time
	Moved    function.Bytes
}

type carried struct {
	Invocation engine.Invocation
	Bytes      function.Bytes
}

type started struct {
	At         engine.Time
	Invocation engine.Invocation
	Cold       bool
}

type ended struct {
	Report agent.Report
	Error  string
}

type finished struct {
	At         engine.Time
	Invocation engine.Invocation
	Outcome    engine.Outcome
}
