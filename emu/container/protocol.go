// Package container runs functions in processes of their own: how an agent and
// a function container speak with each other, and both ends of that.
//
// The container dials its agent on the node's loopback interface, and says
// with the cluster's token which container it is. It is told what it needs to
// run its function, connects with the services, and says that it is ready.
// Then it is given tasks, one at a time: it fetches, computes and puts by
// itself, straight from and to the services; what came to the node past the
// store it asks the agent for. Its data logic unit goes on between tasks, and
// after the last one until it has sent all.
//
// Messages are gobs over one TCP connection, in order both ways.
package container

import (
	"errors"

	"github.com/flowtwin/flowtwin/emu/access"
	"github.com/flowtwin/flowtwin/emu/facts"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// The protocol: both ends must have the same.
const (
	protocol = "function container"
	version  = 1
)

// What a container's environment tells it.
const (
	// EnvAgent is the host and port of the agent, EnvToken what it shows there,
	// EnvContainer its number.
	EnvAgent     = "FLOWTWIN_AGENT"
	EnvToken     = "FLOWTWIN_TOKEN"
	EnvContainer = "FLOWTWIN_CONTAINER"
	// EnvAddress, if set, is the address that its traffic to the services is to
	// come from, so that it can be told from that of other containers.
	EnvAddress = "FLOWTWIN_ADDRESS"
)

// Setup is what a container is told before its first task.
type Setup struct {
	Bundle *scenarios.Bundle
	// Workflow and Function are what it is for.
	Workflow engine.WorkflowID
	Function workflow.FunctionID
	Node     engine.NodeID
	Services access.Services
	// Relay, if set, is the address of a shape.Relay that connections to the
	// services of the storage node go through.
	Relay string
	// Topic is the container's own; empty where nothing is streamed.
	Topic string
	// Start is when the trial has started, by the machine's clock. It changes
	// when containers are started before that.
	Start int64
	// Compute is what functions do: see [function.WorkOf].
	Compute string
	// Pace makes operations as slow as the scenario's profile says.
	Pace bool
	// Returns: see [function.Runtime].
	Returns bool
}

// command is what an agent tells a container. One field is set.
type command struct {
	Setup *Setup
	Run   *run
	// Stored answers a request.
	Stored *stored
	// Stop ends the container: what runs is killed, what its data unit has is
	// sent.
	Stop bool
}

// run is a task.
type run struct {
	Instance facts.Instance
	Plan     engine.Plan
	Start    int64
}

// stored is a datum that was asked for.
type stored struct {
	Request uint64
	Payload []byte
	Missing bool
	Error   string
}

// report is what a container tells its agent. One field is set.
type report struct {
	Ready    bool
	Refused  string
	Posted   *posted
	Announce *function.Announcement
	// Handed: the data unit has been given something of an attempt, Sent: it
	// has sent it, Lost: it cannot.
	Handed, Sent *engine.Invocation
	Lost         *lost
	Wanted       *wanted
	Result       *result
}

type posted struct {
	Output int32
	Items  uint32
}

type lost struct {
	Invocation engine.Invocation
	Error      string
}

// wanted asks for a datum that came to the node past the store. Inline: only
// if it came in a message.
type wanted struct {
	Request uint64
	Key     function.Key
	Inline  bool
}

type result struct {
	function.Result
	Error string
}

// text is what an error says, or nothing.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// errorOf is the error that says a text, or nil.
func errorOf(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
