// Package doctor looks at a machine and says what flowtwin can do on it, what
// is missing for the rest, and how to get that.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/docker/subnets"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// State is the outcome of a check.
type State string

// The outcomes.
const (
	OK State = "ok"
	// Missing: without it, what Needed names does not work.
	Missing State = "missing"
	// Unknown: it could not be found out.
	Unknown State = "unknown"
	// Note: it works, and there is something to know.
	Note State = "note"
)

// Check is one thing that was looked at.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Found string `json:"found"`
	// Advice is how to get what is missing.
	Advice string `json:"advice,omitempty"`
	// Needed is the back end that cannot do without, "" if all can.
	Needed string `json:"needed_by,omitempty"`
}

// Diagnosis is all that was found.
type Diagnosis struct {
	Checks []Check `json:"checks"`
	// Sim, Local and Docker: the back end can run here.
	Sim    bool `json:"sim"`
	Local  bool `json:"local"`
	Docker bool `json:"docker"`
}

// Verdict says in a line what can run, and what cannot for want of what.
func (d Diagnosis) Verdict() string {
	var can, cannot []string
	for _, b := range []struct {
		name string
		runs bool
	}{{"sim", d.Sim}, {"local", d.Local}, {"docker", d.Docker}} {
		if b.runs {
			can = append(can, b.name)
			continue
		}
		var lacks []string
		for _, c := range d.Checks {
			if c.Needed == b.name && c.State == Missing {
				lacks = append(lacks, c.Name)
			}
		}
		cannot = append(cannot, fmt.Sprintf("%s cannot: %s", b.name, strings.Join(lacks, ", ")))
	}
	return strings.Join(append([]string{"can run: " + strings.Join(can, ", ")}, cannot...), "; ")
}

// Examine looks at this machine and at the Docker engine that DOCKER_HOST
// names. It leaves both as they were.
func Examine(ctx context.Context) (Diagnosis, error) {
	d := Diagnosis{Sim: true}
	d.add(loopback())
	d.add(machine())
	d.add(tool(ctx, "Go", "go", "to compile flowtwin, https://go.dev/doc/install", "version"))
	docker, err := daemon.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		d.add(Check{Name: "Docker engine", State: Missing, Found: "none that answers", Advice: err.Error(), Needed: "docker"})
	} else {
		defer docker.Close()
		if err := d.engine(ctx, docker); err != nil {
			return d, err
		}
	}
	d.add(room(ctx, docker))
	d.add(tool(ctx, "ffmpeg", "ffmpeg", "for real bodies of the video workflows: apt-get install ffmpeg", "-version"))
	const builds = "to build images, which installs it with apt-get if root: apt-get install "
	d.add(tool(ctx, "Java", "java", builds+"default-jre-headless", "-XX:-UsePerfData", "-version"))
	d.add(tool(ctx, "Maven", "mvn", builds+"maven"))
	d.add(tool(ctx, "Redis", "redis-server", builds+"redis-tools", "--version"))
	if err := d.leftovers(ctx, docker); err != nil {
		return d, err
	}
	d.Local, d.Docker = d.runs("local"), d.runs("docker")
	return d, ctx.Err()
}

func (d *Diagnosis) add(c Check) { d.Checks = append(d.Checks, c) }

func (d *Diagnosis) runs(backend string) bool {
	for _, c := range d.Checks {
		if c.Needed == backend && c.State == Missing {
			return false
		}
	}
	return true
}

// loopback tries what the back end local lives on.
func loopback() Check {
	c := Check{Name: "loopback", State: OK, Found: "TCP ports can be opened", Needed: "local"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.State, c.Found, c.Advice = Missing, err.Error(), "bring the loopback interface up: sudo ip link set lo up"
		return c
	}
	l.Close()
	return c
}

// tool looks for a command, and asks for its version if there are arguments.
func tool(ctx context.Context, name, command, advice string, version ...string) Check {
	c := Check{Name: name, State: OK}
	at, err := exec.LookPath(command)
	var args []string
	if err != nil && command == "redis-server" {
		// It is a server by the name that it is called by.
		at, err = exec.LookPath("redis-check-rdb")
		args = []string{command}
	}
	if err != nil {
		c.State, c.Found, c.Advice = Note, "not here", advice
		return c
	}
	c.Found = at
	if len(version) == 0 {
		return c
	}
	if args == nil {
		args = []string{at}
	}
	run := exec.CommandContext(ctx, at, version...)
	run.Args = append(args, version...)
	out, err := run.CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	const most = 60
	if len(line) > most {
		line = line[:most]
	}
	if c.Found = strings.TrimSpace(strings.ToValidUTF8(line, "")); err != nil {
		c.State, c.Found, c.Advice = Note, fmt.Sprintf("%s does not run: %v", at, err), advice
	}
	return c
}

// engine looks at a Docker engine that answers.
func (d *Diagnosis) engine(ctx context.Context, docker *client.Client) error {
	info, err := docker.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking the Docker engine about itself: %w", err)
	}
	e := Check{Name: "Docker engine", State: OK, Needed: "docker",
		Found: fmt.Sprintf("%s, API %s, %s/%s at %s", info.ServerVersion, docker.ClientVersion(), info.OSType, info.Architecture, docker.DaemonHost())}
	if info.OSType != "linux" {
		e.State, e.Advice = Missing, "flowtwin needs an engine that runs Linux containers"
	}
	d.add(e)
	cgroups := info.CgroupVersion
	if cgroups == "" {
		cgroups = "unknown"
	}
	d.add(Check{Name: "cgroups", State: OK, Found: fmt.Sprintf("version %s, driver %s", cgroups, info.CgroupDriver)})
	d.add(resources(info.NCPU, info.MemTotal, info.DockerRootDir))
	available, err := images.List(ctx, docker)
	if err != nil {
		return err
	}
	node := ""
	for _, a := range available {
		c := Check{Name: "image " + string(a.Kind), State: OK, Needed: "docker"}
		if a.Serves != nil {
			c.Found = a.Serves.Served
			if a.Kind == images.Node {
				node = a.Serves.ID
			}
		} else {
			c.State, c.Found, c.Advice = Missing, "none here", "flowtwin images build "+string(a.Build)
			if a.Official != "" {
				c.Advice += ", or docker pull " + a.Official
			}
		}
		d.add(c)
	}
	d.add(shaping(ctx, docker, node))
	return nil
}

// room looks for room in the networks that are kept for benchmarks.
func room(ctx context.Context, docker *client.Client) Check {
	c := Check{Name: "subnet", State: OK, Needed: "docker"}
	taken, err := subnets.Routes()
	if err == nil && docker != nil {
		var networks []network.Summary
		networks, err = docker.NetworkList(ctx, network.ListOptions{})
		for _, n := range networks {
			for _, s := range n.IPAM.Config {
				if p, err := netip.ParsePrefix(s.Subnet); err == nil {
					taken = append(taken, subnets.Use{Subnet: p, By: "the Docker network " + n.Name})
				}
			}
		}
	}
	if err != nil {
		c.State, c.Found = Unknown, err.Error()
		return c
	}
	free, users := subnets.Free(taken)
	c.Found = fmt.Sprintf("%d of %d networks /%d in %s are free", len(free), subnets.Count, subnets.Bits, subnets.All)
	switch {
	case len(free) == 0:
		c.State, c.Advice = Missing, "taken by "+strings.Join(users, ", ")+": emulated clusters need one of them"
	case len(users) > 0:
		c.Found += "; others are used by " + strings.Join(users, ", ")
	}
	return c
}

// leftovers looks for what dead runs have left.
func (d *Diagnosis) leftovers(ctx context.Context, docker *client.Client) error {
	left, err := sweep.FindTemp(false)
	if docker != nil {
		things, failed := sweep.Find(ctx, docker, sweep.Which{})
		left, err = append(left, things...), errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	c := Check{Name: "leftovers", State: OK, Found: "none"}
	if docker == nil {
		c.Found = "no temporary files; containers are not seen without an engine"
	}
	if len(left) > 0 {
		counts := map[string]int{}
		for _, t := range left {
			counts[t.Kind]++
		}
		var words []string
		for _, kind := range []string{"container", "network", "directory"} {
			if n := counts[kind]; n > 0 {
				words = append(words, fmt.Sprintf("%d of kind %s", n, kind))
			}
		}
		c.State, c.Found, c.Advice = Note, strings.Join(words, ", ")+", of dead runs", "flowtwin clean"
	}
	d.add(c)
	return nil
}

// machine is this one, whatever the engine's is.
func machine() Check {
	c := Check{Name: "machine", State: OK, Found: fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	if free, err := freeDisk(os.TempDir()); err == nil {
		c.Found += fmt.Sprintf(", %.0f GB of disk free for temporary files", float64(free)/1e9)
	}
	return c
}

// resources are those of the engine's machine.
func resources(cores int, memory int64, root string) Check {
	c := Check{Name: "resources", State: OK, Found: fmt.Sprintf("%d cores, %.0f GB of memory", cores, float64(memory)/1e9)}
	if free, err := freeDisk(root); err == nil { // Not if the engine is elsewhere.
		c.Found += fmt.Sprintf(", %.0f GB of disk free", float64(free)/1e9)
		if free < 2e9 {
			c.State, c.Advice = Note, "images and containers need about 2 GB in "+root
		}
	}
	if memory < 3e9 {
		c.State, c.Advice = Note, "a cluster of three workers needs about 3 GB of memory, a third of it for Kafka"
	}
	return c
}
