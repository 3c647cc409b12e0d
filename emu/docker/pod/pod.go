// Package pod is the process that runs a node in a container of its own: its
// traffic is limited by the kernel, and its function containers are started
// beside it.
package pod

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/agent"
	"github.com/flowtwin/flowtwin/emu/container"
	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/sibling"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/emu/node"
	"github.com/flowtwin/flowtwin/emu/remote"
	"github.com/flowtwin/flowtwin/emu/shape/htb"
	"github.com/flowtwin/flowtwin/scenarios"
)

// patience is how long a node waits for its harness.
const patience = 2 * time.Minute

// Serve runs a node that its harness reaches at an address of the emulated
// network, and knows by a token. It returns when the harness is gone. real is
// what functions and switches really do, if they are to.
func Serve(ctx context.Context, address, token string, plan scenarios.Planner, real function.Bodies) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("--listen %s: an address and a port are wanted, such as 198.18.0.16:7071: %w", address, err)
	}
	if token == "" {
		return errors.New("FLOWTWIN_TOKEN is not set: a node is started by flowtwin run --backend docker, which sets it")
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	p := &pod{address: at.Addr()}
	defer p.close()
	return remote.Serve(ctx, listener, remote.Config{
		Token: token, Plan: plan, Bodies: real, Containers: p.containers, Shape: p.shape, Patience: patience,
	})
}

// pod is what lasts as long as the process.
type pod struct {
	address netip.Addr
	engine  *client.Client // nil until it is needed
	shaper  *htb.Shaper    // of the present trial
}

func (p *pod) close() {
	if p.engine != nil {
		p.engine.Close()
	}
}

// shape puts limits on the interface that has the pod's address.
func (p *pod) shape(l htb.Limits) (remote.Shaper, error) {
	name, err := interfaceOf(p.address)
	if err != nil {
		return nil, err
	}
	p.shaper, err = htb.Open(name, l)
	if err != nil {
		return nil, err
	}
	return p.shaper, nil
}

func interfaceOf(address netip.Addr) (string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return "", err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			return "", err
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == address {
				return i.Name, nil
			}
		}
	}
	return "", fmt.Errorf("no interface has the address %s", address)
}

// containers makes what starts the containers of a worker.
func (p *pod) containers(b *remote.Begin) (func(*node.Node) agent.Containers, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if p.engine == nil {
		var err error
		if p.engine, err = daemon.Connect(ctx); err != nil {
			return nil, err
		}
	}
	f := &b.Functions
	free, err := sibling.Numbered(f.Addresses, f.Count)
	if err != nil {
		return nil, err
	}
	launcher, err := sibling.New(ctx, p.engine, sibling.Config{
		Image: f.Image, Pod: f.Pod, Labels: f.Labels, Memory: f.Memory,
		Env:    []string{command.InImage + "=" + os.Getenv(command.InImage)},
		Egress: f.Egress, Free: free, Addresses: &addresses{p.shaper},
	})
	if err != nil {
		return nil, err
	}
	return container.In(container.Config{
		Launcher: launcher, Services: b.Services, Compute: b.Compute, Pace: b.Pace, Returns: b.Returns, Listen: "127.0.0.1:0",
	}), nil
}

// addresses are those of a pod's interface. They implement sibling.Addresses.
type addresses struct {
	shaper *htb.Shaper
}

// Add implements sibling.Addresses.
func (a *addresses) Add(address netip.Addr, rate float64) error {
	if err := a.shaper.AddAddress(address); err != nil {
		return err
	}
	return a.shaper.LimitSource(address, rate)
}

// Remove implements sibling.Addresses.
func (a *addresses) Remove(address netip.Addr) error {
	return errors.Join(a.shaper.LimitSource(address, 0), a.shaper.RemoveAddress(address))
}
