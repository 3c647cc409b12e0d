package mastersp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/enginetest"
	"github.com/flowtwin/flowtwin/engine/mastersp"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// These tests are claims of the FaaSFlow paper (ASPLOS'22) about MasterSP, and
// facts about its artefact (tag v1.1, src/workflow_manager/mastersp.py), one
// test each.

// play runs one invocation of a workflow whose functions are spread over the
// workers.
func play(t *testing.T, text string, workers int, r engine.Rules) *enginetest.Driver {
	t.Helper()
	w, err := enginetest.Workflow("flow", text)
	if err != nil {
		t.Fatal(err)
	}
	s := engine.Scheduler{Control: mastersp.Scheme{}, Data: enginetest.Remote{}, Placement: placement.Spread{}}
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

const diamond = `
a 10ms
b 10ms after=a
c 10ms after=a
d 10ms after=b,c`

// Artefact: the master sends a worker one request for each function, whose
// reply reports its end. The gateway's request for the start function is a
// third pair.
func TestTwoMessagesForEachFunction(t *testing.T) {
	d := play(t, diamond, 2, engine.Rules{})
	sent(t, d, map[engine.MessageKind]int{
		engine.MessageTrigger: 1, engine.MessageRun: 4, engine.MessageDone: 1 + 4, engine.MessageRelease: 3,
	})
}

// Artefact, get_available_workers: before each function the master asks all
// workers for their state and waits for all of them, wherever the function
// runs then.
func TestAllWorkersAreProbedBeforeEachFunction(t *testing.T) {
	for _, workers := range []int{1, 3, 7} {
		d := play(t, diamond, workers, engine.Rules{ProbeAllWorkers: true})
		participants := min(workers, 4)
		sent(t, d, map[engine.MessageKind]int{
			engine.MessageTrigger: 1, engine.MessageRun: 4, engine.MessageDone: 1 + 4,
			engine.MessageProbe: 4 * workers, engine.MessageProbed: 4 * workers,
			engine.MessageRelease: 1 + participants,
		})
		before, _, _ := strings.Cut(d.Trace.String(), "→ send run a")
		if answers := strings.Count(before, "storage   probed"); answers != workers {
			t.Errorf("the first function runs after %d of %d workers have answered\n%s", answers, workers, before)
		}
	}
}

// Measured on the artefact: a workflow of 50 functions on 7 workers takes
// about 400 round trips through the master, 7 probes and one request each.
func TestFiftyFunctionsTakeFourHundredRoundTrips(t *testing.T) {
	text := "f0 10ms\n"
	for i := 1; i < 50; i++ {
		text += fmt.Sprintf("f%d 10ms after=f%d\n", i, (i-1)/4)
	}
	d := play(t, text, 7, engine.Rules{ProbeAllWorkers: true})
	if trips := d.Sent[engine.MessageProbe] + d.Sent[engine.MessageRun]; trips != 400 {
		t.Errorf("%d round trips", trips)
	}
}

// Artefact: a foreach is one request, and one reply when all instances have
// ended.
func TestAForeachIsOneRun(t *testing.T) {
	for _, items := range []int{1, 2, 50} {
		d := play(t, fmt.Sprintf("a 10ms list=%d\nb 10ms foreach=a\nc 10ms merge after=b", items), 3, engine.Rules{})
		sent(t, d, map[engine.MessageKind]int{
			engine.MessageTrigger: 1, engine.MessageRun: 3, engine.MessageDone: 1 + 3, engine.MessageRelease: 4,
		})
		if len(d.Runs) != items+2 {
			t.Errorf("%d tasks have run, want %d", len(d.Runs), items+2)
		}
	}
}

// Artefact: the master evaluates switches itself. Nothing is sent for them.
func TestSwitchesStayWithTheMaster(t *testing.T) {
	d := play(t, `
a 10ms
s switch after=a left:1 right:0
left 10ms
right 10ms
join 10ms after=left,right`, 2, engine.Rules{})
	sent(t, d, map[engine.MessageKind]int{
		engine.MessageTrigger: 1, engine.MessageRun: 3, engine.MessageDone: 1 + 3, engine.MessageRelease: 3,
	})
	if !strings.Contains(d.Trace.String(), "storage   switched s to branch 0 left") {
		t.Error(d.Trace.String())
	}
}

// Artefact: a worker records how long a function took, all instances of a
// foreach together, before it reports; the master records its switches.
func TestTimesAreRecordedBeforeReporting(t *testing.T) {
	d := play(t, `
a 10ms list=4
b 10ms foreach=a
c end merge after=b
s switch after=c e:1
e 10ms`, 2, engine.Rules{TimingDocuments: true})
	var order []string
	at := ""
	for line := range strings.Lines(d.Trace.String()) {
		fields := strings.Fields(line)
		if fields[1] == "ms" {
			at = fields[2]
		}
		for _, what := range []string{"document timing ", "send run ", "send done "} {
			if _, rest, is := strings.Cut(line, "→ "+what); is {
				order = append(order, at+" "+what+strings.Fields(rest)[0])
			}
		}
	}
	want := "storage send run a, worker-1 document timing a, worker-1 send done a, " +
		"storage send run b, worker-2 document timing b[3/4], worker-2 send done b, " +
		"storage document timing s, storage send run e, worker-1 document timing e, worker-1 send done e, storage send done a"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("the order was\n%s, want\n%s", got, want)
	}
}

// Paper: workers trigger nothing. They answer the master, and nobody else.
func TestWorkersOnlyAnswerTheMaster(t *testing.T) {
	d := play(t, diamond, 3, engine.Rules{ProbeAllWorkers: true})
	at := ""
	for line := range strings.Lines(d.Trace.String()) {
		if fields := strings.Fields(line); fields[1] == "ms" {
			at = fields[2]
		}
		if _, message, is := strings.Cut(line, "→ send "); is && strings.HasPrefix(at, "worker-") {
			if !strings.HasSuffix(message, " to storage\n") || !strings.HasPrefix(message, "done ") && !strings.HasPrefix(message, "probed ") {
				t.Errorf("%s: %s", at, line)
			}
		}
	}
}

// Artefact, gateway.py: the request is over when the nested requests have
// returned, so the gateway is answered once for each start function, when all
// is done.
func TestTheGatewayIsAnsweredWhenAllIsDone(t *testing.T) {
	d := play(t, `
fast 1ms
slow 50ms
join 10ms after=fast,slow
aside 300ms after=fast`, 2, engine.Rules{})
	if answers := strings.Count(d.Trace.String(), "gateway   done"); answers != 2 {
		t.Errorf("the gateway has got %d answers, want one for each start function", answers)
	}
	for _, r := range d.Runs {
		if r.End == 0 {
			t.Errorf("%v had not ended", r.Subject)
		}
	}
	// Two messages, start 100, fast 1, two messages, start 100, aside 300, two
	// answers.
	if want := 507 * engine.Millisecond; d.Ended[0].At != want {
		t.Errorf("answered at %d, want %d", d.Ended[0].At, want)
	}
}
