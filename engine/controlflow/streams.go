package controlflow

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/inbox"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Where outputs are streamed to those who read them, the end of a function
// still triggers the next; but its bytes may come later than the trigger, so
// an instance waits on its node for both.

// Run runs an instance on this node, or evaluates a switch, as part of a call:
// at once, or when its streamed inputs are there.
func (fl *Flow) Run(subject engine.Subject, call int32) {
	if fl.node.System().Inboxes == nil {
		fl.begin(subject, call, engine.NoCause())
		return
	}
	fl.inbox(subject.Invocation).Trigger(subject.Function, &subject.Path, call)
	fl.beginReady(subject.Invocation, engine.NoCause())
}

func (fl *Flow) begin(subject engine.Subject, call int32, cause engine.Cause) {
	if fl.node.Workflow(subject.Invocation).Functions[subject.Function].Kind == workflow.Switch {
		fl.node.Evaluate(subject, call, cause)
	} else {
		fl.node.Run(subject, call, cause)
	}
}

func (fl *Flow) beginReady(i engine.Invocation, cause engine.Cause) {
	s := fl.inbox(i)
	for _, r := range s.Ready {
		fl.begin(engine.Subject{Invocation: i, Function: r.Function, Path: r.Path}, r.Note, cause)
	}
	s.Ready = s.Ready[:0]
}

// inbox returns what the instances of an invocation wait for, laid out at
// first use.
func (fl *Flow) inbox(i engine.Invocation) *inbox.State {
	s := &fl.state(i).inbox
	if s.Empty() {
		s.Reset(fl.node.System().Inboxes[i.Workflow])
	}
	return s
}

// Arrived takes note of a streamed datum that is on this node.
func (fl *Flow) Arrived(e *engine.Event) { fl.settleInput(e.Subject, int32(e.Number), true) }

// Dead takes note that an instance, or all of a function below a path, will
// post nothing.
func (fl *Flow) Dead(subject engine.Subject) {
	for output := range fl.node.Workflow(subject.Invocation).Functions[subject.Function].Outputs {
		fl.settleInput(subject, int32(output), false)
	}
}

func (fl *Flow) settleInput(subject engine.Subject, output int32, alive bool) {
	i := subject.Invocation
	for _, r := range fl.node.System().Inboxes[i.Workflow].Readers(subject.Function, output) {
		if fl.node.Deployment(i).Node(i.Workflow, r.Function) == fl.node.ID() {
			fl.inbox(i).Arrive(r, &subject.Path, alive)
		}
	}
	cause := engine.NoCause()
	if alive { // The bytes came later than the trigger.
		cause = engine.CausedBy(subject.Function, output, &subject.Path)
	}
	fl.beginReady(i, cause)
}

// announceDead tells those who wait for data of an instance that none will
// come.
func (fl *Flow) announceDead(subject engine.Subject) {
	if fl.node.System().Inboxes != nil && fl.node.AnnounceDead(subject, engine.NoNode) {
		fl.Dead(subject)
	}
}
