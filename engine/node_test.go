package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/pool"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// The nodes of these tests.
const (
	gateway engine.NodeID = iota
	storage
	worker1
	worker2
)

// bench is one node, which is told events one by one.
type bench struct {
	*testing.T
	system  *engine.System
	node    *engine.Node
	now     engine.Time
	effects engine.Effects
}

// newBench makes a node of a cluster with two workers under WorkerSP. place
// says on which worker, 0 or 1, each function is.
func newBench(t *testing.T, id engine.NodeID, r engine.Rules, place map[string]int, text string) *bench {
	t.Helper()
	system := newSystem(t, r, place, text)
	return &bench{T: t, system: system, node: engine.NewNode(id, system)}
}

func newSystem(t *testing.T, r engine.Rules, place map[string]int, text string) *engine.System {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	s := engine.Scheduler{Control: workersp.Scheme{}, Data: enginetest.Remote{}, Placement: placement.Explicit{"flow": place}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(2), s, r)
	if err != nil {
		t.Fatal(err)
	}
	return system
}

// tell lets an event happen and compares what the node asks for.
func (b *bench) tell(e engine.Event, want ...string) {
	b.Helper()
	b.node.Step(b.now, e, &b.effects)
	var got []string
	for i := range b.effects.List {
		got = append(got, b.system.DescribeEffect(&b.effects.List[i]))
	}
	b.effects.Reset()
	if !slices.Equal(got, want) {
		b.Errorf("%d ms, %s:\n got %s\nwant %s", b.now/ms, b.system.DescribeEvent(&e), strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

// deliver lets a message about an invocation arrive.
func (b *bench) deliver(kind engine.MessageKind, from engine.NodeID, i engine.Invocation, function string, want ...string) {
	b.Helper()
	f, _ := b.system.Workflows[0].Function(function)
	m := engine.Message{Kind: kind, From: from, To: b.node.ID(), Subject: engine.Subject{Invocation: i, Function: f}}
	b.tell(engine.Event{Kind: engine.EventDeliver, Message: m}, want...)
}

// order lets a message of the gateway arrive that is not about an invocation.
func (b *bench) order(kind engine.MessageKind, epoch uint32, lost []engine.NodeID, want ...string) {
	b.Helper()
	m := engine.Message{Kind: kind, From: gateway, To: b.node.ID(), Items: epoch, Lost: lost}
	b.tell(engine.Event{Kind: engine.EventDeliver, Message: m}, want...)
}

// hears lets a report about a peer arrive at the gateway.
func (b *bench) hears(kind engine.MessageKind, from, about engine.NodeID, epoch uint32, want ...string) {
	b.Helper()
	m := engine.Message{Kind: kind, From: from, To: gateway, Items: uint32(about)}
	m.Invocation.Epoch = epoch
	b.tell(engine.Event{Kind: engine.EventDeliver, Message: m}, want...)
}

func (b *bench) peer(kind engine.EventKind, peer engine.NodeID, want ...string) {
	b.Helper()
	b.tell(engine.Event{Kind: kind, Peer: peer}, want...)
}

func (b *bench) arrive(want ...string) {
	b.Helper()
	b.tell(engine.Event{Kind: engine.EventArrive}, want...)
}

func (b *bench) container(kind engine.EventKind, index, generation uint32, want ...string) {
	b.Helper()
	b.tell(engine.Event{Kind: kind, Container: engine.ContainerID{Index: index, Generation: generation}}, want...)
}

func (b *bench) ended(index, generation uint32, o engine.Outcome, want ...string) {
	b.Helper()
	e := engine.Event{Kind: engine.EventTaskEnded, Outcome: o, Container: engine.ContainerID{Index: index, Generation: generation}}
	b.tell(e, want...)
}

func (b *bench) stale(want int64) {
	b.Helper()
	if got := b.node.Counters().Stale; got != want {
		b.Errorf("%d stale messages and reports, want %d", got, want)
	}
}

// invocation names an attempt, counted from 0, of the first occupant of a slot.
func invocation(slot uint32, attempt uint16, epoch uint32) engine.Invocation {
	return engine.Invocation{Slot: slot, Generation: 1, Attempt: attempt, Epoch: epoch}
}

const chain = `
a 10ms
b 10ms reads=a`

var apart = map[string]int{"a": 0, "b": 1}

// A release leaves a tombstone: what comes late, even as the first that a node
// hears of an attempt, revives nothing, and its sender is told.
func TestLateMessagesReviveNothing(t *testing.T) {
	b := newBench(t, worker2, engine.Rules{}, apart, chain)
	first := invocation(0, 0, 0)
	b.deliver(engine.MessageRelease, gateway, first, "")
	b.deliver(engine.MessageTrigger, worker1, first, "b", "send release flow#0.1 to worker-1")
	b.deliver(engine.MessageDone, worker1, first, "b")
	b.stale(2)
	// The next attempt is another matter, and ends the life of those before.
	second := invocation(0, 1, 0)
	b.deliver(engine.MessageTrigger, worker1, second, "b", "start container 0 for b")
	b.deliver(engine.MessageRelease, gateway, first, "")
	third := invocation(0, 2, 0)
	b.deliver(engine.MessageTrigger, worker1, third, "b", "release flow#0.1 attempt 2")
	b.deliver(engine.MessageTrigger, worker1, second, "b", "send release flow#0.1 attempt 2 to worker-1")
	// So is the next invocation in the slot, whatever its attempt.
	next := engine.Invocation{Slot: 0, Generation: 2}
	b.deliver(engine.MessageTrigger, worker1, next, "b", "release flow#0.1 attempt 3")
	b.deliver(engine.MessageTrigger, worker1, third, "b", "send release flow#0.1 attempt 3 to worker-1")
	b.stale(4)
	// One trigger is left. It waits for the container that the first wanted.
	if open := b.node.Open(); open != (engine.Open{Invocations: 1, Queued: 1, Calls: 1}) {
		t.Errorf("the node has %+v", open)
	}
}

// The gateway is not told to release: it has told others.
func TestNobodyTellsTheGatewayToRelease(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{}, apart, chain)
	b.deliver(engine.MessageRelease, gateway, invocation(0, 0, 0), "")
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a")
	b.stale(1)
}

// A message may overtake the announcement of the deployment it belongs to. It
// waits.
func TestMessagesOfUnknownDeploymentsWait(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{}, apart, chain)
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 1, 1), "b")
	if open := b.node.Open(); open != (engine.Open{Early: 1}) {
		t.Errorf("the node has %+v", open)
	}
	b.order(engine.MessageDeploy, 1, []engine.NodeID{worker2}, "start container 0 for b")
}

// A worker that was lost drops the attempts from before its return, and takes
// part in none of them again, even if someone has yet to hear of their end.
func TestResetIsForGood(t *testing.T) {
	b := newBench(t, worker2, engine.Rules{}, apart, chain)
	b.deliver(engine.MessageTrigger, worker1, invocation(0, 0, 0), "b", "start container 0 for b")
	b.order(engine.MessageDeploy, 2, nil)
	b.order(engine.MessageReset, 2, nil, "release flow#0.1")
	b.deliver(engine.MessageTrigger, worker1, invocation(1, 0, 0), "b", "send release flow#1.1 to worker-1")
	b.deliver(engine.MessageTrigger, worker1, invocation(2, 0, 2), "b")
	b.container(engine.EventContainerUp, 0, 1, "run b in container 0, from store, to store")
}

// A machine that has lost its memory does nothing before the gateway has taken
// it back. Answers to calls that it does not remember must not meet new ones.
func TestRestartedNodeWaitsForTheGateway(t *testing.T) {
	b := newBench(t, worker2, engine.Rules{}, apart, chain)
	b.node = engine.RestartNode(worker2, b.system)
	b.deliver(engine.MessageTrigger, worker1, invocation(0, 0, 0), "b")
	b.deliver(engine.MessageDone, worker1, invocation(0, 0, 0), "b")
	b.deliver(engine.MessageTrigger, worker1, invocation(1, 0, 2), "b")
	b.order(engine.MessageDeploy, 2, nil)
	b.order(engine.MessageReset, 2, nil, "send release flow#0.1 to worker-1", "start container 0 for b")
	b.stale(2)
}

const (
	without2     = "send deploy epoch 1, lost: worker-2 to "
	with2        = "send deploy epoch 2, lost: none to "
	with2To2     = with2 + "worker-2"
	reset2       = "send reset epoch 2 to worker-2"
	trustBy1     = "send trust worker-2 to gateway"
	suspectedBy1 = "send suspect worker-2 to gateway"
)

// A report of a loss that the gateway has seen, and seen the end of, is no
// reason to place everything anew: whoever sent it had yet to hear that the
// worker was taken back.
func TestLateSuspicionIsNoNewLoss(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{}, apart, chain)
	b.peer(engine.EventPeerLost, worker2, without2+"storage", without2+"worker-1")
	b.peer(engine.EventPeerBack, worker2, with2+"storage", with2+"worker-1", with2To2, reset2)
	b.hears(engine.MessageSuspect, worker1, worker2, 0)
	b.hears(engine.MessageTrust, worker1, worker2, 0)
	b.hears(engine.MessageSuspect, worker1, worker2, 1)
	// Having heard of it, the sender means what it says.
	b.hears(engine.MessageSuspect, worker1, worker2, 2,
		"send deploy epoch 3, lost: worker-2 to storage", "send deploy epoch 3, lost: worker-2 to worker-1")
}

// Therefore, who misses a peer that a deployment includes says so again.
func TestSuspicionIsRepeated(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{}, apart, chain)
	b.peer(engine.EventPeerLost, worker2, suspectedBy1)
	b.peer(engine.EventPeerLost, worker2) // once is enough
	b.order(engine.MessageDeploy, 1, []engine.NodeID{worker2})
	b.order(engine.MessageDeploy, 2, nil, suspectedBy1)
	b.peer(engine.EventPeerBack, worker2, trustBy1)
	b.order(engine.MessageDeploy, 3, nil)
	// The gateway sees for itself that it is out of reach.
	b.peer(engine.EventPeerLost, gateway)
}

// Of two workers that miss each other only the one reported first is lost; if
// the other is lost then, its report counts no more.
func TestReportsOfTheLostDoNotCount(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{}, apart, chain)
	b.hears(engine.MessageSuspect, worker1, worker2, 0, without2+"storage", without2+"worker-1")
	b.hears(engine.MessageSuspect, worker2, worker1, 0)
	b.peer(engine.EventPeerLost, worker1, "send deploy epoch 2, lost: worker-1 to storage",
		"send deploy epoch 2, lost: worker-1 to worker-2", reset2)
}

// A worker that is lost to others may have missed what the gateway told it
// while it was out of its reach, so it is told when it can be reached again.
func TestLostWorkerIsResetWhenInReach(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{}, apart, chain)
	b.hears(engine.MessageSuspect, storage, worker2, 0, without2+"storage", without2+"worker-1")
	b.peer(engine.EventPeerLost, worker2)
	b.peer(engine.EventPeerBack, worker2, "send reset epoch 1 to worker-2")
}

// Without any worker an invocation fails at once.
func TestNoWorkerIsLeft(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{}, apart, chain)
	b.peer(engine.EventPeerLost, worker2, without2+"storage", without2+"worker-1")
	b.peer(engine.EventPeerLost, worker1)
	b.arrive("admit flow#0.1", "finish flow#0.1 failed", "release flow#0.1")
	b.arrive("admit flow#0.2", "finish flow#0.2 failed", "release flow#0.2")
	b.peer(engine.EventPeerBack, worker1, "send deploy epoch 3, lost: worker-2 to storage",
		"send deploy epoch 3, lost: worker-2 to worker-1", "send reset epoch 3 to worker-1")
	b.arrive("admit flow#0.3", "send trigger a to worker-1")
}

// The loss of a worker begins those attempts anew that it has part in, as
// often as allowed; a placement that is a table moves what was there.
func TestLossRestartsWhatTheWorkerHadPartIn(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{Attempts: 2}, apart, chain)
	b.arrive("admit flow#0.1", "send trigger a to worker-1")
	b.peer(engine.EventPeerLost, worker2, without2+"storage", without2+"worker-1",
		"send release flow#0.1 to worker-1", "send release flow#0.1 to worker-2", "release flow#0.1", "send trigger a to worker-1")
	b.peer(engine.EventPeerBack, worker2, with2+"storage", with2+"worker-1", with2To2, reset2)
	// The second attempt does without the worker, whatever becomes of it.
	b.peer(engine.EventPeerLost, worker2, "send deploy epoch 3, lost: worker-2 to storage", "send deploy epoch 3, lost: worker-2 to worker-1")
	b.deliver(engine.MessageDataLost, worker1, invocation(0, 0, 0), "")
	b.stale(1)
	b.deliver(engine.MessageDataLost, worker1, invocation(0, 1, 1), "",
		"finish flow#0.1 attempt 2 failed", "send release flow#0.1 attempt 2 to worker-1", "release flow#0.1 attempt 2")
}

// Lost data are worth another attempt, a function that fails is not.
func TestFailureIsFinal(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{Attempts: 3}, map[string]int{"a": 0, "b": 0}, chain)
	b.arrive("admit flow#0.1", "send trigger a to worker-1")
	b.deliver(engine.MessageDataLost, worker1, invocation(0, 0, 0), "",
		"send release flow#0.1 to worker-1", "release flow#0.1", "send trigger a to worker-1")
	b.deliver(engine.MessageFailed, worker1, invocation(0, 1, 0), "",
		"finish flow#0.1 attempt 2 failed", "send release flow#0.1 attempt 2 to worker-1", "release flow#0.1 attempt 2")
}

// One timer serves the deadlines of all invocations of a workflow.
func TestTimeouts(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{Timeout: 100 * ms}, map[string]int{"a": 0, "b": 0}, chain)
	deadline := engine.Event{Kind: engine.EventTimer}
	b.arrive("admit flow#0.1", "timer deadline 0 at 100 ms", "send trigger a to worker-1")
	b.now = 30 * ms
	b.arrive("admit flow#1.1", "send trigger a to worker-1")
	b.arrive("admit flow#2.1", "send trigger a to worker-1")
	done := engine.Message{Kind: engine.MessageDone, From: worker1, Subject: engine.Subject{Invocation: invocation(1, 0, 0)}}
	b.tell(engine.Event{Kind: engine.EventDeliver, Message: done},
		"finish flow#1.1 completed", "send release flow#1.1 to worker-1", "release flow#1.1")
	b.now = 99 * ms
	b.tell(deadline, "timer deadline 0 at 100 ms") // early
	b.now = 100 * ms
	b.tell(deadline, "finish flow#0.1 timed_out", "send release flow#0.1 to worker-1", "release flow#0.1", "timer deadline 0 at 130 ms")
	b.now = 130 * ms
	b.tell(deadline, "finish flow#2.1 timed_out", "send release flow#2.1 to worker-1", "release flow#2.1")
	// Slots are used again, under the next generation.
	b.arrive("admit flow#2.2", "timer deadline 0 at 230 ms", "send trigger a to worker-1")
}

// In the artefact an invocation goes on when its client has given up. It is
// still released in the end, even if a worker is lost.
func TestRunOnAfterTimeout(t *testing.T) {
	b := newBench(t, gateway, engine.Rules{Timeout: 100 * ms, RunOnAfterTimeout: true, Attempts: 2}, apart, chain)
	b.arrive("admit flow#0.1", "timer deadline 0 at 100 ms", "send trigger a to worker-1")
	b.now = 100 * ms
	b.tell(engine.Event{Kind: engine.EventTimer}, "finish flow#0.1 timed_out")
	b.peer(engine.EventPeerLost, worker2, without2+"storage", without2+"worker-1",
		"send release flow#0.1 to worker-1", "send release flow#0.1 to worker-2", "release flow#0.1", "send trigger a to worker-1")
	b.peer(engine.EventPeerLost, worker1, "send release flow#0.1 attempt 2 to worker-1", "release flow#0.1 attempt 2")
}

const capped = "a 10ms cap=2"

var alone = map[string]int{"a": 0}

// Tasks are served in the order they were triggered; the cap lets the third
// wait. What has waited for a start is cold, what finds a container is not.
func TestTasksAreServedInOrder(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{}, alone, capped)
	for slot := range uint32(2) {
		b.deliver(engine.MessageTrigger, gateway, invocation(slot, 0, 0), "a", fmt.Sprintf("start container %d for a", slot))
	}
	b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "a")
	b.deliver(engine.MessageTrigger, gateway, invocation(3, 0, 0), "a")
	b.now = 5 * ms
	for i, want := range []struct {
		event engine.EventKind
		slot  uint32
		cold  bool
	}{
		{engine.EventContainerUp, 0, true},
		{engine.EventTaskEnded, 1, false}, // The container is there before the one that was started for it.
		{engine.EventContainerUp, 2, true},
		{engine.EventTaskEnded, 3, false},
	} {
		container := engine.ContainerID{Index: uint32(i / 2), Generation: 1}
		b.node.Step(b.now, engine.Event{Kind: want.event, Container: container}, &b.effects)
		run := b.effects.List[len(b.effects.List)-1]
		if run.Kind != engine.EffectRun || run.Invocation.Slot != want.slot || run.Cold != want.cold || run.Container != container || run.Since != 0 {
			t.Errorf("%v of container %d: %s, cold: %v, since %d", want.event, i/2, b.system.DescribeEffect(&run), run.Cold, run.Since)
		}
		b.effects.Reset()
	}
}

// With the quirk, a task for which a container is being started waits for a
// start; only what came later may take a container that falls idle.
func TestBindColdStart(t *testing.T) {
	for _, bind := range []bool{false, true} {
		b := newBench(t, worker1, engine.Rules{BindColdStart: bind}, alone, capped)
		b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a", "start container 0 for a")
		b.container(engine.EventContainerUp, 0, 1, "run a in container 0, to store")
		b.deliver(engine.MessageTrigger, gateway, invocation(1, 0, 0), "a", "start container 1 for a")
		done := "send done a to gateway"
		if bind {
			b.ended(0, 1, engine.Completed, done)
			b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "a", "run a in container 0, to store")
			b.container(engine.EventContainerUp, 1, 1, "run a in container 1, to store")
		} else {
			b.ended(0, 1, engine.Completed, done, "run a in container 0, to store")
			b.container(engine.EventContainerUp, 1, 1)
		}
	}
}

// Of an invocation that has ended, queued tasks go and running ones are killed
// with their container. None of them is given a container on the way out, and
// those of others that waited are served.
func TestReleaseCancelsTasks(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{}, map[string]int{"a": 0, "b": 0, "c": 0}, `
a 10ms
b 10ms cap=1 reads=a
c 10ms cap=1 after=a`)
	run := func(slot uint32) {
		b.Helper()
		b.deliver(engine.MessageTrigger, gateway, invocation(slot, 0, 0), "b", "start container 0 for b")
		b.container(engine.EventContainerUp, 0, 1, "run b in container 0, from store, to store")
	}
	run(0)
	b.deliver(engine.MessageTrigger, gateway, invocation(1, 0, 0), "b")
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "b") // waits for its own invocation's container
	b.deliver(engine.MessageRelease, gateway, invocation(1, 0, 0), "", "release flow#1.1")
	b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "b")
	b.deliver(engine.MessageRelease, gateway, invocation(0, 0, 0), "", "stop container 0", "start container 0 for b", "release flow#0.1")
	// What the old container still reports is stale, the new one is used.
	b.ended(0, 1, engine.Completed)
	b.stale(1)
	b.container(engine.EventContainerUp, 0, 2, "run b in container 0, from store, to store")
	// A container that was started in vain is kept.
	b.deliver(engine.MessageTrigger, gateway, invocation(3, 0, 0), "c", "start container 1 for c")
	b.deliver(engine.MessageRelease, gateway, invocation(3, 0, 0), "", "release flow#3.1")
	b.container(engine.EventContainerUp, 1, 1)
	b.deliver(engine.MessageTrigger, gateway, invocation(4, 0, 0), "c", "run c in container 1, to store")
}

// A task that waits to be run again, behind another of its own invocation, is
// given no container when that one is killed.
func TestReleaseStartsNothingForWhatIsReleased(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{TaskRetries: 1}, alone, "a 10ms cap=1")
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a", "start container 0 for a")
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a")
	b.container(engine.EventContainerUp, 0, 1, "run a in container 0, to store")
	b.ended(0, 1, engine.Failed, "run a in container 0, to store")
	b.deliver(engine.MessageRelease, gateway, invocation(0, 0, 0), "", "stop container 0", "release flow#0.1")
}

// A task that fails is run again, behind those that wait, as often as allowed.
// A container that could not be started, or is lost, counts as a failure of
// the task that waits for it, or runs in it.
func TestRetries(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{TaskRetries: 2}, alone, "a 10ms cap=1")
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a", "start container 0 for a")
	b.container(engine.EventContainerFailed, 0, 1, "start container 0 for a")
	b.container(engine.EventContainerUp, 0, 2, "run a in container 0, to store")
	b.deliver(engine.MessageTrigger, gateway, invocation(1, 0, 0), "a")
	b.ended(0, 2, engine.Failed, "run a in container 0, to store")
	b.container(engine.EventContainerLost, 0, 2, "start container 0 for a")
	b.container(engine.EventContainerUp, 0, 3, "run a in container 0, to store")
	b.ended(0, 3, engine.Failed, "send failed flow#0.1 to gateway", "run a in container 0, to store")
	b.ended(0, 3, engine.Completed, "send done a to gateway")
	// A container that is lost while it starts, or idles, harms nobody.
	b.container(engine.EventContainerLost, 0, 3)
	b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "a", "start container 0 for a")
	b.container(engine.EventContainerLost, 0, 4, "start container 0 for a")
	b.stale(0)
}

// A task that finds data gone is not tried again here: the data have to be
// made again.
func TestDataLost(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{TaskRetries: 2}, alone, capped)
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a", "start container 0 for a")
	b.container(engine.EventContainerUp, 0, 1, "run a in container 0, to store")
	b.ended(0, 1, engine.DataLost, "send data-lost flow#0.1 to gateway")
}

// One timer serves the idle containers of a pool; the one used last is used
// first.
func TestKeepAlive(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{Pool: pool.Rules{KeepAlive: 100 * ms}}, alone, capped)
	timer := engine.Event{Kind: engine.EventTimer, Timer: engine.Timer{Kind: engine.TimerKeepAlive}}
	for slot := range uint32(2) {
		b.deliver(engine.MessageTrigger, gateway, invocation(slot, 0, 0), "a", fmt.Sprintf("start container %d for a", slot))
	}
	b.container(engine.EventContainerUp, 0, 1, "run a in container 0, to store")
	b.container(engine.EventContainerUp, 1, 1, "run a in container 1, to store")
	b.ended(0, 1, engine.Completed, "timer keep-alive 0 at 100 ms", "send done a to gateway")
	b.now = 10 * ms
	b.ended(1, 1, engine.Completed, "send done a to gateway")
	b.now = 50 * ms
	b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "a", "run a in container 1, to store")
	b.ended(1, 1, engine.Completed, "send done a to gateway")
	b.now = 100 * ms
	b.tell(timer, "stop container 0", "timer keep-alive 0 at 150 ms")
	b.now = 150 * ms
	b.tell(timer, "stop container 1")
}

// A tick serves one queued task of a function, on a grid.
func TestDispatchTick(t *testing.T) {
	b := newBench(t, worker1, engine.Rules{DispatchTick: 5 * ms}, alone, "a 10ms")
	timer := engine.Event{Kind: engine.EventTimer, Timer: engine.Timer{Kind: engine.TimerDispatch}}
	b.now = 7 * ms
	b.deliver(engine.MessageTrigger, gateway, invocation(0, 0, 0), "a", "timer dispatch 0 at 10 ms")
	b.deliver(engine.MessageTrigger, gateway, invocation(1, 0, 0), "a")
	b.now = 10 * ms
	b.tell(timer, "start container 0 for a", "timer dispatch 0 at 15 ms")
	b.now = 15 * ms
	b.tell(timer, "start container 1 for a", "timer dispatch 0 at 20 ms")
	b.now = 20 * ms
	b.tell(timer) // all that wait have a container coming
	b.container(engine.EventContainerUp, 0, 1, "run a in container 0, to store")
	b.deliver(engine.MessageTrigger, gateway, invocation(2, 0, 0), "a", "timer dispatch 0 at 20 ms")
}

// NewSystem says why a system is impossible.
func TestNewSystemErrors(t *testing.T) {
	w, err := enginetest.Workflow("flow", "a 10ms\nb 10ms reads=a")
	if err != nil {
		t.Fatal(err)
	}
	one := enginetest.Cluster(1)
	placed := func(worker ...int32) placed {
		return placed{Worker: [][]int32{worker}, Group: [][]int32{worker}}
	}
	for _, test := range []struct {
		name    string
		cluster engine.Cluster
		placer  placement.Placer
		want    string
	}{
		{"no workers", enginetest.Cluster(0), placement.Spread{}, "the cluster has no workers"},
		{"capacity missing", engine.Cluster{Workers: []engine.NodeID{2}}, placement.Spread{}, "the cluster has 1 workers, but the capacity of 0"},
		{"placer gives up", one, refuses{}, "placing functions on 1 workers: there is no room"},
		{"placer places on no worker", one, placed(0, 1), "placing functions on 1 workers: b of flow is placed on worker 1"},
		{"placer forgets a function", one, placed(0), "placing functions on 1 workers: flow has 2 functions, the placement is for 1"},
		{"placer forgets a workflow", one, placedNothing, "placing functions on 1 workers: there are 1 workflows, the placement is for 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := engine.Scheduler{Control: workersp.Scheme{}, Data: enginetest.Remote{}, Placement: test.placer}
			if _, err := engine.NewSystem([]*workflow.Workflow{w}, test.cluster, s, engine.Rules{}); err == nil || err.Error() != test.want {
				t.Errorf("%v", err)
			}
		})
	}
}

type refuses struct{}

func (refuses) Place([]*workflow.Workflow, []placement.Worker) (placement.Placement, error) {
	return placement.Placement{}, errors.New("there is no room")
}

type placed placement.Placement

var placedNothing placed

func (p placed) Place([]*workflow.Workflow, []placement.Worker) (placement.Placement, error) {
	return placement.Placement(p), nil
}
