package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
)

// named is the check of a name.
func named(t *testing.T, d Diagnosis, name string) Check {
	t.Helper()
	i := slices.IndexFunc(d.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("nothing is said of %s in %+v", name, d.Checks)
	}
	return d.Checks[i]
}

func TestWithoutAnEngineTheOtherBackEndsRun(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	d, err := Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !d.Sim || !d.Local || d.Docker {
		t.Errorf("sim %v, local %v, docker %v", d.Sim, d.Local, d.Docker)
	}
	if c := named(t, d, "Docker engine"); c.State != Missing || c.Advice == "" {
		t.Errorf("of the engine, %+v is said", c)
	}
	if got := d.Verdict(); got != "can run: sim, local; docker cannot: Docker engine" {
		t.Errorf("the verdict is %q", got)
	}
	if named(t, d, "subnet").State != OK {
		t.Errorf("this machine's routes leave no subnet: %+v", named(t, d, "subnet"))
	}
}

func TestTheVerdictNamesWhatIsMissing(t *testing.T) {
	d := Diagnosis{Sim: true, Docker: true}
	d.add(Check{Name: "loopback", State: Missing, Needed: "local"})
	d.add(Check{Name: "image kafka", State: Missing, Needed: "docker"})
	d.add(Check{Name: "subnet", State: Unknown, Needed: "docker"})
	d.Local, d.Docker = d.runs("local"), d.runs("docker")
	if got := d.Verdict(); got != "can run: sim; local cannot: loopback; docker cannot: image kafka" {
		t.Errorf("the verdict is %q", got)
	}
}

func TestOnEngineAllThatDockerNeedsIsLookedAt(t *testing.T) {
	docker := daemontest.Connect(t)
	name, prefix := daemontest.Network(t, docker, daemontest.Cluster(t, docker))
	d, err := Examine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cgroups", "resources", "image node", "image redis", "image kafka", "image couchdb", "shaping"} {
		if c := named(t, d, name); c.Found == "" || c.State == Missing && c.Advice == "" {
			t.Errorf("of %s, %+v is said", name, c)
		}
	}
	if c := named(t, d, "subnet"); c.State != OK || !strings.Contains(c.Found, "the Docker network "+name+" ("+prefix+"0/24)") {
		t.Errorf("of the subnets, %+v is said, without the network %s", c, name)
	}
	t.Log(d.Verdict())
}

// The kernel is tried in a network namespace that goes away again.
func TestTheKernelIsTriedApart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make a network namespace")
	}
	before, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Skip("this system has no /proc")
	}
	s, err := Apart()
	if err != nil {
		t.Skipf("this user may not make a network namespace: %v", err)
	}
	t.Logf("%+v", s)
	if c := s.check(); (c.State == OK) != (s == Shaping{}) || c.State != OK && c.Advice == "" {
		t.Errorf("%+v is said of %+v", c, s)
	}
	after, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(after), "flowtwin-probe") {
		t.Errorf("the device is in this namespace:\n%s\nbefore:\n%s", after, before)
	}
}

func TestWhatAKernelLacksIsNamed(t *testing.T) {
	c := Shaping{HTB: "no such file or directory"}.check()
	if c.State != Note || !strings.Contains(c.Found, "HTB: no such file") || strings.Contains(c.Found, "IFB") || !strings.Contains(c.Advice, "modprobe") {
		t.Errorf("%+v", c)
	}
}
