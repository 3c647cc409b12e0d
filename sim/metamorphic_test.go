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
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// free overrides every cost of the profile ideal.
const free = "{network: {message: 0, link: unlimited}, store: {get: 0, put: 0}, " + freeData + ", container: {cold_start: 0}}"

// freeData makes nothing of what data cost but the link and the store. Containers
// must not be held back, as that does not look at how fast they really send.
const freeData = "memory: {bandwidth: unlimited}, disk: {bandwidth: unlimited}, pressure: {enabled: false}"

// pairs are all combinations of control and data, with one placement.
func pairs(placement string) []string {
	var all []string
	for _, control := range []string{"mastersp", "workersp", "dataflower"} {
		for _, data := range []string{"remote", "faastore", "pipe"} {
			all = append(all, control+"+"+placement+"+"+data)
		}
	}
	return all
}

// allPairs lists them as a scenario does.
func allPairs(placement string) string { return "[" + strings.Join(pairs(placement), ", ") + "]" }

func latencies(r *records) []engine.Time {
	all := make([]engine.Time, len(r.invocations))
	for _, i := range r.invocations {
		all[i.Number] = i.Latency()
	}
	return all
}

// TestWithoutContentionTheLatencyIsTheCriticalPath: when nothing costs
// anything but computing, and there are cores for all, an invocation takes
// its critical path, to the nanosecond, whoever triggers and wherever data go.
// (All compute times are their means: the slowest of several instances would take
// longer than their mean.) The critical path is one of ends: what is posted
// before the end shortens it where data trigger.
func TestWithoutContentionTheLatencyIsTheCriticalPath(t *testing.T) {
	for _, name := range benchmarks.Names() {
		p := plan(t, fmt.Sprintf(`
name: free
workflows: [%s]
cluster: {workers: 7, cores: 1000}
load: {arrivals: constant, rate: 1/min, limit: 3}
schedulers: [mastersp, faasflow, {preset: faasflow, placement: faasflow-improved}, %s]
overrides: %s
`, name, strings.Join(pairs("spread"), ", "), free))
		w := p.Trial(0, 0).Workflows[0] // which the points share
		for i := range w.Functions {
			w.Functions[i].Compute = workflow.Constant(math.Round(w.Functions[i].Compute.Mean()))
		}
		_, critical := w.CriticalPath()
		want := engine.Time(math.Round(critical))
		check := func(driven, others engine.Time) {
			for point := range p.Points {
				want := others
				if strings.HasPrefix(p.Points[point].Scheduler, "dataflower") {
					want = driven
				}
				for i, got := range latencies(simulate(t, p, point)) {
					if got != want {
						t.Errorf("%s under %s: invocation %d took %d ns, by hand %d ns", name, p.Points[point].Scheduler, i, got, want)
					}
				}
			}
		}
		if name == "dataflower/video" {
			// split, on the critical path, posts the pieces after 59 % of its time.
			// (upload posts the film early too, but split waits for what comes last.)
			split := slices.IndexFunc(w.Functions, func(f workflow.Function) bool { return f.Name == "split" })
			check(want-engine.Time(math.Round(0.41*w.Functions[split].Compute.Mean())), want)
		}
		for i := range w.Functions {
			for o := range w.Functions[i].Outputs {
				w.Functions[i].Outputs[o].PostedAt = 1
			}
		}
		check(want, want)
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
schedulers: [mastersp, faasflow, %s]
overrides:
  network: {message: %dus}
  store: {get: %dus, put: %dus}
  memory: {bandwidth: %dB/s, get: %dus, put: %dus, lifetime: %dms}
  broker: {append: %dus, get: %dus, consumer_setup: %dus}
  disk: {bandwidth: %dB/s, get: %dus}
  pressure: {rate: %dB/s, least: %dms}
  container: {cold_start: %dms, keep_alive: %ds, start: %dus, cleanup: %dus, notify: %dus, egress: %dB/s, cpu_period: %dms}
  engine: {event: %dus, receive: %dus, send: %dus}
`, k, 80_000_000/k, 40_000_000/k, 2/float64(k), strings.Join(pairs("spread"), ", "),
		100*k, 1000*k, 2000*k,
		400_000_000/k, 50*k, 70*k, 100*k,
		300*k, 200*k, 400*k,
		200_000_000/k, 100*k,
		40_000_000/k, 5*k,
		100*k, 30*k, 80*k, 60*k, 20*k, 60_000_000/k, 100*k,
		100*k, 200*k, 300*k))
}

// TestScalingAllTimesScalesTheLatencies: four times slower in everything is
// four times slower in the end. A transfer is rounded up to a nanosecond, so
// a latency may be off by a few for each transfer that it had to wait for, and
// by some more where two events come so close that their order changes. On
// average it is off by less than the shortest time that is scaled.
func TestScalingAllTimesScalesTheLatencies(t *testing.T) {
	const k = 4
	once, scaledUp := scaled(t, 1), scaled(t, k)
	for point := range once.Points {
		fast, slow := latencies(simulate(t, once, point)), latencies(simulate(t, scaledUp, point))
		share, sum := 1e-6, 0.0
		if strings.Contains(once.Points[point].Scheduler, "+spread+") {
			share = 1e-5 // Here is where events come so close.
		}
		for i := range fast {
			off := math.Abs(float64(slow[i] - k*fast[i]))
			if off > 1000+share*float64(slow[i]) {
				t.Errorf("%s: invocation %d takes %d ns, and %d ns with all times %d-fold", once.Points[point].Scheduler, i, fast[i], slow[i], k)
				break
			}
			sum += off
		}
		if mean := sum / float64(len(fast)); mean > 1000 {
			t.Errorf("%s: with all times %d-fold, latencies are off by %.0f ns on average", once.Points[point].Scheduler, k, mean)
		}
	}
}

// TestAFreeNetworkMakesTheSchemesConverge: where messages, transfers and
// engines cost nothing, it does not matter who triggers, nor where data go, as
// long as all is posted at the end.
func TestAFreeNetworkMakesTheSchemesConverge(t *testing.T) {
	for _, name := range benchmarks.Names() {
		p := plan(t, fmt.Sprintf(`
name: converge
workflows: [%s]
cluster: {workers: 3, cores: 2}
load: {arrivals: poisson, rate: 6/min, limit: 20}
schedulers: %s
overrides: %s
`, name, allPairs("hash"), strings.Replace(free, "cold_start: 0", "cold_start: 100ms", 1)))
		w := p.Trial(0, 0).Workflows[0]
		for i := range w.Functions {
			for o := range w.Functions[i].Outputs {
				w.Functions[i].Outputs[o].PostedAt = 1
			}
		}
		first := latencies(simulate(t, p, 0))
		for point := range p.Points {
			if got := latencies(simulate(t, p, point)); !slices.Equal(first, got) {
				t.Errorf("%s: latencies under %s\n%v ns\nunder %s\n%v ns", name, p.Points[0].Scheduler, first, p.Points[point].Scheduler, got)
			}
		}
	}
}

// TestFreeDataNeedNoPipe: through links without limits, a datum is there as soon
// as the message that announces it. Whoever is triggered elsewhere is so by a
// message at least, and under data-driven control by that very message. So what
// is streamed comes no sooner than what goes through a store that costs nothing,
// and no later, whatever messages cost.
func TestFreeDataNeedNoPipe(t *testing.T) {
	for _, name := range benchmarks.Names() {
		for _, message := range []string{"0", "1ms", "30ms"} {
			p := plan(t, fmt.Sprintf(`
name: pipe
workflows: [%s]
cluster: {workers: 3, cores: 2}
load: {arrivals: poisson, rate: 6/min, limit: 20}
schedulers: %s
overrides: {network: {message: %s, link: unlimited}, store: {get: 0, put: 0}, %s}
`, name, allPairs("spread"), message, freeData))
			for point := 0; point < len(p.Points); point += 3 { // remote, faastore, pipe
				remote, pipe := latencies(simulate(t, p, point)), latencies(simulate(t, p, point+2))
				if !slices.Equal(remote, pipe) {
					t.Errorf("%s, messages of %s: latencies under %s\n%v ns\nunder %s\n%v ns", name, message, p.Points[point].Scheduler, remote, p.Points[point+2].Scheduler, pipe)
				}
			}
		}
	}
}

// TestMessagesOrderTheSchemesInAChain: with streamed data and messages that cost,
// a chain gets to its end later under the master than under the workers, as the
// master takes two messages where they take one at most. What DataFlower says
// before the first function, two messages, is all that it can be behind them, as
// a datum is never later than its function's end and a message.
//
// That is the end of the last function. The answer takes two messages under the
// master, and under the workers one for each call that left a node, so over many
// nodes they can be behind after all.
func TestMessagesOrderTheSchemesInAChain(t *testing.T) {
	const sent = 3
	for _, table := range []string{"{a: 1, b: 1, c: 1}", "{a: 1, b: 2, c: 2}", "{a: 1, b: 2, c: 3}", "{a: 3, b: 2, c: 3}"} {
		for _, message := range []engine.Time{0, ms / 10, 3 * ms, 40 * ms} {
			for _, egress := range []string{"unlimited", "10MB/s"} {
				var ends [3][]engine.Time // of c, after the arrival
				for i, control := range []string{"mastersp", "workersp", "dataflower"} {
					p := plan(t, fmt.Sprintf(`
name: chain
workflows: [chain.yaml]
cluster: {workers: 3}
load: {arrivals: constant, rate: 1/min, limit: %d}
schedulers: [%s]
overrides: {network: {message: %dns}, container: {egress: %s}}
`, sent, placed(control, "pipe", "chain", table), message, egress))
					r := simulate(t, p, 0)
					for n := range r.invocations {
						ends[i] = append(ends[i], r.of(t, p, int64(n), "c").Ended-r.invocations[n].Intended)
					}
				}
				for n := range sent {
					master, workers, flower := ends[0][n], ends[1][n], ends[2][n]
					what := fmt.Sprintf("%s, messages of %d ns, egress %s, invocation %d", table, message, egress, n)
					if master < workers+message {
						t.Errorf("%s: c ends after %d ns under the master, after %d ns under the workers", what, master, workers)
					}
					if flower > workers+2*message {
						t.Errorf("%s: c ends after %d ns under DataFlower, after %d ns under the workers", what, flower, workers)
					}
				}
			}
		}
	}
}

// TestNodeNamesDoNotMatter: the same placement on workers of other numbers
// gives the same latencies.
func TestNodeNamesDoNotMatter(t *testing.T) {
	run := func(control, data, table string) []engine.Time {
		return latencies(simulate(t, plan(t, fmt.Sprintf(`
name: names
workflows: [diamond.yaml]
cluster: {workers: 3}
load: {arrivals: poisson, rate: 5/s, limit: 200}
schedulers: [%s]
overrides: {engine: {event: 1ms, receive: 1ms, send: 1ms}}
`, placed(control, data, "diamond", table))), 0))
	}
	for _, control := range []string{"mastersp", "workersp", "dataflower"} {
		for _, data := range []string{"remote", "faastore", "pipe"} {
			a := run(control, data, "{a: 1, b: 1, c: 2, d: 3}")
			b := run(control, data, "{a: 3, b: 3, c: 1, d: 2}")
			if !slices.Equal(a, b) {
				t.Errorf("%s+%s: the latencies change with the names of the workers", control, data)
			}
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
schedulers: [mastersp, faasflow, %s]
timeout: 100s
`, rate, strings.Join(pairs("spread"), ", ")))
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
		p := plan(t, fmt.Sprintf("name: tasks\nworkflows: [%s]\nload: {clients: 2, limit: 6}\nschedulers: %s\n", name, allPairs("spread")))
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

// traffic is what an invocation moves, in bytes.
type traffic struct{ written, read, localWritten, localRead int64 }

// TestBytesAreConserved: what an invocation moves follows from who reads what
// where. Through the store, a datum is put once and fetched by each reader. Under
// FaaStore each reader fetches it, too, be it from the store or from memory. A
// datum that is streamed is sent once to the broker and fetched once by each node
// that reads it, however many read it there; readers on its own node have it from
// memory, each for itself, where also a result stays; what is short goes inline.
func TestBytesAreConserved(t *testing.T) {
	for _, name := range append(benchmarks.Names(), "chain.yaml", "diamond.yaml", "foreach.yaml", "inline.yaml") {
		p := plan(t, fmt.Sprintf("name: bytes\nworkflows: [%s]\ncluster: {workers: 3}\nload: {clients: 1, limit: 2}\nschedulers: %s\n", name, allPairs("spread")))
		w := p.Trial(0, 0).Workflows[0]
		if slices.ContainsFunc(w.Functions, func(f workflow.Function) bool { return f.Kind == workflow.Switch }) {
			continue // What is streamed for a branch that is not taken is sent and not read.
		}
		for point := range p.Points {
			scheduler := p.Points[point].Scheduler
			r := simulate(t, p, point)
			var stored, streamed traffic
			fetched := int64(0)
			for _, d := range movedData(w, r.tasks) {
				stored.written += d.bytes
				stored.read += d.bytes * int64(d.near+d.far)
				fetched += d.bytes * int64(d.near+d.far)
				if d.bytes <= 16*1024 {
					continue
				}
				if d.nodes > 0 {
					streamed.written += d.bytes
					streamed.read += d.bytes * int64(d.nodes)
				}
				if d.near > 0 || d.far == 0 {
					streamed.localWritten += d.bytes
					streamed.localRead += d.bytes * int64(d.near)
				}
			}
			for _, f := range w.Functions {
				for _, in := range f.Inputs {
					if in.From == workflow.GlobalInput {
						bytes := in.Size * int64(w.Instances(f.Scope))
						stored.read, streamed.read, fetched = stored.read+bytes, streamed.read+bytes, fetched+bytes
					}
				}
			}
			for _, i := range r.invocations {
				got := traffic{i.RemoteWritten, i.RemoteRead, i.LocalWritten, i.LocalRead}
				what := fmt.Sprintf("%s under %s: invocation %d moved %+v", name, scheduler, i.Number, got)
				switch {
				case strings.HasSuffix(scheduler, "remote"):
					if got != stored {
						t.Errorf("%s, by hand %+v", what, stored)
					}
				case strings.HasSuffix(scheduler, "faastore"):
					if got.read+got.localRead != fetched || got.written+got.localWritten < stored.written {
						t.Errorf("%s; %d bytes are read and at least %d written", what, fetched, stored.written)
					}
				default:
					if got != streamed {
						t.Errorf("%s, by hand %+v", what, streamed)
					}
				}
			}
		}
	}
}

// movedDatum is an output of a task, or an item of a list.
type movedDatum struct {
	bytes     int64
	near, far int // tasks that read it, on its own node and on others
	nodes     int // those others
}

// movedData lists the data of the first invocation by what its tasks read. A task
// reads of a list what lies on its own path, which for a task in the foreach is
// one item, and for one outside all of them.
func movedData(w *workflow.Workflow, tasks []record.Task) []movedDatum {
	var all []movedDatum
	for i := range tasks {
		producer := &tasks[i]
		if producer.Number != 0 {
			continue
		}
		for o := range w.Functions[producer.Function].Outputs {
			output := &w.Functions[producer.Function].Outputs[o]
			paths := []workflow.Path{producer.Path}
			if output.List {
				paths = nil
				for item, n := uint32(0), uint32(output.Items.Mean()); item < n; item++ {
					paths = append(paths, producer.Path.Item(item, n))
				}
			}
			for _, path := range paths {
				d := movedDatum{bytes: int64(math.Round(output.Size.Quantile(0.5, path.Last().Index)))}
				nodes := map[engine.NodeID]bool{}
				for k := range tasks {
					reader := &tasks[k]
					depth := min(path.Depth(), reader.Path.Depth())
					reads := slices.ContainsFunc(w.Functions[reader.Function].Inputs, func(in workflow.Input) bool {
						return in.From == producer.Function && in.Output == int32(o)
					})
					switch {
					case reader.Number != 0 || !reads || path.Outer(depth) != reader.Path.Outer(depth):
					case reader.Node == producer.Node:
						d.near++
					default:
						d.far++
						nodes[reader.Node] = true
					}
				}
				d.nodes = len(nodes)
				all = append(all, d)
			}
		}
	}
	return all
}
