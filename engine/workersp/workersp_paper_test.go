package workersp_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workersp"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// These tests are claims of the FaaSFlow paper (ASPLOS'22) about WorkerSP, and
// facts about its artefact (tag v1.1, src/workflow_manager/workersp.py), one
// test each.

// play runs one invocation of a workflow whose functions are on the given
// workers, counted from 0.
func play(t rapid.TB, text string, workers int, place map[string]int, r engine.Rules) *enginetest.Driver {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	s := engine.Scheduler{Control: workersp.Scheme{}, Data: enginetest.Remote{}, Placement: placement.Explicit{"flow": place}}
	system, err := engine.NewSystem([]*workflow.Workflow{w}, enginetest.Cluster(workers), s, r)
	if err != nil {
		t.Fatal(err)
	}
	d := enginetest.NewDriver(system)
	d.Arrive(0, 0)
	if err := d.Run(100_000); err != nil {
		t.Fatal(err)
	}
	if len(d.Ended) != 1 || d.Ended[0].Outcome != engine.Completed {
		t.Fatalf("the invocation has come to %+v", d.Ended)
	}
	return d
}

func sent(t *testing.T, d *enginetest.Driver, want map[engine.MessageKind]int) {
	t.Helper()
	if got := fmt.Sprint(d.Sent); got != fmt.Sprint(want) {
		t.Errorf("sent were %v, want %v\n%s", got, want, d.Trace.String())
	}
}

// Paper: functions on one worker are triggered inside its engine, so no
// message is sent between them. Here all are: what is left is the gateway's
// trigger, its answer, and the release.
func TestNoMessageBetweenFunctionsOnOneWorker(t *testing.T) {
	d := play(t, `
a 10ms list=3
b 10ms foreach=a
c 10ms merge after=b
d 10ms after=a,c`, 2, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, engine.Rules{})
	sent(t, d, map[engine.MessageKind]int{engine.MessageTrigger: 1, engine.MessageDone: 1, engine.MessageRelease: 1})
}

// Artefact, trigger_function: one request for each control edge that crosses
// workers, also when several of them go to the same worker; each is answered.
// The gateway's requests are one for each start function.
func TestOneMessageForEachControlEdgeBetweenWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "functions")
		workers := rapid.IntRange(1, 4).Draw(t, "workers")
		place := map[string]int{}
		text, crossing, starts := "", 0, 0
		for i := range n {
			place[fmt.Sprint("f", i)] = rapid.IntRange(0, workers-1).Draw(t, "worker")
			var after []string
			for p := range i {
				if rapid.IntRange(0, 2).Draw(t, "edge") == 0 {
					after = append(after, fmt.Sprint("f", p))
					if place[fmt.Sprint("f", p)] != place[fmt.Sprint("f", i)] {
						crossing++
					}
				}
			}
			text += fmt.Sprintf("f%d 1ms", i)
			if len(after) > 0 {
				text += " after=" + strings.Join(after, ",")
			} else {
				starts++
			}
			text += "\n"
		}
		d := play(t, text, workers, place, engine.Rules{})
		if triggers := d.Sent[engine.MessageTrigger]; triggers != starts+crossing || d.Sent[engine.MessageDone] != triggers {
			t.Errorf("%d triggers and %d answers; there are %d start functions and %d edges between workers\n%s%v",
				triggers, d.Sent[engine.MessageDone], starts, crossing, text, place)
		}
	})
}

// Artefact, run_foreach: a foreach is one request to the worker that hosts the
// function, which runs all instances and then triggers the merge once.
func TestAForeachIsOneTrigger(t *testing.T) {
	for _, items := range []int{1, 2, 50} {
		d := play(t, fmt.Sprintf(`
a 10ms list=%d
b 10ms foreach=a
c 10ms merge after=b`, items), 3, map[string]int{"a": 0, "b": 1, "c": 2}, engine.Rules{})
		sent(t, d, map[engine.MessageKind]int{engine.MessageTrigger: 3, engine.MessageDone: 3, engine.MessageRelease: 3})
		if len(d.Runs) != items+2 {
			t.Errorf("%d tasks have run, want %d", len(d.Runs), items+2)
		}
	}
}

// Paper: there is no master. Nothing is sent to the storage node, and the
// gateway hears only answers to what it has triggered.
func TestThereIsNoMaster(t *testing.T) {
	d := play(t, `
a 10ms
b 10ms after=a
c 10ms
d 10ms after=b,c`, 2, map[string]int{"a": 0, "b": 1, "c": 1, "d": 0}, engine.Rules{})
	for line := range strings.Lines(d.Trace.String()) {
		if strings.HasSuffix(line, " to storage\n") {
			t.Error(line)
		}
		if strings.HasSuffix(line, " to gateway\n") && !strings.Contains(line, "send done ") {
			t.Error(line)
		}
	}
}

// Artefact, gateway.py: a request is over when the nested requests have
// returned. A branch that is not the last to arrive at a join returns at once;
// the last one carries on.
func TestTheGatewayIsAnsweredWhenAllIsDone(t *testing.T) {
	d := play(t, `
fast 1ms
slow 50ms
join 10ms after=fast,slow
aside 300ms after=fast`, 2, map[string]int{"fast": 0, "slow": 0, "join": 1, "aside": 1}, engine.Rules{})
	if answers := strings.Count(d.Trace.String(), "gateway   done"); answers != 2 {
		t.Errorf("the gateway has got %d answers, want one for each start function", answers)
	}
	for _, r := range d.Runs {
		if r.End == 0 {
			t.Errorf("%v had not ended", r.Subject)
		}
	}
	// 1 ms to trigger, start 100, fast 1, message 1, start 100, aside 300, two
	// answers.
	if want := 505 * engine.Millisecond; d.Ended[0].At != want {
		t.Errorf("answered at %d, want %d", d.Ended[0].At, want)
	}
}

// Artefact, run_function: how long a function took is written to the database
// before its successors are triggered. A switch is not recorded.
func TestTimesAreRecordedBeforeTriggering(t *testing.T) {
	r := engine.Rules{TimingDocuments: true}
	d := play(t, `
a 10ms list=4
b 10ms foreach=a
c end merge after=b
s switch after=c e:1
e 10ms`, 1, map[string]int{"a": 0, "b": 0, "c": 0, "s": 0, "e": 0}, r)
	var order []string
	for line := range strings.Lines(d.Trace.String()) {
		for _, what := range []string{"→ document timing ", "→ start container ", "→ evaluate ", "→ send done "} {
			if _, rest, is := strings.Cut(line, what); is {
				order = append(order, strings.Trim(what, "→ ")+" "+strings.TrimSpace(rest))
			}
		}
	}
	want := "start container 0 for a, document timing a, " +
		"start container 1 for b[0/4], start container 2 for b[1/4], start container 3 for b[2/4], start container 4 for b[3/4], " +
		"document timing b, evaluate s, start container 5 for e, document timing e, send done a to gateway"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("the order was\n%s, want\n%s", got, want)
	}
}
