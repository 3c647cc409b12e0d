package docker_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker"
	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// tiny is a scenario of two invocations.
const tiny = `name: tiny
workflows: [faasflow/wordcount]
cluster: {workers: 1}
load: {arrivals: constant, rate: 5/s, duration: 400ms}
schedulers: [faasflow]
`

// trial is the first one of a scenario.
func trial(t *testing.T, text string) *scenarios.Trial {
	t.Helper()
	plan, err := scenarios.Parse("tiny.yaml", []byte(text), ".", scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Trial(0, 0)
}

// counter is a recorder that counts, and does something when it is told.
type counter struct {
	n    int
	told func()
}

func (c *counter) Invocation(*record.Invocation) {
	c.n++
	if c.told != nil {
		c.told()
	}
}
func (c *counter) WantsTasks() bool  { return false }
func (c *counter) Task(*record.Task) {}

// options are those with which a world can be had on an engine.
func options(t *testing.T, engine *client.Client) docker.Options {
	t.Helper()
	return docker.Options{Compute: "sleep", Images: imagestest.Build(t, engine)}
}

// owned is what there is of a process's on an engine.
func owned(t *testing.T, engine *client.Client, process int) []sweep.Thing {
	t.Helper()
	all, err := sweep.Find(t.Context(), engine, sweep.Which{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var own []sweep.Thing
	for _, thing := range all {
		if owner, err := sweep.ParseOwner(thing.Owner); err == nil && owner.PID == process && thing.Cluster != "" {
			own = append(own, thing)
		}
	}
	return own
}

// leavesNothing checks that there are not more goroutines than before, and
// nothing of this process's on the engine.
func leavesNothing(t *testing.T, engine *client.Client, before int) {
	t.Helper()
	if left := owned(t, engine, os.Getpid()); len(left) > 0 {
		t.Errorf("%d things are left, such as %+v", len(left), left[0])
	}
	now := 0
	for range 200 { // Connections that have been closed take a moment.
		if now = runtime.NumGoroutine(); now <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines more than before:\n%s", now-before, stacks[:runtime.Stack(stacks, true)])
}

// A cluster is there from trial to trial. After one that was cut short the next
// trial has another cluster, and in the end nothing is left.
func TestOnEngineAWorldLeavesNothing(t *testing.T) {
	engine := daemontest.Connect(t)
	o := options(t, engine)
	before := runtime.NumGoroutine()
	w, err := docker.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	clusters := func() map[string]bool {
		all := map[string]bool{}
		for _, thing := range owned(t, engine, os.Getpid()) {
			all[thing.Cluster] = true
		}
		return all
	}
	var seen []map[string]bool
	for range 2 {
		var c counter
		if err := w.Run(t.Context(), trial(t, tiny), &c); err != nil || c.n != 2 {
			t.Fatalf("%d invocations, %v", c.n, err)
		}
		seen = append(seen, clusters())
	}
	interrupted, cancel := context.WithCancel(t.Context())
	if err := w.Run(interrupted, trial(t, tiny), &counter{told: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("the interrupted trial's error is %v", err)
	}
	var c counter
	if err := w.Run(t.Context(), trial(t, tiny), &c); err != nil || c.n != 2 {
		t.Errorf("after it, %d invocations, %v", c.n, err)
	}
	seen = append(seen, clusters())
	for i, one := range seen {
		if len(one) != 1 {
			t.Errorf("after trial %d there are the clusters %v", i, one)
		}
	}
	if fmt.Sprint(seen[0]) != fmt.Sprint(seen[1]) || fmt.Sprint(seen[1]) == fmt.Sprint(seen[2]) {
		t.Errorf("the clusters are %v; want one for the first two and another for the last", seen)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	leavesNothing(t, engine, before)
}

// What never gets ready is waited for as long as was said, and is named.
func TestOnEngineWhatNeverComesUpIsNamed(t *testing.T) {
	engine := daemontest.Connect(t)
	o := options(t, engine)
	sleeper := daemontest.Sleeper(t, engine)
	for kind, want := range map[images.Kind][2]string{
		images.Redis:   {"the redis of node 2 (image " + sleeper + ") cannot be started: it has not come up within 3s", "; it has printed nothing"},
		images.Node:    {"node ", "; it has printed nothing"},
		images.CouchDB: {"the store has not come up within 3s: ", "; it has printed nothing"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			before := runtime.NumGoroutine()
			o := o
			o.StartTime = 3 * time.Second
			o.Images = maps.Clone(o.Images)
			o.Images[kind] = sleeper
			w, err := docker.New(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			err = w.Run(t.Context(), trial(t, tiny), &counter{})
			if said := fmt.Sprint(err); !strings.HasPrefix(said, want[0]) || !strings.Contains(said, "has not come up within 3s") || !strings.HasSuffix(said, want[1]) {
				t.Errorf("the error is %s, want %s", said, want)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			leavesNothing(t, engine, before)
		})
	}
}

// A harness that panics leaves what one that is killed does: the next world
// removes it.
func TestOnEngineAPanicLeavesWhatTheNextWorldRemoves(t *testing.T) {
	engine := daemontest.Connect(t)
	if os.Getenv("FLOWTWIN_TEST_PANIC") != "" {
		w, err := docker.New(t.Context(), options(t, engine))
		if err != nil {
			t.Fatal(err)
		}
		err = w.Run(t.Context(), trial(t, tiny), &counter{told: func() { panic("a mistake") }})
		t.Fatalf("it has not panicked: %v", err)
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), "FLOWTWIN_TEST_PANIC=1")
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: a mistake") {
		t.Fatalf("%v\n%s", err, out)
	}
	left := len(owned(t, engine, c.Process.Pid))
	o := options(t, engine)
	o.Progress = func(text string) { t.Logf("of %d things and those of others: %s", left, text) }
	w, err := docker.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if left := owned(t, engine, c.Process.Pid); len(left) > 0 {
		t.Errorf("%d things are left, such as %+v", len(left), left[0])
	}
}

// No more workers than there are addresses for.
func TestAClusterThatDoesNotFitIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		tiny: "",
		strings.Replace(tiny, "workers: 1", "workers: 200", 1):                                "",
		strings.Replace(tiny, "workers: 1", "workers: 201", 1):                                "201 workers: on one Docker engine there can be 200 (cluster.workers)",
		strings.Replace(tiny, "workers: 1", "workers: 15", 1):                                 "",
		strings.Replace(tiny, "workers: 1", "workers: 15", 1) + "profile: dataflower-testbed": "",
		strings.Replace(tiny, "workers: 1", "workers: 16", 1) + "profile: dataflower-testbed": "16 workers whose containers' traffic is limited: on one Docker engine there can be 15",
	} {
		err := docker.Check(trial(t, text))
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && (want == "" || !strings.HasPrefix(got, want)) {
			t.Errorf("of %s\nthe error is %v, want %q", text, err, want)
		}
	}
}
