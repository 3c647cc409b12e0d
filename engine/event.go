package engine

import "fmt"

// EventKind says what happened.
type EventKind uint8

const (
	// EventArrive: a client asks for an invocation of Invocation.Workflow.
	// Number is the driver's own name for it. Only at the gateway.
	EventArrive EventKind = iota
	// EventDeliver: Message has arrived.
	EventDeliver
	// EventContainerUp, EventContainerFailed: a start that was asked for has
	// succeeded or not.
	EventContainerUp
	EventContainerFailed
	// EventContainerLost: Container has gone, and its task with it.
	EventContainerLost
	// EventItems: the task in Container has posted a list (output Number) of
	// Items items. It comes before the task's end.
	EventItems
	// EventPosted: the datum Number (an output) of the function instance that
	// the Subject's path belongs to can be announced, because it is on its way
	// (Way): in the store, in this node's memory, small enough to travel
	// inline, or with its first chunk at the broker. The path of an item of a
	// list has the item's level. Only where the plan asks for it.
	EventPosted
	// EventArrived: the last byte of a datum that an EffectPrefetch asked for
	// is on this node. It repeats the effect's Subject and Number.
	EventArrived
	// EventTaskEnded: the task in Container has ended with Outcome: its
	// outputs are where the plan says (Completed), or it failed. Number is
	// how many bytes it has left to the container's data unit.
	EventTaskEnded
	// EventDataLost: the container that the instance ran in has gone, and with
	// it outputs that were not sent yet.
	EventDataLost
	// EventSwitched: the switch Function has chosen branch Number.
	EventSwitched
	// EventDocument: the operation of an EffectDocument has been done. The
	// event repeats the effect's Subject, Call, Items and Document.
	EventDocument
	// EventTimer: Timer has come.
	EventTimer
	// EventPeerLost, EventPeerBack: Peer counts as lost, or can be reached
	// again.
	EventPeerLost
	EventPeerBack
)

var eventNames = [...]string{
	"arrive", "deliver", "container-up", "container-failed", "container-lost", "items", "posted", "arrived", "task-ended", "data-lost",
	"switched", "document", "timer", "peer-lost", "peer-back",
}

// EventKinds is the number of kinds.
const EventKinds = len(eventNames)

// String returns the kind's name as traces and profiles show it.
func (k EventKind) String() string { return eventNames[k] }

// Event is one thing that a driver tells a node. Which fields matter depends
// on the kind. For EventDeliver the embedded Message is what has arrived; for
// other kinds its Subject, Call and Items say what the event is about.
type Event struct {
	Kind      EventKind
	Outcome   Outcome
	Document  DocumentKind
	Peer      NodeID
	Container ContainerID
	Timer     Timer
	Number    int64
	Message
}

// Timer names a timer of a node. At most one is outstanding for each name.
type Timer struct {
	Kind  TimerKind
	Index uint32
}

// TimerKind says what a timer is for.
type TimerKind uint8

const (
	// TimerDeadline is the gateway's, for the workflow Index.
	TimerDeadline TimerKind = iota
	// TimerKeepAlive and TimerDispatch belong to the pool Index.
	TimerKeepAlive
	TimerDispatch
	// TimerHold belongs to the container Index, TimerMatch to the node, and
	// TimerLifetime to its memory.
	TimerHold
	TimerMatch
	TimerLifetime
	// TimerOfScheme is the first kind that a control scheme may use.
	TimerOfScheme
)

var timerNames = [...]string{"deadline", "keep-alive", "dispatch", "hold", "match", "lifetime"}

// String returns the timer's name as traces show it.
func (t Timer) String() string {
	if int(t.Kind) < len(timerNames) {
		return fmt.Sprintf("%s %d", timerNames[t.Kind], t.Index)
	}
	return fmt.Sprintf("scheme-%d %d", t.Kind-TimerOfScheme, t.Index)
}

// DocumentKind says which operation on the storage node's database an engine
// waits for. All of them are quirks of the papers' artefacts.
type DocumentKind uint8

const (
	// DocumentPlacement is the gateway's look-up of a function's worker.
	DocumentPlacement DocumentKind = iota
	// DocumentAddresses is the master's look-up of the workers' addresses.
	DocumentAddresses
	// DocumentTiming is a worker's record of how long a function took.
	DocumentTiming
	// DocumentList reads the list that a foreach iterates over.
	DocumentList
	// DocumentRequest is the empty document that DataFlower's gateway makes
	// for each invocation.
	DocumentRequest
)

var documentNames = [...]string{"placement", "addresses", "timing", "list", "request"}

// DocumentKinds is the number of kinds.
const DocumentKinds = len(documentNames)

// String returns the kind's name.
func (k DocumentKind) String() string { return documentNames[k] }
