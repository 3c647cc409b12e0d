package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/faults"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/docker/sibling"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/results/rundir"
)

// lasting is a scenario of one short trial and one that goes on for long.
const lasting = `name: lasting
workflows: [faasflow/wordcount]
cluster: {workers: 1}
load: {arrivals: constant, rate: 5/s, duration: 1min}
schedulers: [faasflow]
axes: {load.duration: [200ms, 1min]}
`

// onEngine returns the Docker engine and the arguments of a run on it, in an
// empty directory.
func onEngine(t *testing.T) (*client.Client, []string) {
	t.Helper()
	docker := daemontest.Connect(t)
	args := []string{"run", "lasting.yaml", "--backend", "docker", "--limit", "0", "--out", "out"}
	for kind, name := range imagestest.Build(t, docker) {
		args = append(args, "--image", string(kind)+"="+name)
	}
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	write(t, "lasting.yaml", lasting)
	return docker, args
}

// player is a flowtwin that runs.
type player struct {
	*exec.Cmd
	docker *client.Client
	said   chan string // lines of its standard error

	mu  sync.Mutex
	all strings.Builder
}

// play starts a flowtwin. It and what it leaves are removed with the test.
func play(t *testing.T, docker *client.Client, args ...string) *player {
	t.Helper()
	p := &player{Cmd: process(args...), docker: docker, said: make(chan string, 1000)}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = in
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go func() {
		defer out.Close()
		defer close(p.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.all, lines.Text())
			p.mu.Unlock()
			p.said <- lines.Text()
		}
	}()
	daemontest.Cleanup(t, func(ctx context.Context) error {
		_ = p.Process.Kill() // It has ended, if all is well.
		_ = p.Wait()
		var errs []error
		for _, thing := range p.left(t) {
			_, err := sweep.Sweep(ctx, docker, sweep.Which{Cluster: thing.Cluster})
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	return p
}

// left is what there is of the player's on the engine.
func (p *player) left(t *testing.T) []sweep.Thing {
	t.Helper()
	all, err := sweep.Find(context.WithoutCancel(t.Context()), p.docker, sweep.Which{All: true})
	if err != nil {
		t.Fatal(err)
	}
	var own []sweep.Thing
	for _, thing := range all {
		if owner, err := sweep.ParseOwner(thing.Owner); err == nil && owner.PID == p.Process.Pid {
			own = append(own, thing)
		}
	}
	return own
}

// until waits for something, or for the player to end, which is an error.
func (p *player) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("after a minute, %s has not come; it has said\n%s", what, p.text())
		}
	}
}

// says waits until the player says something.
func (p *player) says(t *testing.T, what string) {
	t.Helper()
	p.until(t, "the word "+what, func() bool {
		select {
		case line, more := <-p.said:
			if !more {
				t.Fatalf("it has ended without saying %q:\n%s", what, p.text())
			}
			return strings.Contains(line, what)
		default:
			return false
		}
	})
}

// has waits until the player has containers in a role.
func (p *player) has(t *testing.T, role string) (ids []string) {
	t.Helper()
	p.until(t, "a container of role "+role, func() bool {
		for _, thing := range p.left(t) {
			found, err := faults.Labelled(t.Context(), p.docker, map[string]string{sweep.LabelCluster: thing.Cluster, sibling.LabelRole: role})
			if err != nil {
				t.Fatal(err)
			}
			if ids = found; len(ids) > 0 {
				return true
			}
		}
		return false
	})
	return ids
}

// hasDone waits until the player has done so many trials, and is at the next.
func (p *player) hasDone(t *testing.T, trials int) {
	t.Helper()
	p.until(t, "the end of a trial", func() bool { m, _, err := rundir.Read("out"); return err == nil && m.Done == trials })
	p.has(t, sibling.Function)
}

func (p *player) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.String()
}

// ends waits until the player has ended, with a status, or -1 if a signal has
// ended it.
func (p *player) ends(t *testing.T, want int) {
	t.Helper()
	start := time.Now()
	_ = p.Wait() // The status says it.
	for range p.said {
	}
	if status := p.ProcessState.ExitCode(); status != want {
		t.Errorf("the status is %d, want %d:\n%s", status, want, p.text())
	}
	t.Logf("it took %s to end", time.Since(start).Round(10*time.Millisecond))
}

func (p *player) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// leavesNothing checks that nothing of a player's is left on the engine, nor
// among the temporary files.
func (p *player) leavesNothing(t *testing.T) {
	t.Helper()
	if left := p.left(t); len(left) > 0 {
		t.Errorf("%d things are left, such as %+v", len(left), left[0])
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "flowtwin-*")); err != nil || len(left) > 0 {
		t.Errorf("temporary directories are left: %q, %v", left, err)
	}
}

// Whenever a run is interrupted, it ends with all that it has started, and says
// how to go on if there is something to go on from.
func TestOnEngineAnInterruptedRunLeavesNothing(t *testing.T) {
	docker, args := onEngine(t)
	registry, err := net.Listen("tcp", "127.0.0.1:0") // It says nothing.
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	image := registry.Addr().String() + "/nothing:1"
	for _, test := range []struct {
		name   string
		moment func(*testing.T, *player)
		args   []string
	}{
		{"while an image is looked for", func(t *testing.T, p *player) { p.says(t, "looking for "+image) }, []string{"--image", "couchdb=" + image}},
		{"while nodes start", func(t *testing.T, p *player) { p.says(t, "starting 3 nodes") }, nil},
		{"while services start", func(t *testing.T, p *player) { p.has(t, "redis") }, nil},
		{"in a trial", func(t *testing.T, p *player) {
			p.hasDone(t, 1)
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			os.RemoveAll("out")
			p := play(t, docker, append(args, test.args...)...)
			test.moment(t, p)
			p.signal(t, os.Interrupt)
			p.ends(t, exitInterrupted)
			p.leavesNothing(t)
			if !strings.HasSuffix(p.text(), "flowtwin: interrupted\n") {
				t.Errorf("it has said\n%s", p.text())
			}
			m, run, err := rundir.Read("out")
			if strings.Contains(test.name, "image") {
				if err == nil {
					t.Error("there is a run directory, though nothing was begun")
				}
				return
			}
			if err != nil || m.Status != "partial" {
				t.Fatalf("the run directory: %+v, %v", m, err)
			}
			if m.Done == 1 && len(run.Series[0].Latencies) == 0 {
				t.Error("there are no results of the trial that was done")
			}
		})
	}
}

// Who cannot wait interrupts again. What is left then, and what a run has left
// that was killed, the next one removes, or clean; but nothing of a run that
// lives.
func TestOnEngineWhatAKilledRunHasLeftIsRemovedLater(t *testing.T) {
	docker, args := onEngine(t)
	alive := daemontest.Cluster(t, docker)
	labels, err := sweep.Labels(alive, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := docker.NetworkCreate(t.Context(), alive, network.CreateOptions{Labels: labels, Internal: true}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		end  func(*testing.T, *player)
		next func(*testing.T) string
	}{
		{"killed; the next run", func(t *testing.T, p *player) { p.signal(t, syscall.SIGKILL) }, func(t *testing.T) string {
			// That it cannot go on does not matter.
			_, _, stderr := flowtwin(append(args, "--image", "kafka=flowtwin/none:1", "--no-pull")...)
			return stderr
		}},
		{"interrupted twice; clean", func(t *testing.T, p *player) {
			p.signal(t, os.Interrupt)
			p.says(t, "a second Ctrl-C leaves them to flowtwin clean")
			p.signal(t, os.Interrupt)
		}, func(t *testing.T) string { return must(t, "clean") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := play(t, docker, args...)
			p.has(t, sibling.Function)
			test.end(t, p)
			p.ends(t, -1)
			t.Logf("%d things are left", len(p.left(t))) // Others may have removed them by now.
			t.Log(test.next(t))
			p.leavesNothing(t)
		})
	}
	found, err := sweep.Find(t.Context(), docker, sweep.Which{Cluster: alive})
	if err != nil || len(found) != 1 {
		t.Errorf("of a living run there is %v, %v", found, err)
	}
}

// Nodes and functions do not even wait for that: without a harness they end.
func TestOnEngineNodesEndWithoutTheirHarness(t *testing.T) {
	docker, args := onEngine(t)
	p := play(t, docker, args...)
	p.has(t, sibling.Function)
	cluster := p.left(t)[0].Cluster
	p.signal(t, syscall.SIGKILL)
	p.ends(t, -1)
	p.until(t, "the end of nodes and functions", func() bool {
		for _, role := range []string{"node", sibling.Function} {
			running, err := docker.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(
				filters.Arg("label", sweep.LabelCluster+"="+cluster), filters.Arg("label", sibling.LabelRole+"="+role))})
			if err != nil {
				t.Fatal(err)
			}
			if len(running) > 0 {
				return false
			}
		}
		return true
	})
}

// What ends a trial that was not to ends the run, and all is removed.
func TestOnEngineWhatIsLostEndsTheRun(t *testing.T) {
	docker, args := onEngine(t)
	for _, test := range []struct{ role, want string }{
		{"node", "has ended with status 137 (it was killed, perhaps for want of memory), though no fault was to end it"},
		{"couchdb", "the couchdb of node 1 has ended"},
	} {
		t.Run(test.role, func(t *testing.T) {
			os.RemoveAll("out")
			p := play(t, docker, args...)
			p.hasDone(t, 1)
			if err := faults.Kill(t.Context(), docker, p.has(t, test.role)[0]); err != nil {
				t.Fatal(err)
			}
			p.ends(t, exitFailed)
			p.leavesNothing(t)
			if said := p.text(); !strings.Contains(said, test.want) || !strings.Contains(said, "1 of 2 trials are in out; finish them with") {
				t.Errorf("it has said\n%s", said)
			}
		})
	}
}

// An engine that goes away in the middle of a run ends it. What was on it is
// removed when it is back.
func TestOnEngineAnEngineThatIsGoneEndsTheRun(t *testing.T) {
	docker, args := onEngine(t)
	host, ok := strings.CutPrefix(docker.DaemonHost(), "unix://")
	if !ok {
		t.Skip("the engine is not on a socket of this machine")
	}
	between := relay(t, host)
	t.Setenv("DOCKER_HOST", "unix://"+between.path)
	p := play(t, docker, args...)
	p.has(t, sibling.Function)
	between.close()
	p.ends(t, exitFailed)
	if said := p.text(); !strings.Contains(said, "the Docker engine is gone") || !strings.Contains(said, "flowtwin clean removes the rest") {
		t.Errorf("it has said\n%s", said)
	}
	t.Setenv("DOCKER_HOST", "unix://"+host)
	must(t, "clean")
	p.leavesNothing(t)
}

// line is a socket before that of an engine.
type line struct {
	net.Listener
	path string

	mu  sync.Mutex
	all []net.Conn
}

func relay(t *testing.T, to string) *line {
	t.Helper()
	l := &line{path: filepath.Join(t.TempDir(), "docker.sock")}
	var err error
	if l.Listener, err = net.Listen("unix", l.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", to)
			if err != nil {
				in.Close()
				continue
			}
			l.mu.Lock()
			l.all = append(l.all, in, out)
			l.mu.Unlock()
			pass := func(a, b net.Conn) {
				_, _ = io.Copy(a, b)
				a.(*net.UnixConn).CloseWrite()
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return l
}

func (l *line) close() {
	l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.all {
		conn.Close()
	}
}

// What keeps a cluster from coming up is said once, with what the container
// that failed has printed, and nothing is left.
func TestOnEngineAFailedStartIsOneClearErrorAndLeavesNothing(t *testing.T) {
	docker, args := onEngine(t)
	var node string
	for _, a := range args {
		if name, ok := strings.CutPrefix(a, "node="); ok {
			node = name
		}
	}
	sleeper := daemontest.Sleeper(t, docker)
	for _, test := range []struct {
		name string
		args []string
		want []string
	}{
		{"a command that ends", []string{"--image", "redis=" + node},
			[]string{"the redis of node 2 (image " + node + ") cannot be started: container exited with code 2; it has printed: flowtwin: unknown command \"redis-server\""}},
		{"an image without a command", []string{"--image", "node=" + sleeper + "x", "--no-pull"}, []string{"no image " + sleeper + "x, which was named for node, is here"}},
		{"a registry that there is not", []string{"--image", "redis=127.0.0.1:1/redis:1"},
			[]string{"no image 127.0.0.1:1/redis:1, which was named for redis, is here, and it cannot be pulled: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			p := play(t, docker, append(args, test.args...)...)
			p.ends(t, exitFailed)
			p.leavesNothing(t)
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("it took %s to fail", took)
			}
			for _, want := range test.want {
				if !strings.Contains(p.text(), want) || strings.Count(p.text(), "flowtwin: ") > 2 {
					t.Errorf("it has said\n%s\nwithout %q", p.text(), want)
				}
			}
		})
	}
}

// A user who may not use the engine is told how to be allowed to.
func TestOnEngineNoPermissionSaysHowToGetIt(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir, err := os.MkdirTemp("", "test-") // That of the test is root's alone.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_, args := onEngine(t)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o777), os.WriteFile(filepath.Join(dir, "flowtwin"), program, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	write(t, "lasting.yaml", lasting)
	c := process(args...)
	c.Path = filepath.Join(dir, "flowtwin")
	const nobody = 65534
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := c.CombinedOutput()
	said := string(out)
	if c.ProcessState == nil || c.ProcessState.ExitCode() != exitFailed || strings.Count(said, "\n") != 1 || !strings.Contains(said, "add it to the group docker") {
		t.Errorf("%v; it has said\n%s", err, said)
	}
}

// What a full disk does not take ends the run. What was written is right.
func TestAFullDiskEndsARunThatCanBeFinished(t *testing.T) {
	for name, args := range map[string][]string{
		"sim":   {"--parallel", "1", "--set", "load.duration=200s"},
		"local": {"--backend", "local", "--limit", "2s", "--trials", "1", "--record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "small.yaml", small)
			onFullDisk(t, append([]string{"run", "small.yaml", "--out", "full/out"}, args...))
		})
	}
}

func TestOnEngineAFullDiskEndsARunThatCanBeFinished(t *testing.T) {
	docker, args := onEngine(t)
	write(t, "lasting.yaml", strings.Replace(lasting, "1min]", "2s, 3s]", 1))
	p := onFullDisk(t, append(args, "--set", "cluster.workers=2", "--record", "--out", "full/out"))
	(&player{Cmd: p, docker: docker}).leavesNothing(t)
}

// onFullDisk runs something whose results do not fit into full/out.
func onFullDisk(t *testing.T, args []string) *exec.Cmd {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a file system that is soon full")
	}
	if err := os.Mkdir("full", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", "full", "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be had: %v", err)
	}
	defer syscall.Unmount("full", syscall.MNT_DETACH)
	c := process(args...)
	out, err := c.CombinedOutput()
	said := string(out)
	if c.ProcessState == nil || c.ProcessState.ExitCode() != exitFailed || !strings.Contains(said, "no space left on device") {
		t.Errorf("%v; it has said\n%s", err, said)
	}
	m, _, err := rundir.Read("full/out")
	if err != nil || m.Status != "partial" || m.Done == 0 {
		t.Errorf("what was written: %+v, %v", m, err)
	} else if want := fmt.Sprintf("%d of ", m.Done); !strings.Contains(said, want) || !strings.Contains(said, "finish them with: flowtwin run --resume full/out") {
		t.Errorf("it has said\n%s, without how to go on from %d trials", said, m.Done)
	}
	return c
}

// A cluster that cannot be is refused before anything is started.
func TestOnEngineTooManyWorkersAreRefused(t *testing.T) {
	_, args := onEngine(t)
	status, _, stderr := flowtwin(append(args, "--set", "cluster.workers=300")...)
	if want := "flowtwin: 300 workers: on one Docker engine there can be 200 (cluster.workers)\n"; status != exitUsage || !strings.HasSuffix(stderr, want) {
		t.Errorf("status %d, error %q; want %d and %q", status, stderr, exitUsage, want)
	}
}
