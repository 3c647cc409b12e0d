package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/network"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/doctor"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/results/compare"
	"github.com/flowtwin/flowtwin/results/rundir"
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

// The same scenario gives three run directories with the same columns, and what
// does not depend on time is the same in all.
func TestOnEngineThreeWorldsStandSideBySide(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes most of a minute, in real time")
	}
	docker := daemontest.Connect(t)
	names := imagestest.Build(t, docker)
	t.Chdir(t.TempDir())
	var columns []string
	for _, where := range []string{"sim", "local", "docker"} {
		line := []string{"run", "studies/three-worlds", "--backend", where, "--out", where, "--set", "workflows=[faasflow/wordcount]", "--set", "figures=[]"}
		if where == "docker" {
			line = append(line, "--no-pull")
			for kind, name := range names {
				line = append(line, "--image", string(kind)+"="+name)
			}
		}
		must(t, line...)
		heads := ""
		for _, name := range []string{"summary.csv", "invocations.csv"} {
			text, err := os.ReadFile(filepath.Join(where, name))
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(text), "\n")
			heads += head + "\n"
		}
		columns = append(columns, heads)
	}
	if columns[0] != columns[1] || columns[0] != columns[2] {
		t.Errorf("the columns are not the same:\n%s", strings.Join(columns, "\n"))
	}
	var table compare.Table
	if err := json.Unmarshal([]byte(must(t, "compare", "sim", "local", "docker", "--json")), &table); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(table.Runs, []string{"sim", "local", "docker"}) || len(table.Rows) != 3*9 {
		t.Errorf("runs %v side by side have %d rows", table.Runs, len(table.Rows))
	}
	for _, r := range table.Rows {
		for i, mean := range r.Means {
			if r.Unit == "B" && (mean == nil || *mean != *r.Means[0]) {
				t.Errorf("%s of %s is not the same on %s: %v", r.Metric, r.Scheduler, table.Runs[i], r.Means)
			}
		}
	}
	if text := must(t, "compare", "sim", "local", "docker"); strings.Count(text, "\n") != 1+3*9 {
		t.Errorf("the table is\n%s", text)
	}
	m, err := rundir.ReadManifest("docker")
	if err != nil || m.Measured["start of 5 nodes and Kafka"] == "" {
		t.Errorf("the manifest of docker says %v was measured, %v", m.Measured, err)
	}
}
