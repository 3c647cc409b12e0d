package scenarios_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/load"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

func must(t testing.TB, text string, settings ...string) *scenarios.Plan {
	t.Helper()
	p, err := parse(text, settings...)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func TestEveryShippedScenarioIsWithoutMistakes(t *testing.T) {
	names := scenarios.ShippedNames()
	for _, want := range []string{
		"quickstart", "faasflow/scheduling-overhead", "faasflow/data-overhead", "faasflow/latency", "faasflow/colocation", "faasflow/tail-latency",
		"faasflow/rate-bandwidth", "faasflow/partition-cost", "studies/control", "studies/partition-locality", "studies/write-conflicts",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no scenario %s", want)
		}
	}
	for _, name := range names {
		p, err := scenarios.Load(name, scenarios.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Scenario.Name != filepath.Base(name) || p.Scenario.Title == "" || len(p.Scenario.Figures) == 0 {
			t.Errorf("%s is called %q, has the title %q and %d figures", name, p.Scenario.Name, p.Scenario.Title, len(p.Scenario.Figures))
		}
	}
}

func TestEveryCombinationOfAxisValuesIsAPointForEachScheduler(t *testing.T) {
	p := must(t, with("schedulers: [mastersp, faasflow]", "axes: {cluster.workers: [2, 3], size: {small: {load.limit: 1, timeout: 1s}, large: {load.limit: 2}}}"))
	var got []string
	for i, point := range p.Points {
		trial := p.Trial(i, 0)
		got = append(got, fmt.Sprintf("%d %s %s: %d workers, limit %d, timeout %v", point.Index, point.Scheduler, strings.Join(point.Values, " "),
			len(trial.Cluster.Workers), trial.Loads[0].Limit, trial.Profile.Invocation.Timeout))
	}
	want := []string{
		"0 mastersp 2 small: 2 workers, limit 1, timeout 1s",
		"1 faasflow 2 small: 2 workers, limit 1, timeout 1s",
		"2 mastersp 2 large: 2 workers, limit 2, timeout 0s",
		"3 faasflow 2 large: 2 workers, limit 2, timeout 0s",
		"4 mastersp 3 small: 3 workers, limit 1, timeout 1s",
		"5 faasflow 3 small: 3 workers, limit 1, timeout 1s",
		"6 mastersp 3 large: 3 workers, limit 2, timeout 0s",
		"7 faasflow 3 large: 3 workers, limit 2, timeout 0s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"cluster.workers", "size"}; !slices.Equal(p.Axes, want) {
		t.Errorf("the axes are %v", p.Axes)
	}
}

func TestWhatAScenarioLeavesOut(t *testing.T) {
	trial := must(t, sensible).Trial(0, 0)
	c := trial.Cluster
	worker := scenarios.Machine{Cores: 8, Memory: 32 * units.GiB, Link: 125 * units.Bandwidth(units.MB)}
	other := scenarios.Machine{Cores: 16, Memory: 64 * units.GiB, Link: worker.Link}
	if len(c.Workers) != 7 || c.Workers[6] != worker || c.Gateway != other || c.Storage != other || c.StorageCap != 0 || c.HostCores != 0 {
		t.Errorf("the cluster is %+v", c)
	}
	if trial.Profile.Name != "ideal" || trial.Scheduler.Name != "faasflow" || trial.Workflows[0].Name != "faasflow/wordcount" {
		t.Errorf("%s on %s under %s", trial.Workflows[0].Name, trial.Profile.Name, trial.Scheduler.Name)
	}
}

func TestMachinesThatDiffer(t *testing.T) {
	c := must(t, with(`cluster: {cores: 4, link: 1Gbit/s, workers: [{count: 2}, {cores: 0.5, memory: 1GiB, link: 10MB/s}], storage: {link: 50MB/s, cap: 60MB/s}, gateway: {cores: 2}}`)).Trial(0, 0).Cluster
	got := fmt.Sprint(c.Workers, c.Gateway, c.Storage, c.StorageCap)
	want := "[{4 32GiB 125MB/s} {4 32GiB 125MB/s} {0.5 1GiB 10MB/s}] {2 64GiB 125MB/s} {16 64GiB 50MB/s} 60MB/s"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAWorkflowMayHaveANameAndALoadOfItsOwn(t *testing.T) {
	trial := must(t, with("workflows: [faasflow/video, {use: faasflow/video, name: v, load: {clients: 3, limit: 9}}]", "load: {clients: 2, stagger: 5s, limit: 10}")).Trial(0, 0)
	first, second := trial.Loads[0], trial.Loads[1]
	if trial.Workflows[0].Name != "faasflow/video" || trial.Workflows[1].Name != "v" {
		t.Errorf("they are called %s and %s", trial.Workflows[0].Name, trial.Workflows[1].Name)
	}
	// Clients are staggered over all workflows: the second one's first client
	// is the third of all.
	if first.Clients != 2 || first.First != 0 || first.Limit != 10 || second.Clients != 3 || second.First != 10e9 || second.Stagger != 5e9 || second.Limit != 9 {
		t.Errorf("loads %+v and %+v", first, second)
	}
}

func TestLoadsBecomePlans(t *testing.T) {
	for text, want := range map[string]load.Plan{
		"{arrivals: constant, rate: 60/min, duration: 5s, warmup: 1s}": {
			Process: load.Process{Steps: []load.Step{{Rate: 1}}}, Until: 5e9, Warmup: 1e9,
		},
		"{arrivals: poisson, rate: 1/s, duration: 1min, burst: {at: 2s, for: 3s, rate: 9/s, every: 10s}}": {
			Process: load.Process{Spacing: load.Poisson, Steps: []load.Step{{Rate: 1, For: 2e9}, {Rate: 9, For: 3e9}, {Rate: 1, For: 5e9}}, Repeat: true}, Until: 60e9,
		},
		"{arrivals: constant, rate: 3/s, limit: 7, ramp: [{rate: 1/s, for: 1s}, {rate: 2/s, for: 2s}]}": {
			Process: load.Process{Steps: []load.Step{{Rate: 1, For: 1e9}, {Rate: 2, For: 2e9}, {Rate: 3}}}, Until: 1<<63 - 1, AtLeast: 7, Limit: 7,
		},
		"{arrivals: constant, rate: 4/s, limit: 7, ramp: [{share: 25%, for: 1s}, {share: 0.5, for: 2s}, {rate: 0/s, for: 1s}]}": {
			Process: load.Process{Steps: []load.Step{{Rate: 1, For: 1e9}, {Rate: 2, For: 2e9}, {Rate: 0, For: 1e9}, {Rate: 4}}}, Until: 1<<63 - 1, AtLeast: 7, Limit: 7,
		},
		"{arrivals: trace, trace: trace.csv, warmup_count: 1}": {
			Process: load.Process{Trace: []int64{25e7, 50e7}}, Until: 1<<63 - 1, WarmupCount: 1, // In the order of time.
		},
		"{clients: 4, stagger: 2s, duration: 8s, at_least: 3}": {Clients: 4, Stagger: 2e9, Until: 8e9, AtLeast: 3},
		// Only the limit ends this one, so each client may go as far.
		"{clients: 4, limit: 100}": {Clients: 4, Until: 1<<63 - 1, AtLeast: 100, Limit: 100},
	} {
		if got := must(t, with("load: "+text)).Trial(0, 0).Loads[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", text, got, want)
		}
	}
}

func TestFaultsAreResolved(t *testing.T) {
	trial := must(t, with(`faults: [{at: 1s, kill: worker-2, for: 2s}, {at: 2s, partition: worker-1, from: [gateway, worker-3]}, {at: 3s, slow_link: storage, factor: 4}, `+
		`{at: 4s, stop_service: store}, {at: 5s, stop_service: worker-1}, {at: 6s, crash_function: "faasflow/wordcount:count"}, {at: 7s, pause: worker-7}]`)).Trial(0, 0)
	count, _ := trial.Workflows[0].Function("count")
	for i, want := range []scenarios.Fault{
		{Kind: scenarios.Kill, At: 1e9, For: 2e9, Node: scenarios.FirstWorker + 1, Factor: 10},
		{Kind: scenarios.Partition, At: 2e9, Node: scenarios.FirstWorker, Factor: 10},
		{Kind: scenarios.SlowLink, At: 3e9, Node: scenarios.StorageNode, Factor: 4},
		{Kind: scenarios.StopService, At: 4e9, Node: scenarios.StorageNode, Factor: 10},
		{Kind: scenarios.StopService, At: 5e9, Node: scenarios.FirstWorker, Factor: 10},
		{Kind: scenarios.CrashFunction, At: 6e9, Function: count, Factor: 10},
		{Kind: scenarios.Pause, At: 7e9, Node: scenarios.FirstWorker + 6, Factor: 10},
	} {
		got := trial.Faults[i]
		if i == 1 {
			if len(got.Peers) != 2 || !got.Cuts(scenarios.GatewayNode) || got.Cuts(scenarios.StorageNode) || !got.Cuts(scenarios.FirstWorker+2) {
				t.Errorf("the partition cuts off from %v", got.Peers)
			}
			got.Peers = nil
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("fault %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestSettingsReplaceValuesOfTheFile(t *testing.T) {
	p := must(t, with("axes: {timeout: [1s, 2s]}"), "load.limit=7", "cluster.workers=2", "axes.timeout=[3s]", "overrides.store.get=9ms", "profile=slow.yaml", "trials=3", "workflows[0]=chain.yaml")
	trial := p.Trial(0, 0)
	if len(p.Points) != 1 || p.Trials != 3 || trial.Loads[0].Limit != 7 || len(trial.Cluster.Workers) != 2 || trial.Workflows[0].Name != "chain" {
		t.Errorf("%d points of %d trials: %+v", len(p.Points), p.Trials, trial)
	}
	if c := trial.Profile; c.Store.Get != 9*units.Millisecond || c.Store.Put != 20*units.Millisecond || c.Invocation.Timeout != 3*units.Second {
		t.Errorf("profile %+v", c)
	}
}

func TestASettingThatAnAxisWouldUndoIsRefused(t *testing.T) {
	text := with("axes: {load.limit: [3, 4], limits: {tight: {timeout: 1s}}}")
	for setting, want := range map[string]string{
		"load.limit=5": `--set load.limit=5: the scenario varies load.limit, which would undo it: change the axis instead, with --set 'axes."load.limit"=[5]'`,
		"timeout=2s":   `--set timeout=2s: the scenario varies timeout, which would undo it: change the axis instead, with --set 'axes."timeout"=[2s]'`,
	} {
		if _, err := parse(text, setting); err == nil || err.Error() != want {
			t.Errorf("got:  %v\nwant: %s", err, want)
		}
	}
	must(t, text, "cluster.workers=2", `axes."load.limit"=[5]`)
}

func TestMistakesInSettings(t *testing.T) {
	for setting, want := range map[string]string{
		"load.limit":                  "--set load.limit: write path=value, such as load.rate=60/min",
		"load.limit=x":                `load.limit=x: load.limit: "x" is not a whole number`,
		"load.limt=5":                 `load.limt=5: load: unknown key "limt": did you mean "limit"?`,
		"load.limit.x=5":              `--set load.limit.x=5: load.limit is "10", not a mapping: it has no key "x"`,
		"workflows[1]=faasflow/video": "--set workflows[1]=faasflow/video: workflows has 1 items: there is no item [1]",
		"load=[1":                     "--set load=[1: load=[1:1:1: sequence end token ']' not found",
		"=5":                          "--set =5: the path is empty: name a key, such as load.rate",
		"cluster.workers=0":           "cluster.workers=0: cluster.workers: 0 workers: a cluster has between 1 and 10000",
		"overrides.store.get=2":       `overrides.store.get=2: store.get: "2": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`,
		// A key without quotes ends at the dot: the axis is called load.
		"axes.load.limit=[3, x]":   "axes.load.limit=[3, x]: axes.load.limit: a mapping is expected: the paths that limit sets, and their values",
		`axes."load.limit"=[3, x]`: `axes."load.limit"=[3, x]: load.limit: "x" is not a whole number`,
	} {
		if _, err := parse(sensible, setting); err == nil || err.Error() != want {
			t.Errorf("%s\ngot:  %v\nwant: %s", setting, err, want)
		}
	}
}

// Schedulers are compared in pairs: trials of one number have one seed at all
// points, and so the same arrivals.
func TestTrialsOfOneNumberMeetTheSameArrivals(t *testing.T) {
	p := must(t, with("load: {arrivals: poisson, rate: 60/min, limit: 50}", "schedulers: [mastersp, faasflow]", "axes: {cluster.workers: [2, 4]}", "trials: 2"))
	arrivals := func(point, number int) (times []int64) {
		trial := p.Trial(point, number)
		if trial.Point != point || trial.Number != number {
			t.Errorf("trial %d of point %d calls itself %d of %d", number, point, trial.Number, trial.Point)
		}
		next := trial.Loads[0].Arrivals(draw.New(trial.Seed), 0)
		for at, ok := next.Next(); ok; at, ok = next.Next() {
			times = append(times, at)
		}
		return times
	}
	first, second := arrivals(0, 0), arrivals(0, 1)
	if len(first) != 50 || slices.Equal(first, second) {
		t.Errorf("%d arrivals; those of two trials are equal: %v", len(first), slices.Equal(first, second))
	}
	for point := range p.Points {
		if !slices.Equal(arrivals(point, 0), first) || !slices.Equal(arrivals(point, 1), second) {
			t.Errorf("point %d has other arrivals", point)
		}
	}
	other := must(t, with("load: {arrivals: poisson, rate: 60/min, limit: 50}"), "seed=2").Trial(0, 0)
	if other.Seed == p.Trial(0, 0).Seed {
		t.Error("another seed makes no difference")
	}
}

// The hash of a plan tells whether an interrupted run can be finished: it
// changes with everything that the plan is made from, and with nothing else.
func TestTheHashIsThatOfTheScenarioAndAllFilesItNames(t *testing.T) {
	const scenario = "name: s\nworkflows: [w.yaml]\nload: {arrivals: trace, trace: t.csv}\nschedulers: [faasflow]\naxes: {profile: [p.yaml, ideal]}\n"
	files := map[string]string{
		"s.yaml": scenario,
		"w.yaml": "name: w\nfunctions: {a: {compute: 1s}}\n",
		"t.csv":  "time\n1\n2\n",
		"p.yaml": "name: p\n",
		"x.yaml": "nobody names me",
	}
	hash := func(changed, text string, settings ...string) string {
		dir := t.TempDir()
		for name, data := range files {
			if name == changed {
				data = text
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p, err := scenarios.Load(filepath.Join(dir, "s.yaml"), scenarios.Options{Settings: settings})
		if err != nil {
			t.Fatal(err)
		}
		return p.Hash()
	}
	original := hash("", "")
	if again := hash("", ""); again != original {
		t.Error("it depends on the directory")
	}
	if again := hash("x.yaml", "changed"); again != original {
		t.Error("it depends on a file that the scenario does not name")
	}
	seen := map[string]string{original: "the original"}
	for what, h := range map[string]string{
		"the scenario": hash("s.yaml", scenario+"# a comment\n"),
		"the workflow": hash("w.yaml", "name: w\nfunctions: {a: {compute: 2s}}\n"),
		"the trace":    hash("t.csv", "time\n1\n3\n"),
		"the profile":  hash("p.yaml", "name: p\nstore: {get: 1ms}\n"),
		"a setting":    hash("", "", "seed=2"),
		"two settings": hash("", "", "seed=2", "timeout=1s"),
	} {
		if other, taken := seen[h]; taken {
			t.Errorf("it does not tell %s from %s", what, other)
		}
		seen[h] = what
	}
}

func TestTheOutlookSumsUpWhatWouldRun(t *testing.T) {
	p := must(t, with("workflows: [chain.yaml]", "schedulers: [mastersp, faasflow]", "load: {arrivals: constant, rate: 2/s, duration: 10s}", "trials: 3"))
	o := scenarios.Look(p)
	if len(o.Points) != 2 || o.Points[0].Invocations != 20 || o.Invocations != 2*3*20 || o.Tasks != 2*3*20*2 {
		t.Errorf("%+v", o)
	}
	if w := o.Workflows[0]; w.Functions != 2 || w.Edges != 1 || w.Tasks != 2 || w.CriticalPath != 0.02 || w.BytesWritten != 1e6 || w.BytesRead != 1e6 {
		t.Errorf("%+v", w)
	}
	for text, want := range map[string]float64{
		"{clients: 2, duration: 10s}":                                                 1000, // Ten seconds have 500 critical paths of 20 ms.
		"{clients: 2, duration: 10s, limit: 7}":                                       7,
		"{clients: 2, duration: 10ms, at_least: 3}":                                   6,
		"{clients: 2, limit: 50}":                                                     50,
		"{arrivals: poisson, rate: 60/min, limit: 8}":                                 8,
		"{arrivals: trace, trace: all.csv}":                                           3,
		"{arrivals: trace, trace: all.csv, duration: 1500ms}":                         1, // Times before it.
		"{arrivals: constant, rate: 1/s, ramp: [{rate: 5/s, for: 2s}], duration: 4s}": 12,
	} {
		o := scenarios.Look(must(t, with("workflows: [chain.yaml]", "load: "+text)))
		if got := o.Points[0].Invocations; got != want {
			t.Errorf("%s: %v invocations are expected, want %v", text, got, want)
		}
	}
}

func TestEverythingThatShipsIsListed(t *testing.T) {
	c, err := scenarios.List()
	if err != nil {
		t.Fatal(err)
	}
	for topic, names := range map[string][]string{
		"workflows": {"faasflow/genome", "{generate: genome, functions: N}"}, "scenarios": {"quickstart", "studies/control"},
		"schedulers": {"mastersp", "faasflow"}, "controls": {"workersp"}, "placements": {"faasflow-improved", "explicit"}, "data": {"faastore"},
		"profiles": {"ideal", "faasflow-testbed"}, "figures": {"latency", "gantt"},
	} {
		only, err := c.Only(topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			at := slices.IndexFunc(only.Sections[0].Items, func(i scenarios.Item) bool { return i.Name == name })
			if at < 0 || only.Sections[0].Items[at].About == "" {
				t.Errorf("%s does not list %s, or says nothing of it", topic, name)
			}
		}
	}
	if _, err := c.Only("profile"); err == nil || !strings.HasPrefix(err.Error(), `there is no list of "profile": there are lists of workflows, `) {
		t.Error(err)
	}
}

func TestLeadingNumber(t *testing.T) {
	for _, test := range []struct {
		text   string
		number float64
		unit   string
		ok     bool
	}{
		{"30/min", 30, "/min", true}, {"1.5s", 1.5, "s", true}, {"50MB/s", 50, "MB/s", true}, {"8", 8, "", true},
		{"", 0, "", false}, {"fast", 0, "fast", false}, {"1.2.3", 0, "", false}, {"é", 0, "é", false},
	} {
		number, unit, ok := scenarios.LeadingNumber(test.text)
		if ok != test.ok || ok && (number != test.number || unit != test.unit) {
			t.Errorf("%q is %v %q %v, want %v %q %v", test.text, number, unit, ok, test.number, test.unit, test.ok)
		}
	}
}
