package doctor

import (
	"encoding/binary"
	"fmt"
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

func TestUsedNetworksAreNotFree(t *testing.T) {
	for _, test := range []struct {
		name  string
		taken []use
		free  int
		users int
	}{
		{"nothing", nil, 512, 0},
		{"others", []use{{"10.0.0.0/8", "a"}, {"198.17.0.0/16", "b"}, {"198.20.0.0/24", "c"}, {"fd00::/8", "d"}, {"", "e"}}, 512, 0},
		{"one", []use{{"198.18.0.0/24", "a"}}, 511, 1},
		{"the last", []use{{"198.19.255.0/24", "a"}}, 511, 1},
		{"part of one", []use{{"198.18.7.128/25", "a"}}, 511, 1},
		{"twice the same", []use{{"198.18.7.0/24", "a"}, {"198.18.7.0/30", "b"}}, 511, 2},
		{"half", []use{{"198.19.0.0/16", "a"}}, 256, 1},
		{"more than all", []use{{"198.0.0.0/8", "a"}}, 0, 1},
	} {
		free, users := room(test.taken)
		if free != test.free || len(users) != test.users {
			t.Errorf("%s: %d are free, used by %q; want %d and %d users", test.name, free, users, test.free, test.users)
		}
	}
}

// routeLine is a line of the kernel's table.
func routeLine(device string, destination, mask [4]byte) string {
	return fmt.Sprintf("%s\t%08X\t00000000\t0001\t0\t0\t0\t%08X\t0\t0\t0\n", device, binary.NativeEndian.Uint32(destination[:]), binary.NativeEndian.Uint32(mask[:]))
}

func TestTheKernelsRoutesAreRead(t *testing.T) {
	const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	text := head + routeLine("eth0", [4]byte{}, [4]byte{}) + routeLine("vpn0", [4]byte{198, 18, 4, 0}, [4]byte{255, 255, 252, 0}) + "\n"
	got, err := parseRoutes(strings.NewReader(text))
	if err != nil || len(got) != 1 || got[0] != (use{"198.18.4.0/22", "the interface vpn0"}) {
		t.Errorf("%+v, %v; want the one of vpn0, without the default route", got, err)
	}
	if got, err := parseRoutes(strings.NewReader(head + "eth0\tXYZ\t0\t0\t0\t0\t0\t0\n")); err == nil {
		t.Errorf("a broken line is read as %+v", got)
	}
}

func FuzzParseRoutes(f *testing.F) {
	f.Add("head\n" + routeLine("vpn0", [4]byte{198, 18, 4, 0}, [4]byte{255, 255, 252, 0}))
	f.Add("head\nx 0 0 0 0 0 0 FFFFFFFF")
	f.Fuzz(func(t *testing.T, text string) {
		taken, err := parseRoutes(strings.NewReader(text))
		if err != nil {
			return
		}
		if free, _ := room(taken); free < 0 || free > all24 {
			t.Errorf("%q leaves %d networks", text, free)
		}
	})
}
