package cluster_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/cluster"
	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// left lists what is there of a process's clusters.
func left(t *testing.T, docker *client.Client, pid int) []string {
	t.Helper()
	all, err := sweep.Find(t.Context(), docker, sweep.Which{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		if owner, err := sweep.ParseOwner(one.Owner); err == nil && owner.PID == pid {
			names = append(names, one.Kind+" "+one.Name)
		}
	}
	return names
}

// In containers, functions and schedulers are one's own as well, one cluster
// runs scenario after scenario, and nothing is left of it.
func TestOnEngineFunctionsAndSchedulersOfOnesOwn(t *testing.T) {
	docker := daemontest.Connect(t)
	inDirectory(t)
	c, err := cluster.Run(t.Context(), options(cluster.WithWorkers(2), cluster.WithoutPulling(), cluster.WithLog(func(text string) { t.Log(text) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("scenarios", func(t *testing.T) {
		cluster.Cleanup(t, c)
		up := left(t, docker, os.Getpid())
		const want = "node, node, node, node, redis, redis, couchdb and a network"
		if len(up) != 8 {
			t.Errorf("after Run there are %v, want %s", up, want)
		}
		for range 2 {
			result, err := c.Run(t.Context(), "scenario.yaml", cluster.Set("schedulers=[{preset: faasflow, placement: last, name: mine}]"))
			if err != nil {
				t.Fatal(err)
			}
			holds(t, result, "mine")
			for _, i := range result.Points[0].Invocations {
				for _, task := range i.TaskRecords {
					if task.Node != i.TaskRecords[0].Node {
						t.Errorf("%s ran on %s, want all on one worker", task.FunctionName, task.NodeName)
					}
				}
				// On one worker, what functions read has come through its Redis.
				if i.LocalWritten < 6*part || i.LocalRead < 6*part || i.RemoteRead > part {
					t.Errorf("%d bytes went to Redis, %d came from it, %d from CouchDB", i.LocalWritten, i.LocalRead, i.RemoteRead)
				}
			}
			if !strings.Contains(result.Serves["functions"], "containers that run real bodies (image flowtwin/program:") {
				t.Errorf("it was served by %v", result.Serves)
			}
			// The nodes are the same as before.
			nodes := left(t, docker, os.Getpid())
			for _, one := range up {
				if !strings.Contains(strings.Join(nodes, "\n"), one) {
					t.Errorf("%s is gone after a scenario", one)
				}
			}
		}
	})
	if still := left(t, docker, os.Getpid()); len(still) > 0 {
		t.Errorf("after Cleanup there are %v", still)
	}
}

// TestChild is a process that the tests below start. It ends as it is told to,
// with a cluster up.
func TestChild(t *testing.T) {
	how := os.Getenv("FLOWTWIN_TEST_END")
	if how == "" {
		t.Skip("it is started by other tests")
	}
	c, err := cluster.Run(t.Context(), options(cluster.WithWorkers(1))...)
	cluster.Cleanup(t, c)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("up")
	switch how {
	case "panic":
		panic("as it was told to")
	case "hang":
		time.Sleep(time.Hour)
	}
}

// child starts the process above, and waits until its cluster is up.
func child(t *testing.T, end string, flags ...string) *exec.Cmd {
	t.Helper()
	p := exec.Command(os.Args[0], append([]string{"-test.run=^TestChild$"}, flags...)...)
	p.Env = append(os.Environ(), "FLOWTWIN_TEST_END="+end)
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = p.Stdout
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // If it has not ended.
	lines := bufio.NewReader(out)
	var told strings.Builder
	for {
		line, err := lines.ReadString('\n')
		if line == "up\n" {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return p
		}
		if told.WriteString(line); err != nil {
			t.Fatalf("no cluster came up: %s", told.String())
		}
	}
}

// A test that panics leaves nothing. What one leaves that is killed, or runs out
// of time, the next cluster removes as it is brought up.
func TestOnEngineNothingIsLeftOfATest(t *testing.T) {
	docker := daemontest.Connect(t)
	panics := child(t, "panic")
	if err := panics.Wait(); err == nil {
		t.Error("it did not panic")
	}
	if still := left(t, docker, panics.Process.Pid); len(still) > 0 {
		t.Errorf("a test that has panicked has left %v", still)
	}
	killed, late := child(t, "hang"), child(t, "hang", "-test.timeout=20s")
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*exec.Cmd{"killed": killed, "late": late} {
		if err := p.Wait(); err == nil {
			t.Errorf("the %s test did not fail", name)
		}
		if len(left(t, docker, p.Process.Pid)) == 0 {
			t.Errorf("the %s test has left nothing: there is nothing to be removed", name)
		}
	}
	start(t, options()...)
	for name, p := range map[string]*exec.Cmd{"killed": killed, "late": late} {
		if still := left(t, docker, p.Process.Pid); len(still) > 0 {
			t.Errorf("the next cluster has left %v of the %s test", still, name)
		}
	}
}

// A test that does not call Main is told to, and its containers do not run it.
func TestOnEngineMainIsMissed(t *testing.T) {
	daemontest.Connect(t)
	program := filepath.Join(t.TempDir(), "forgetful.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, "./testdata/forgetful").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "has to call cluster.Main before anything else") {
		t.Errorf("%v: %s", err, out)
	}
}
