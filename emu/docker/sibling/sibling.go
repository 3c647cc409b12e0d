// Package sibling starts function containers on the Docker engine that the
// node itself runs on, beside it: they share its network, so what they send
// and receive is the node's.
package sibling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	agents "github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// LabelRole says what a container of a node is.
const (
	LabelRole = "org.flowtwin.role"
	// Function is the role of what this package starts.
	Function = "function"
)

// Addresses gives containers addresses of their own, so that the traffic of
// each can be limited.
type Addresses interface {
	// Add adds an address to the node, and limits what is sent from it, in
	// bytes on the wire a second.
	Add(a netip.Addr, rate float64) error
	Remove(a netip.Addr) error
}

// Config says how containers are started.
type Config struct {
	// Image is theirs; its entry point takes the word function. Pod is the
	// container whose network they share.
	Image, Pod string
	// Labels are put on all.
	Labels map[string]string
	// Env are variables that all have, as NAME=value.
	Env []string
	// Memory is that of containers whose function does not say, in bytes; 0 is
	// no limit.
	Memory int64
	// Egress, if above 0, is what a container can send for each core of its
	// function, in bytes on the wire a second. It then has one of the
	// addresses.
	Egress    float64
	Addresses Addresses
	Free      []netip.Addr
}

// Launcher starts containers. It implements container.Launcher.
type Launcher struct {
	engine client.APIClient
	config Config

	mu   sync.Mutex
	free []netip.Addr
}

// New returns a launcher. What an earlier node has left under the same labels
// is removed: nobody can reach it any more.
func New(ctx context.Context, engine client.APIClient, c Config) (*Launcher, error) {
	labels := map[string]string{LabelRole: Function}
	for name, value := range c.Labels {
		labels[name] = value
	}
	c.Labels = labels
	l := &Launcher{engine: engine, config: c, free: c.Free}
	only := filters.NewArgs(filters.Arg("label", LabelRole+"="+Function))
	for _, name := range [...]string{sweep.LabelCluster, sweep.LabelNode} {
		only.Add("label", name+"="+labels[name])
	}
	old, err := engine.ContainerList(ctx, container.ListOptions{All: true, Filters: only})
	if err != nil {
		return nil, fmt.Errorf("function containers of an earlier node cannot be looked for: %w", err)
	}
	for _, o := range old {
		if err := remove(ctx, engine, o.ID); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Launch implements container.Launcher.
func (l *Launcher) Launch(ctx context.Context, number uint64, f *workflow.Function, env []string) (agents.Process, error) {
	p := &process{launcher: l, gone: make(chan struct{})}
	env = append(env, l.config.Env...)
	if l.config.Egress > 0 {
		if err := p.takeAddress(f); err != nil {
			return nil, err
		}
		env = append(env, agents.EnvAddress+"="+p.address.String())
	}
	// An engine that is no longer waited for makes it all the same, and nobody would
	// know of it.
	const patience = time.Minute
	making, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer stop()
	created, err := l.engine.ContainerCreate(making, &container.Config{
		Image: l.config.Image, Cmd: []string{"function"}, Env: env, Labels: l.config.Labels,
	}, &container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + l.config.Pod), AutoRemove: true, Resources: l.resources(f),
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m"}},
	}, nil, nil, "")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a container for %s cannot be made: %w", f.Name, err), p.giveAddress())
	}
	p.id = created.ID
	// Watched from before it starts, so that its end is not missed.
	ended, failed := l.engine.ContainerWait(context.Background(), p.id, container.WaitConditionRemoved)
	go func() {
		select {
		case <-ended:
		case <-failed: // The engine does not tell any more: then it is gone for us.
		}
		close(p.gone)
	}()
	if err := l.engine.ContainerStart(ctx, p.id, container.StartOptions{}); err != nil {
		return nil, errors.Join(fmt.Errorf("a container for %s cannot be started: %w", f.Name, err), p.Kill())
	}
	return p, nil
}

// leastMemory is what the program itself needs, in bytes.
const leastMemory = 32 << 20

// resources are what a container of a function has. A function that only waits
// needs no share of the processors.
func (l *Launcher) resources(f *workflow.Function) container.Resources {
	var r container.Resources
	if cores := min(f.CPU, float64(runtime.NumCPU())); cores > 0 {
		r.NanoCPUs = int64(math.Max(cores, 0.01) * 1e9)
	}
	if r.Memory = f.Memory; r.Memory == 0 {
		r.Memory = l.config.Memory
	}
	if r.Memory > 0 {
		r.Memory = max(r.Memory, leastMemory)
	}
	return r
}

// process is a container.
type process struct {
	launcher *Launcher
	id       string
	address  netip.Addr
	gone     chan struct{}
	once     sync.Once
}

// takeAddress gives the container one of the free addresses.
func (p *process) takeAddress(f *workflow.Function) error {
	l := p.launcher
	l.mu.Lock()
	if len(l.free) == 0 {
		l.mu.Unlock()
		return errors.New("there are more function containers on this node than addresses for them")
	}
	address := l.free[0]
	l.free = l.free[1:]
	l.mu.Unlock()
	cores := f.CPU
	if cores == 0 {
		cores = 1
	}
	if err := l.config.Addresses.Add(address, l.config.Egress*cores); err != nil {
		return fmt.Errorf("an address for a container of %s: %w", f.Name, err)
	}
	p.address = address
	return nil
}

func (p *process) giveAddress() error {
	if !p.address.IsValid() {
		return nil
	}
	l := p.launcher
	err := l.config.Addresses.Remove(p.address)
	l.mu.Lock()
	l.free = append(l.free, p.address)
	l.mu.Unlock()
	p.address = netip.Addr{}
	return err
}

// Gone implements container.Process.
func (p *process) Gone() <-chan struct{} { return p.gone }

// Kill implements container.Process.
func (p *process) Kill() (err error) {
	p.once.Do(func() {
		// The context of who wants it killed may be over.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = errors.Join(remove(ctx, p.launcher.engine, p.id), p.giveAddress())
	})
	return err
}

// remove kills and removes a container, unless somebody else does.
func remove(ctx context.Context, engine client.APIClient, id string) error {
	err := engine.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
		return fmt.Errorf("the function container %s cannot be removed: %w", short(id), err)
	}
	return nil
}

func short(id string) string { return id[:min(len(id), 12)] }

// Numbered parses what a first address and a count say.
func Numbered(first string, count int) ([]netip.Addr, error) {
	if count == 0 {
		return nil, nil
	}
	a, err := netip.ParseAddr(first)
	if err != nil {
		return nil, fmt.Errorf("%s addresses from %q: %w", strconv.Itoa(count), first, err)
	}
	all := make([]netip.Addr, count)
	for i := range all {
		all[i], a = a, a.Next()
	}
	return all, nil
}
