package sim_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// free overrides every cost of the profile ideal.
const free = "{network: {message: 0, link: unlimited}, store: {get: 0, put: 0}, memory: {bandwidth: unlimited}, container: {cold_start: 0}}"

func latencies(r *records) []engine.Time {
	all := make([]engine.Time, len(r.invocations))
	for _, i := range r.invocations {
		all[i.Number] = i.Latency()
	}
	return all
}

// TestWithoutContentionTheLatencyIsTheCriticalPath: when nothing costs
// anything but computing, and there are cores for all, an invocation takes
// its critical path, to the nanosecond. (All compute times are their means:
// the slowest of several instances would take longer than their mean.)
func TestWithoutContentionTheLatencyIsTheCriticalPath(t *testing.T) {
	for _, name := range benchmarks.Names() {
		p := plan(t, fmt.Sprintf(`
name: free
workflows: [%s]
cluster: {workers: 7, cores: 1000}
load: {arrivals: constant, rate: 1/min, limit: 3}
schedulers: [mastersp, faasflow, {preset: faasflow, placement: faasflow-improved}]
overrides: %s
`, name, free))
		w := p.Trial(0, 0).Workflows[0] // which the points share
		for i := range w.Functions {
			w.Functions[i].Compute = workflow.Constant(math.Round(w.Functions[i].Compute.Mean()))
		}
		_, critical := w.CriticalPath()
		for point := range p.Points {
			for i, got := range latencies(simulate(t, p, point)) {
				if want := engine.Time(math.Round(critical)); got != want {
					t.Errorf("%s under %s: invocation %d took %d ns, the critical path is %d ns", name, p.Points[point].Scheduler, i, got, want)
				}
			}
		}
	}
}

// scaled returns a scenario in which every time is k times as long and every
// rate as low, with the workflow written to match.
func scaled(t *testing.T, k int64) *scenarios.Plan {
	t.Helper()
	return plan(t, fmt.Sprintf(`
name: scaled
workflows: [scaled-%d.yaml]
cluster: {workers: 3, cores: 2, link: %dB/s, storage: {link: %dB/s}}
load: {arrivals: poisson, rate: %v/s, limit: 300}
schedulers: [mastersp, faasflow]
overrides:
  network: {message: %dus}
  store: {get: %dus, put: %dus}
  memory: {bandwidth: %dB/s}
  container: {cold_start: %dms, keep_alive: %ds}
  engine: {event: %dus, receive: %dus, send: %dus}
`, k, 80_000_000/k, 40_000_000/k, 2/float64(k), 100*k, 1000*k, 2000*k, 400_000_000/k, 100*k, 30*k, 100*k, 200*k, 300*k))
}

// TestScalingAllTimesScalesTheLatencies: four times slower in everything is
// four times slower in the end. A transfer is rounded up to a nanosecond, so
// a latency may be off by a few for each transfer that it had to wait for.
func TestScalingAllTimesScalesTheLatencies(t *testing.T) {
	const k = 4
	once, scaledUp := scaled(t, 1), scaled(t, k)
	for point := range once.Points {
		fast, slow := latencies(simulate(t, once, point)), latencies(simulate(t, scaledUp, point))
		for i := range fast {
			if off := float64(slow[i] - k*fast[i]); math.Abs(off) > 1000+1e-6*float64(slow[i]) {
				t.Fatalf("%s: invocation %d takes %d ns, and %d ns with all times %d-fold", once.Points[point].Scheduler, i, fast[i], slow[i], k)
			}
		}
	}
}

// TestAFreeNetworkMakesTheSchemesConverge: where messages, transfers and
// engines cost nothing, it does not matter who triggers.
func TestAFreeNetworkMakesTheSchemesConverge(t *testing.T) {
	for _, name := range benchmarks.Names() {
		p := plan(t, fmt.Sprintf(`
name: converge
workflows: [%s]
cluster: {workers: 3, cores: 2}
load: {arrivals: poisson, rate: 6/min, limit: 20}
schedulers: ["mastersp+hash+remote", "workersp+hash+remote"]
overrides: %s
`, name, strings.Replace(free, "cold_start: 0", "cold_start: 100ms", 1)))
		master, workers := latencies(simulate(t, p, 0)), latencies(simulate(t, p, 1))
		if !slices.Equal(master, workers) {
			t.Errorf("%s: latencies under MasterSP\n%v ns\nunder WorkerSP\n%v ns", name, master, workers)
		}
	}
}

// TestNodeNamesDoNotMatter: the same placement on workers of other numbers
// gives the same latencies.
func TestNodeNamesDoNotMatter(t *testing.T) {
	run := func(control, table string) []engine.Time {
		return latencies(simulate(t, plan(t, fmt.Sprintf(`
name: names
workflows: [diamond.yaml]
cluster: {workers: 3}
load: {arrivals: poisson, rate: 5/s, limit: 200}
schedulers: [{name: s, control: %s, placement: explicit, data: faastore, table: {diamond: %s}}]
overrides: {engine: {event: 1ms, receive: 1ms, send: 1ms}}
`, control, table)), 0))
	}
	for _, control := range []string{"mastersp", "workersp"} {
		a := run(control, "{a: 1, b: 1, c: 2, d: 3}")
		b := run(control, "{a: 3, b: 3, c: 1, d: 2}")
		if !slices.Equal(a, b) {
			t.Errorf("%s: the latencies change with the names of the workers", control)
		}
	}
}

// TestLittlesLaw: the mean number under way is the rate times the mean
// latency, and nothing gets lost, at moderate load and beyond saturation.
func TestLittlesLaw(t *testing.T) {
	for _, rate := range []int{2, 20} {
		p := plan(t, fmt.Sprintf(`
name: little
workflows: [faasflow/wordcount]
cluster: {workers: 2, cores: 1}
load: {arrivals: poisson, rate: %d/s, duration: 200s}
schedulers: [mastersp, faasflow]
timeout: 100s
`, rate))
		for point := range p.Points {
			r := simulate(t, p, point)
			var inSystem, first, last float64
			for i := range r.invocations {
				inSystem += float64(r.invocations[i].Latency())
				last = max(last, float64(r.invocations[i].Ended))
				if i == 0 || float64(r.invocations[i].Intended) < first {
					first = float64(r.invocations[i].Intended)
				}
			}
			n := float64(len(r.invocations))
			// The time integral of the number under way, counted from the
			// events in time order, is the sum of the latencies.
			if integral := underWay(r); math.Abs(integral/inSystem-1) > 1e-9 {
				t.Errorf("%s at %d/s: mean number under way %.6g, rate × latency %.6g", p.Points[point].Scheduler, rate,
					integral/(last-first), n/(last-first)*inSystem/n)
			}
			numbers := map[int64]bool{}
			for _, i := range r.invocations {
				if numbers[i.Number] {
					t.Fatalf("invocation %d ended twice", i.Number)
				}
				numbers[i.Number] = true
			}
		}
	}
}

func underWay(r *records) float64 {
	type step struct {
		at    engine.Time
		delta int
	}
	var steps []step
	for _, i := range r.invocations {
		steps = append(steps, step{i.Intended, 1}, step{i.Ended, -1})
	}
	slices.SortFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	integral, n := 0.0, 0
	for k, s := range steps {
		if k > 0 {
			integral += float64(n) * float64(s.at-steps[k-1].at)
		}
		n += s.delta
	}
	return integral
}

// TestTasksAreConserved: every function instance runs once in every
// invocation that completes, under every scheduler.
func TestTasksAreConserved(t *testing.T) {
	for _, name := range benchmarks.Names() {
		w, err := benchmarks.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		taken := takenBranches(w)
		for f := range w.Functions {
			if w.Functions[f].Kind == workflow.Task && taken[f] {
				want += w.Instances(w.Functions[f].Scope)
			}
		}
		p := plan(t, fmt.Sprintf("name: tasks\nworkflows: [%s]\nload: {clients: 2, limit: 6}\nschedulers: [mastersp, faasflow]\n", name))
		for point := range p.Points {
			for _, i := range simulate(t, p, point).invocations {
				if float64(i.Tasks) != want {
					t.Errorf("%s under %s: invocation %d ran %d function instances, it has %v", name, p.Points[point].Scheduler, i.Number, i.Tasks, want)
				}
			}
		}
	}
}

// takenBranches tells which functions run when every switch takes its most
// probable branch.
func takenBranches(w *workflow.Workflow) []bool {
	runs := make([]bool, len(w.Functions))
	for _, f := range w.Order {
		if len(w.Functions[f].After) == 0 {
			runs[f] = true
		}
		for _, p := range w.Functions[f].After {
			if !runs[p] {
				continue
			}
			if w.Functions[p].Kind != workflow.Switch {
				runs[f] = true
				continue
			}
			for _, b := range w.Functions[p].Branches {
				runs[f] = runs[f] || b.Probability == 1 && slices.Contains(b.To, f)
			}
		}
	}
	return runs
}
