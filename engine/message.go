package engine

import (
	"fmt"

	"github.com/flowtwin/flowtwin/engine/data"
)

// MessageKind says what a control message asks for or reports.
type MessageKind uint8

const (
	// MessageTrigger says that a control edge into Function has been resolved
	// by a function that ran. With Items > 0 it opens a foreach: Path is the
	// opener's. It is a call: the receiver answers with MessageDone when all
	// that it set off has ended.
	MessageTrigger MessageKind = iota
	// MessageSkip says that Items control edges into Function are dead. It is
	// a call, as it may be the last thing that a join waits for.
	MessageSkip
	// MessageSkipGather says that one instance of Function, among those that
	// a merge waits for, was skipped. It is a call.
	MessageSkipGather
	// MessageRun tells a worker to run an instance of Function, or with
	// Items > 0 all instances of a foreach. It is a call.
	MessageRun
	// MessageDone answers a call; Call is the one it was sent with. The answer
	// to MessageRun carries in Items the length of the list that the function
	// has posted.
	MessageDone
	// MessageItems tells the length of a further list (output Call).
	MessageItems
	// MessageInform tells a node of an invocation that it will take part in,
	// MessageInformed answers.
	MessageInform
	MessageInformed
	// MessageData announces output Call of the function instance that Path
	// belongs to, or an item of it, or with the path of the instance itself a
	// list without items. Way says where it is, and Handle, for the driver,
	// where exactly.
	MessageData
	// MessageDead says that the instance of Function at Path will post
	// nothing; with the path of an instance around it, that none of several
	// will.
	MessageDead
	// MessageCount tells, after the end of the instance of Function at Path,
	// that the length of its list (output Call) is now known.
	MessageCount
	// MessageResult tells the gateway that a function that ends a branch of
	// the workflow has posted its result.
	MessageResult
	// MessageProbe asks a worker for its state (only the cost of asking
	// matters), MessageProbed answers.
	MessageProbe
	MessageProbed
	// MessageFailed tells the gateway that the attempt cannot be completed,
	// MessageDataLost that another attempt could be.
	MessageFailed
	MessageDataLost
	// MessageRelease says that the invocation has ended, or this attempt of
	// it. The receiver drops all it knows of it.
	MessageRelease
	// MessageDeploy announces the deployment of epoch Items, over all workers
	// but those in Lost.
	MessageDeploy
	// MessageReset tells a node that was out of reach to drop all attempts
	// from before epoch Items, and to take part in none of them again.
	MessageReset
	// MessageSuspect tells the gateway that node Items is out of the sender's
	// reach, who has last heard of the deployment Invocation.Epoch;
	// MessageTrust takes it back.
	MessageSuspect
	MessageTrust

	// MessageOfScheme is the first kind that a control scheme may give a
	// meaning of its own.
	MessageOfScheme
)

var messageNames = [...]string{
	"trigger", "skip", "skip-gather", "run", "done", "items", "inform", "informed", "data", "dead", "count", "result", "probe", "probed", "failed", "data-lost", "release", "deploy", "reset", "suspect", "trust",
}

// String returns the kind's name as traces show it.
func (k MessageKind) String() string {
	if int(k) < len(messageNames) {
		return messageNames[k]
	}
	return fmt.Sprintf("scheme-%d", k-MessageOfScheme)
}

// Message is what nodes send each other. All control messages are small; of
// data only what is inline travels in them.
type Message struct {
	Kind     MessageKind
	From, To NodeID
	// Call is the sender's number for the call, which the answer repeats.
	Call int32
	// Items is a number whose meaning depends on the kind.
	Items uint32
	// Way and Handle belong to MessageData. Handle is the driver's: it comes
	// with EventPosted and goes to EffectPrefetch.
	Way    data.Target
	Handle uint64
	// Lost belongs to MessageDeploy and is never changed once sent.
	Lost []NodeID
	Subject
}
