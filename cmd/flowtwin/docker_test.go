package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/network"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/doctor"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// noEngine has DOCKER_HOST name an engine that is not there.
func noEngine(t *testing.T) {
	t.Helper()
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
}

func TestBadUsageOfDockerCommands(t *testing.T) {
	noEngine(t)
	t.Setenv("FLOWTWIN_TEST_PASSWORD", "secret")
	for line, want := range map[string]string{
		"images nothing":       `unknown command "nothing"`,
		"images build nothing": `there is no image of kind "nothing": there are node, redis, kafka, couchdb`,
		"images build couchdb": "flowtwin images build node",
		"clean me":             `unknown command "me"`,
		"clean --nope":         "unknown flag: --nope",
		"doctor me":            `unknown command "me"`,
		"couchserver":          "--listen, --user and --password-env are needed",
		"couchserver --listen 127.0.0.1:0 --user admin --password-env FLOWTWIN_TEST_NONE":      "the variable is not set",
		"couchserver --listen localhost --user admin --password-env FLOWTWIN_TEST_PASSWORD":    `"localhost" is no address and port`,
		"couchserver --listen 0.0.0.0:0 --user admin --password-env FLOWTWIN_TEST_PASSWORD":    "on loopback addresses and in 198.18.0.0/15 only",
		"couchserver --listen [::]:0 --user admin --password-env FLOWTWIN_TEST_PASSWORD":       "on loopback addresses and in 198.18.0.0/15 only",
		"couchserver --listen 10.0.0.1:0 --user admin --password-env FLOWTWIN_TEST_PASSWORD":   "on loopback addresses and in 198.18.0.0/15 only",
		"couchserver --listen 198.20.0.1:0 --user admin --password-env FLOWTWIN_TEST_PASSWORD": "on loopback addresses and in 198.18.0.0/15 only",
	} {
		status, stdout, stderr := flowtwin(strings.Fields(line)...)
		t.Run(line, func(t *testing.T) { oneError(t, status, stdout, stderr, want) })
	}
}

func TestWithoutAnEngineDockerCommandsSaySo(t *testing.T) {
	noEngine(t)
	t.Setenv("TMPDIR", t.TempDir())
	for _, line := range []string{"images", "images --json", "images build node", "clean --images"} {
		status, stdout, stderr := flowtwin(strings.Fields(line)...)
		if status != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "Docker") {
			t.Errorf("%s: status %d, output %q, error %q; want status 1 and one line about Docker", line, status, stdout, stderr)
		}
	}
}

func TestDoctorSaysWhatCanRun(t *testing.T) {
	noEngine(t)
	text := must(t, "doctor")
	if !strings.HasSuffix(text, "can run: sim, local; docker cannot: Docker engine\n") {
		t.Errorf("doctor says\n%s", text)
	}
	var d doctor.Diagnosis
	if err := json.Unmarshal([]byte(must(t, "doctor", "--json")), &d); err != nil {
		t.Fatal(err)
	}
	if !d.Sim || !d.Local || d.Docker || len(d.Checks) == 0 {
		t.Errorf("doctor says %+v", d)
	}
	for _, c := range d.Checks {
		if c.Name == "" || c.State == "" || c.Found == "" || c.State == doctor.Missing && c.Advice == "" {
			t.Errorf("the check %+v is not complete", c)
		}
	}
}

// The directory that a dead run has left is removed, and then nothing is left.
func TestCleanRemovesDirectoriesOfDeadRuns(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	t.Setenv("PATH", t.TempDir()) // Docker is not installed there.
	left, err := sweep.MakeTemp("test")
	if err != nil {
		t.Fatal(err)
	}
	if got := must(t, "clean"); got != "nothing was left\n" {
		t.Errorf("of a living run: %q", got)
	}
	got := must(t, "clean", "--all")
	if !strings.HasPrefix(got, "removed  directory  "+left) {
		t.Errorf("the output is %q", got)
	}
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s is still there", left)
	}
	if got := must(t, "clean", "--json"); got != "[]\n" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestOnEngineCleanRemovesWhatADeadRunHasLeft(t *testing.T) {
	docker := daemontest.Connect(t)
	t.Setenv("TMPDIR", t.TempDir())
	cluster := daemontest.Cluster(t, docker)
	// The owner is a flowtwin that has ended.
	p := process("list", "schedulers")
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	owner, err := sweep.Self()
	if err != nil {
		t.Fatal(err)
	}
	owner.PID = p.ProcessState.Pid()
	labels, err := sweep.Labels(cluster, -1)
	if err != nil {
		t.Fatal(err)
	}
	labels[sweep.LabelOwner] = owner.String()
	if _, err := docker.NetworkCreate(t.Context(), cluster, network.CreateOptions{Labels: labels, Internal: true}); err != nil {
		t.Fatal(err)
	}
	if text := must(t, "doctor"); !strings.Contains(text, "flowtwin clean") {
		t.Errorf("doctor does not see what was left:\n%s", text)
	}
	var removed []sweep.Thing
	if err := json.Unmarshal([]byte(must(t, "clean", "--json")), &removed); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range removed {
		found = found || r.Kind == "network" && r.Name == cluster && r.Cluster == cluster && r.Owner == owner.String()
	}
	if !found {
		t.Errorf("removed %+v, without the network %s", removed, cluster)
	}
}

func TestOnEngineImagesAreListed(t *testing.T) {
	daemontest.Connect(t)
	var all []images.Available
	if err := json.Unmarshal([]byte(must(t, "images", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	text := must(t, "images")
	if len(all) != len(images.Kinds()) {
		t.Errorf("%d kinds are listed", len(all))
	}
	for _, a := range all {
		if a.Serves != nil && !strings.Contains(text, a.Serves.Served) || a.Serves == nil && !strings.Contains(text, "flowtwin images build "+string(a.Build)) {
			t.Errorf("of %+v, the table says nothing:\n%s", a, text)
		}
	}
}

// The server says when it is ready, lets the administrator in and nobody else,
// and ends well when it is told to.
func TestCouchserverServesUntilInterrupted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := process("couchserver", "--listen", address, "--user", "admin", "--password-env", "FLOWTWIN_TEST_PASSWORD")
	p.Env = append(p.Env, "FLOWTWIN_TEST_PASSWORD=secret")
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	for login, want := range map[string]int{"admin:secret": http.StatusOK, "admin:wrong": http.StatusUnauthorized} {
		answer, err := http.Get(fmt.Sprintf("http://%s@%s/_all_dbs", login, address))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("with %s it answers %s, want %d", login, answer.Status, want)
		}
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
