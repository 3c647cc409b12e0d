package sim_test

import (
	"math"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
)

// The hops of the second invocation, when all containers are warm and idle. In
// the first there are none, as all containers are cold.
func TestHopsAreTheWayFromAnEndToAWarmContainerElsewhere(t *testing.T) {
	const costly = "{engine: {event: 1ms, receive: 2ms, send: 4ms}}"
	for _, test := range []struct {
		name, workflow, scheduler, table, overrides string
		hops                                        int
		time                                        engine.Time
	}{
		{"worker → worker", "chain", "control: workersp, data: remote", "{a: 1, b: 2, c: 1}", "{}", 2, 2 * message},
		{"worker → master → worker", "chain", "control: mastersp, data: remote", "{a: 1, b: 2, c: 1}", "{}", 2, 2 * 2 * message},
		{"b and c are on one worker", "chain", "control: mastersp, data: remote", "{a: 1, b: 2, c: 2}", "{}", 1, 2 * message},
		// The engine there handles the end and sends, the other receives.
		{"engines take their time", "chain", "control: workersp, data: remote", "{a: 1, b: 2, c: 1}", costly, 2, 2 * (1*ms + 4*ms + message + 2*ms)},
		// All of the list leads to work, and the last of work to merge.
		{"a foreach", "foreach", "control: mastersp, data: remote", "{split: 1, work: 2, merge: 1}", "{}", 3, 3 * 2 * message},
		{"data in memory do not matter", "foreach", "control: workersp, data: faastore", "{split: 1, work: 1, merge: 2}", "{}", 1, message},
		// c is triggered by what was streamed: that is a transfer.
		{"an output in a message", "inline", "control: dataflower, data: pipe", "{a: 1, b: 2, c: 1}", "{}", 1, message},
		{"outputs that are announced once stored", "chain", "control: dataflower, data: remote", "{a: 1, b: 2, c: 1}", "{}", 2, 2 * message},
		{"bytes that come after the trigger", "chain", "control: workersp, data: pipe", "{a: 1, b: 2, c: 1}", "{}", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, r := single(t, test.workflow+".yaml", "{name: s, placement: explicit, "+test.scheduler+", table: {"+test.workflow+": "+test.table+"}}", two, test.overrides)
			first, second := &r.invocations[0], &r.invocations[1]
			if first.Hops != 0 || first.HopTime != 0 || !math.IsNaN(first.HopOverhead()) {
				t.Errorf("in the first invocation %d hops took %d ns, but its containers are cold", first.Hops, first.HopTime)
			}
			if second.Hops != test.hops || second.HopTime != test.time {
				t.Errorf("%d hops took %d ns, by hand %d take %d ns", second.Hops, second.HopTime, test.hops, test.time)
			}
		})
	}
}

// A tick of the dispatcher is part of the control plane: what waits for it
// does not wait for a container.
func TestATickIsPartOfAHop(t *testing.T) {
	_, r := single(t, "chain.yaml", apart, two, "{dispatch: {tick: 5ms}}")
	if i := &r.invocations[1]; i.Hops != 2 || i.HopTime <= 2*message || i.HopTime > 2*(message+5*ms) {
		t.Errorf("%d hops took %d ns, by hand it is 2, and up to two ticks", i.Hops, i.HopTime)
	}
}

// There is one container for b. One client finds it idle whenever it is warm,
// two keep it busy.
func TestWaitingForAContainerIsNoHop(t *testing.T) {
	for clients, want := range map[string]int{"{clients: 1, limit: 4}": 3, "{clients: 2, limit: 4}": 0} {
		_, r := single(t, "queue.yaml", "{name: s, control: workersp, placement: explicit, data: remote, table: {queue: {a: 1, b: 2}}}", clients, "{}")
		hops := 0
		for _, i := range r.invocations {
			hops += i.Hops
		}
		if hops != want {
			t.Errorf("%s: %d hops, by hand it is %d", clients, hops, want)
		}
	}
}
