package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/cluster"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

// letters cuts letters into parts, makes them large and joins them. Nobody reads
// what join posts, nor how loud each shout was.
const letters = `
name: letters
functions:
  cut: {global_inputs: [7], compute: 1ms, outputs: {parts: {items: 3, size: 20KB}}}
  shout: {foreach: cut.parts, inputs: [cut.parts], compute: 1ms, outputs: {loud: 20KB, loudness: 1}}
  join: {merge: true, inputs: [shout.loud], compute: 1ms, outputs: {text: 60KB}}
`

const scenario = `
name: test
workflows: [letters.yaml]
cluster: {workers: 2}
load: {clients: 1, limit: 2}
schedulers: [faasflow, dataflower]
`

const part = 20_000 // bytes

func functions() cluster.Functions {
	return cluster.Functions{
		"letters/cut": func(_ context.Context, c bodies.Call) error {
			given, err := c.Input("global_inputs.0")
			if err != nil {
				return err
			}
			if len(given) != 7 {
				return fmt.Errorf("the global input has %d bytes", len(given))
			}
			parts := make([][]byte, c.Fan("parts"))
			for i := range parts {
				parts[i] = bytes.Repeat([]byte{byte('a' + i)}, part)
			}
			return c.PostList("parts", parts)
		},
		"shout": func(_ context.Context, c bodies.Call) error {
			part, err := c.Input("cut.parts")
			if err != nil {
				return err
			}
			index, _ := c.Index()
			return errors.Join(c.Post("loud", bytes.ToUpper(part)), c.Post("loudness", []byte{byte('0' + index)}))
		},
		"join": func(_ context.Context, c bodies.Call) error {
			parts, err := c.Items("shout.loud")
			if err != nil {
				return err
			}
			return c.Post("text", bytes.Join(parts, nil))
		},
	}
}

// own are schedulers with a placement of one's own: all on the last worker.
func own() scenarios.Options {
	r := schedulers.Builtin()
	r.Placements = append(r.Placements, schedulers.Placement{Name: "last", About: "all on the last worker", Placer: last{}})
	return scenarios.Options{Schedulers: r}
}

type last struct{}

// Place implements placement.Placer.
func (last) Place(workflows []*workflow.Workflow, workers []placement.Worker) (placement.Placement, error) {
	var p placement.Placement
	for _, w := range workflows {
		at := slices.Repeat([]int32{int32(len(workers) - 1)}, len(w.Functions))
		p.Worker, p.Group = append(p.Worker, at), append(p.Group, at)
	}
	return p, nil
}

// options are those of all clusters of these tests, and of TestMain.
func options(more ...cluster.Option) []cluster.Option {
	return append([]cluster.Option{cluster.WithFunctions(functions()), cluster.WithScenarioOptions(own())}, more...)
}

// inDirectory has a test run where letters.yaml is.
func inDirectory(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	for name, text := range map[string]string{"letters.yaml": letters, "scenario.yaml": scenario} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func start(t *testing.T, with ...cluster.Option) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Run(t.Context(), with...)
	cluster.Cleanup(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// holds requires what a run of letters comes to.
func holds(t *testing.T, result *cluster.Result, names ...string) {
	t.Helper()
	var got []string
	for _, p := range result.Points {
		got = append(got, p.Scheduler)
		if len(p.Invocations) != 2 || len(p.Series) != 1 || p.Series[0].Measured != 2 {
			t.Errorf("%s: %d invocations, %d series; want 2 and one", p.Scheduler, len(p.Invocations), len(p.Series))
		}
		for _, i := range p.Invocations {
			text, err := i.Output("join.text")
			want := strings.Repeat("A", part) + strings.Repeat("B", part) + strings.Repeat("C", part)
			if err != nil || string(text) != want || !i.Completed() {
				t.Errorf("%s, invocation %d: %s, %d bytes, %v; want ABC, each %d times", p.Scheduler, i.Number, i.Outcome, len(text), err, part)
			}
			if each := bytes.Join(i.Items("shout.loudness"), []byte(" ")); string(each) != "0 1 2" {
				t.Errorf("%s: the instances of shout have returned %q", p.Scheduler, each)
			}
			var ran []string
			for _, task := range i.TaskRecords {
				if task.Outcome != engine.Completed || !strings.HasPrefix(task.NodeName, "worker-") {
					t.Errorf("%s: %s on %s: %s", p.Scheduler, task.FunctionName, task.NodeName, task.Outcome)
				}
				ran = append(ran, task.FunctionName)
			}
			slices.Sort(ran)
			if want := []string{"cut", "join", "shout", "shout", "shout"}; !slices.Equal(ran, want) {
				t.Errorf("%s: %v ran, want %v", p.Scheduler, ran, want)
			}
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("the points are of %v, want %v", got, names)
	}
}

// A cluster can be had without Docker; functions do the same there.
func TestFunctionsOfOnesOwn(t *testing.T) {
	inDirectory(t)
	c := start(t, options(cluster.WithBackend(cluster.Local))...)
	for name, given := range map[string]string{"a file": "scenario.yaml", "its text": scenario} {
		result, err := c.Run(t.Context(), given)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		holds(t, result, "faasflow", "dataflower")
		if !strings.Contains(result.Serves["functions"], "goroutines that run real bodies") {
			t.Errorf("it was served by %v", result.Serves)
		}
	}
}

// What is set holds for the run that it is set for, the number of workers for
// all; a directory keeps results for flowtwin's commands.
func TestOptionsOfRuns(t *testing.T) {
	inDirectory(t)
	c := start(t, options(cluster.WithBackend(cluster.Local), cluster.WithWorkers(3))...)
	result, err := c.Run(t.Context(), "scenario.yaml", cluster.Set("schedulers=[{preset: faasflow, placement: last, name: mine}]"), cluster.Directory("kept"))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, result, "mine")
	for _, task := range result.Points[0].Invocations[0].TaskRecords {
		if task.NodeName != "worker-3" && task.NodeName != "worker-2" || task.NodeName != result.Points[0].Invocations[0].TaskRecords[0].NodeName {
			t.Errorf("%s ran on %s, want all on the last of three workers", task.FunctionName, task.NodeName)
		}
	}
	m, run, err := rundir.Read("kept")
	if err != nil || m.Status != "complete" || m.Backend != "local" || len(run.Series) != 1 {
		t.Errorf("the run directory has %+v, %v", m, err)
	}
	result, err = c.Run(t.Context(), "scenario.yaml", cluster.Set("load={arrivals: constant, rate: 20/s, duration: 1h}", "schedulers=[faasflow]"), cluster.Limit(500*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(result.Points[0].Invocations); n == 0 || n > 50 {
		t.Errorf("within half a second, %d were sent, at 20/s", n)
	}
}

// Scenarios that ship with flowtwin run by their names, and their functions
// compute as they are said to where there are no functions of one's own.
func TestShippedScenario(t *testing.T) {
	c := start(t, cluster.WithBackend(cluster.Local))
	result, err := c.Run(t.Context(), "quickstart", cluster.Set("trials=2", "load.rate=600/min", "axes={}", "figures=[]", "schedulers=[faasflow]"), cluster.Limit(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	trials := map[int]bool{}
	for _, i := range result.Points[0].Invocations {
		trials[i.Trial] = true
		if _, err := i.Output("merge.result"); err == nil || !strings.Contains(err.Error(), "has returned no merge.result (completed), but nothing") {
			t.Fatalf("what was not really computed was returned: %v", err)
		}
	}
	if len(trials) != 2 {
		t.Errorf("trials %v", trials)
	}
}

// A function that fails fails its invocation, and the warnings say why. It
// fails no scenario.
func TestFunctionThatFails(t *testing.T) {
	inDirectory(t)
	broken := functions()
	broken["join"] = func(context.Context, bodies.Call) error { return errors.New("out of glue") }
	c := start(t, cluster.WithFunctions(broken), cluster.WithBackend(cluster.Local))
	result, err := c.Run(t.Context(), "scenario.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range result.Points {
		for _, i := range p.Invocations {
			if i.Completed() || i.Items("join.text") != nil {
				t.Errorf("%s: %s, although join has failed", p.Scheduler, i.Outcome)
			}
			if _, err := i.Output("shout.loudness"); err == nil || !strings.Contains(err.Error(), "3 times shout.loudness: ask for Items") {
				t.Errorf("the output of three instances was taken for one: %v", err)
			}
		}
	}
	if !strings.Contains(strings.Join(result.Warnings, "\n"), "out of glue") {
		t.Errorf("the warnings are %q", result.Warnings)
	}
}

func TestMistakes(t *testing.T) {
	inDirectory(t)
	run := func(with ...cluster.Option) error {
		c, err := cluster.Run(t.Context(), with...)
		if c != nil {
			t.Errorf("there is a cluster with the error %v", err)
		}
		return err
	}
	local := start(t, options(cluster.WithBackend(cluster.Local))...)
	scenario := func(name string, with ...cluster.RunOption) error {
		result, err := local.Run(t.Context(), name, with...)
		if result != nil {
			t.Errorf("%s has a result", name)
		}
		return err
	}
	gone := start(t, cluster.WithBackend(cluster.Local))
	for range 2 {
		if err := gone.Terminate(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, afterwards := gone.Run(t.Context(), "scenario.yaml")
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	for _, test := range []struct {
		err  error
		want string
	}{
		{run(cluster.WithBackend("moon")), `there is no back end "moon"`},
		{run(cluster.WithWorkers(-1)), "a cluster of -1 workers"},
		{run(cluster.WithCompute("think")), "there are sleep, spin and real"},
		{run(), "Docker"}, // There is none.
		{scenario("nothing.yaml"), "nothing.yaml"},
		{scenario("scenario.yaml", cluster.Set("schedulers=[fastflow]")), "fastflow"},
		{scenario("scenario.yaml", cluster.Set("workflows=[faasflow/genome]")), "no real bodies of faasflow/genome/"},
		{scenario("scenario.yaml", cluster.Directory(".")), "is not a run directory"},
		{afterwards, "has been terminated"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("the error is %v, want one of %s", test.err, test.want)
		}
	}
}

// A scenario ends with its context, and the cluster is good for another.
func TestInterruptedScenario(t *testing.T) {
	inDirectory(t)
	c := start(t, options(cluster.WithBackend(cluster.Local))...)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := c.Run(ctx, "scenario.yaml", cluster.Set("load={arrivals: constant, rate: 1/s, duration: 1h}"))
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	result, err := c.Run(t.Context(), "scenario.yaml")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, result, "faasflow", "dataflower")
}

// Built-in functions that are not replaced are as they ship.
func TestFunctionsOfBuiltInWorkflows(t *testing.T) {
	replaced := cluster.Functions{"merge": func(_ context.Context, c bodies.Call) error {
		all, err := c.Items("count.wordcount")
		if err != nil {
			return err
		}
		return c.Post("result", fmt.Appendf(nil, "%d parts", len(all)))
	}}
	c := start(t, cluster.WithFunctions(replaced), cluster.WithBackend(cluster.Local))
	result, err := c.Run(t.Context(), "name: test\nworkflows: [faasflow/wordcount]\nload: {clients: 1, limit: 1}\nschedulers: [faasflow]\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := result.Points[0].Invocations[0].Output("merge.result"); err != nil || string(got) != "8 parts" {
		t.Errorf("%q, %v", got, err)
	}
}
