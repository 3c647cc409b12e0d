package sim_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// The chain of what an invocation waited for leads back to a function that it
// starts with, whoever triggers and however data travel: no part of a latency
// is put down to the control plane because what it waited for was not found.
// Chains are unbroken, and what lies between two of their tasks is short here,
// as are messages and transfers.
func TestTheChainLeadsBackToTheStart(t *testing.T) {
	for _, profile := range []string{"ideal", "dataflower-testbed"} {
		for _, control := range []string{"mastersp", "workersp", "dataflower"} {
			for _, data := range []string{"remote", "faastore", "pipe"} {
				for _, workflow := range []string{
					"dataflower/recognizer", "dataflower/svd", "dataflower/video", "dataflower/wordcount", "faasflow/recognizer", "faasflow/video", "faasflow/genome",
				} {
					t.Run(fmt.Sprintf("%s/%s+%s/%s", profile, control, data, workflow), func(t *testing.T) {
						t.Parallel()
						leadsBack(t, fmt.Sprintf(`name: chain
workflows: [%s]
cluster: {workers: 3}
load: {clients: 2, limit: 6}
schedulers: [%s+hash+%s]
profile: %s
`, workflow, control, data, profile))
					})
				}
			}
		}
	}
}

func leadsBack(t *testing.T, scenario string) {
	p := plan(t, scenario)
	w := p.Trial(0, 0).Workflows[0]
	r := simulate(t, p, 0)
	for n := range r.invocations {
		i := &r.invocations[n]
		var on []record.Task
		for _, task := range r.tasks {
			if task.Number == i.Number && task.Critical {
				on = append(on, task)
			}
		}
		slices.SortFunc(on, func(a, b record.Task) int { return int(a.Until - b.Until) })
		if len(on) == 0 || !slices.Contains(w.Starts, on[0].Function) {
			t.Fatalf("invocation %d: the chain of %d tasks does not begin with a start function", i.Number, len(on))
		}
		if between := i.Phases[record.Control]; between > i.Latency()/2 && between > 200*engine.Millisecond {
			t.Errorf("invocation %d: %.3f of %.3f s are put down to the control plane", i.Number, float64(between)/1e9, float64(i.Latency())/1e9)
		}
		for k := 1; k < len(on); k++ {
			if on[k].Queued < on[k-1].Until {
				t.Errorf("invocation %d: %s was triggered before %s did what it waited for", i.Number, w.Functions[on[k].Function].Name, w.Functions[on[k-1].Function].Name)
			}
		}
	}
}

// split finds after half of its 20 ms that its list is empty, and nothing else
// is to come: the gateway hears of it then, while split goes on. The invocation
// has waited for three messages, a cold start, half of split, and a message.
func TestAnEmptyListMayBeAllThatIsWaitedFor(t *testing.T) {
	_, r := streamed(t, "line", "{split: 1, work: 2}", one, "{}", func(w *workflow.Workflow) {
		items := &w.Functions[0].Outputs[0]
		items.Items, items.PostedAt = workflow.Constant(0), 0.5
	})
	var want [record.Phases]engine.Time
	want[record.Control], want[record.ColdStart], want[record.Compute] = 3*message+message, coldStart, 10*ms
	if got := r.invocations[0].Phases; got != want {
		t.Errorf("phases %v ns, by hand %v ns", got, want)
	}
}
