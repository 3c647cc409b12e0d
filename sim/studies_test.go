package sim_test

import (
	"math"
	"slices"
	"testing"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// The studies that ship with flowtwin show what they say they show.

// study reads a scenario that ships with flowtwin.
func study(t *testing.T, name string, settings ...string) *scenarios.Plan {
	t.Helper()
	p, err := scenarios.Load(name, scenarios.Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// point finds a point by its scheduler and the values of the axes.
func point(t *testing.T, p *scenarios.Plan, scheduler string, values ...string) int {
	t.Helper()
	for i, point := range p.Points {
		if point.Scheduler == scheduler && slices.Equal(point.Values, values) {
			return i
		}
	}
	t.Fatalf("there is no point %s %v", scheduler, values)
	return 0
}

// measured runs a point and returns the invocations that count, all of which
// must have completed.
func measured(t *testing.T, p *scenarios.Plan, point int) []record.Invocation {
	t.Helper()
	var all []record.Invocation
	for _, i := range simulate(t, p, point).invocations {
		if i.Outcome != engine.Completed {
			t.Fatalf("invocation %d of point %d ended as %v", i.Number, point, i.Outcome)
		}
		if i.Measured {
			all = append(all, i)
		}
	}
	if len(all) < 10 {
		t.Fatalf("point %d has only %d invocations to measure", point, len(all))
	}
	return all
}

// mean is the mean of a metric over invocations.
func mean(invocations []record.Invocation, metric func(*record.Invocation) float64) float64 {
	sum := 0.0
	for i := range invocations {
		sum += metric(&invocations[i])
	}
	return sum / float64(len(invocations))
}

func latency(i *record.Invocation) float64 { return float64(i.Latency()) / 1e9 }

func schedulingOverhead(i *record.Invocation) float64 {
	return float64(i.Latency()-i.CriticalTime) / 1e9
}

// At 50 MB/s genome under MasterSP is dominated by write conflicts: a document
// for each key, in place of one for each request, takes off 40 % or more.
func TestWriteConflictsDominateGenomeUnderMasterSP(t *testing.T) {
	p := study(t, "studies/write-conflicts")
	one := measured(t, p, point(t, p, "mastersp", "one document per request"))
	each := measured(t, p, point(t, p, "mastersp", "a document for each key"))
	before, after := mean(one, latency), mean(each, latency)
	saved := 1 - after/before
	t.Logf("mean latency %.2f s with one document per request, %.2f s with one for each key: %.1f %% less", before, after, 100*saved)
	if saved < 0.4 {
		t.Errorf("the conflicts cost %.1f %% of the latency, want 40 %% or more", 100*saved)
	}
	conflicts := func(i *record.Invocation) float64 { return float64(i.Conflicts) }
	if mean(one, conflicts) == 0 || mean(each, conflicts) != 0 {
		t.Errorf("%v conflicts with one document, %v with one for each key", mean(one, conflicts), mean(each, conflicts))
	}
}

// FaaSFlow's partition merges along the critical path only, and stops when that
// is in one group. In genome this leaves the functions apart that nearly all
// bytes come from: about 97 % of what is read stays remote.
func TestFaaSFlowsPartitionLeavesGenomesReadsRemote(t *testing.T) {
	p := study(t, "studies/partition-locality")
	remote := func(scheduler string) float64 {
		invocations := measured(t, p, point(t, p, scheduler))
		far := mean(invocations, func(i *record.Invocation) float64 { return float64(i.RemoteRead) })
		near := mean(invocations, func(i *record.Invocation) float64 { return float64(i.LocalRead) })
		t.Logf("%s reads %.1f %% of %.1f MB from the remote store", scheduler, 100*far/(far+near), (far+near)/1e6)
		return far / (far + near)
	}
	if share := remote("hash"); share != 1 {
		t.Errorf("without FaaStore %v of the bytes are read remotely, want all", share)
	}
	artefact, improved := remote("faasflow"), remote("faasflow-improved")
	if artefact < 0.96 || artefact > 0.98 {
		t.Errorf("FaaSFlow's partition leaves %.1f %% of the bytes remote, want about 97 %%", 100*artefact)
	}
	if improved > artefact/2 {
		t.Errorf("the improved partition leaves %.1f %% of the bytes remote, want less than half of the artefact's %.1f %%", 100*improved, 100*artefact)
	}
}

// Neither paper's system is the fastest for DataFlower's four workflows on its
// testbed: that is DataFlower's control and data path with FaaSFlow's placement,
// which keeps together what its own tables take apart. Who triggers matters
// little beside where functions run and how data travel.
func TestTheFastestOfTheAblationIsInNeitherPaper(t *testing.T) {
	p := study(t, "studies/ablation", "load={clients: 1, limit: 12, warmup_count: 2}")
	for _, alone := range p.Scenario.Axes[0].Values {
		fastest, best := "", math.Inf(1)
		longest, triggers := 0.0, 1.0
		for _, placement := range p.Scenario.Axes[1].Values {
			for _, data := range p.Scenario.Axes[2].Values {
				least, most := math.Inf(1), 0.0
				for _, control := range []string{"mastersp", "workersp", "dataflower"} {
					l := mean(measured(t, p, point(t, p, control, alone.Label, placement.Label, data.Label)), latency)
					if least, most = min(least, l), max(most, l); l < best {
						fastest, best = control+"+"+placement.Label+"+"+data.Label, l
					}
				}
				triggers, longest = max(triggers, most/least), max(longest, most)
			}
		}
		t.Logf("%-10s %s is the fastest, %.2f times as fast as the slowest; who triggers makes a factor of up to %.2f", alone.Label, fastest, longest/best, triggers)
		if fastest != "dataflower+faasflow+pipe" || triggers > 1.2 || longest/best < triggers {
			t.Errorf("%s: %s is the fastest, a factor of %.2f is due to who triggers, %.2f to all", alone.Label, fastest, triggers, longest/best)
		}
	}
}

// With placement and data path equal, workers that trigger each other have
// less scheduling overhead than a master, on all eight workflows.
func TestWorkerSPHasLessSchedulingOverheadThanMasterSPOnAllWorkflows(t *testing.T) {
	p := study(t, "studies/control")
	if n := len(p.Scenario.Axes[0].Values); n != 8 {
		t.Fatalf("the study has %d workflows", n)
	}
	for _, value := range p.Scenario.Axes[0].Values {
		master := mean(measured(t, p, point(t, p, "mastersp", value.Label)), schedulingOverhead)
		worker := mean(measured(t, p, point(t, p, "workersp", value.Label)), schedulingOverhead)
		t.Logf("%-24s mastersp %6.1f ms, workersp %6.1f ms", value.Label, 1e3*master, 1e3*worker)
		if worker <= 0 || worker >= master {
			t.Errorf("%s: the scheduling overhead is %v s under WorkerSP, %v s under MasterSP", value.Label, worker, master)
		}
	}
}

// Clients of a closed loop start one stagger after the other, counted over all
// workflows, and send their next invocation when the last has ended; until
// their time is over, each from its own start.
func TestClientsStartOneAfterTheOther(t *testing.T) {
	const stagger, duration = 3 * 1000 * ms, 8 * 1000 * ms
	for name, load := range map[string]string{
		"until their time is over": "{clients: 2, stagger: 3s, duration: 8s, at_least: 1}",
		"until the limit":          "{clients: 2, stagger: 3s, limit: 200}",
	} {
		p := plan(t, "name: s\nworkflows: [chain.yaml, {use: chain.yaml, name: other}]\nschedulers: [faasflow]\nload: "+load+"\n")
		type client struct{ workflow, client int }
		first, last := map[client]engine.Time{}, map[client]record.Invocation{}
		counts := map[int]int{}
		for _, i := range simulate(t, p, 0).invocations {
			c := client{i.Workflow, i.Client}
			if before, later := last[c]; !later {
				first[c] = i.Intended
			} else if i.Intended != before.Ended {
				t.Fatalf("%s: client %v sends at %d ns what should follow the end at %d ns", name, c, i.Intended, before.Ended)
			}
			last[c] = i
			counts[i.Workflow]++
		}
		for number, c := range []client{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
			start := engine.Time(number) * stagger
			if at, ok := first[c]; !ok || at != start {
				t.Errorf("%s: client %d starts at %d ns (%v), want %d", name, number, at, ok, start)
			}
			if end := start + duration; name == "until their time is over" && (last[c].Intended >= end || last[c].Ended < end) {
				t.Errorf("%s: client %d sends its last at %d ns, which ends at %d ns; its time is over at %d ns", name, number, last[c].Intended, last[c].Ended, end)
			}
		}
		if name == "until the limit" && (counts[0] != 200 || counts[1] != 200) {
			t.Errorf("%s: %v invocations", name, counts)
		}
	}
}
