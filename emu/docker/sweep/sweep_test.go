package sweep_test

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// labelsOfDead are labels of a cluster whose owner has ended.
func labelsOfDead(t *testing.T, cluster string) map[string]string {
	t.Helper()
	labels, err := sweep.Labels(cluster, 0)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := sweep.Self()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	owner.PID = c.ProcessState.Pid()
	labels = maps.Clone(labels)
	labels[sweep.LabelOwner] = owner.String()
	return labels
}

// What a dead run has left is removed: a container that runs, one that is
// paused, one that was never started, and the network that they are in. What
// a living one has stays, until it is asked for by name.
func TestOnEngineOnlyWhatDeadRunsHaveLeftIsRemoved(t *testing.T) {
	docker := daemontest.Connect(t)
	image := daemontest.Sleeper(t, docker)
	dead, living := daemontest.Cluster(t, docker), daemontest.Cluster(t, docker)
	start := func(cluster, name, network string, labels map[string]string, run bool) string {
		t.Helper()
		c, err := docker.ContainerCreate(t.Context(), &container.Config{Image: image, Labels: labels, Volumes: map[string]struct{}{"/data": {}}},
			&container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, cluster+"-"+name)
		if err != nil {
			t.Fatal(err)
		}
		if run {
			if err := docker.ContainerStart(t.Context(), c.ID, container.StartOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return c.ID
	}
	ofDead := labelsOfDead(t, dead)
	if _, err := docker.NetworkCreate(t.Context(), dead, network.CreateOptions{Labels: ofDead, Internal: true}); err != nil {
		t.Fatal(err)
	}
	running := start(dead, "running", dead, ofDead, true)
	start(dead, "in-its-namespace", "container:"+running, ofDead, true)
	start(dead, "created", dead, ofDead, false)
	paused := start(dead, "paused", dead, ofDead, true)
	if err := docker.ContainerPause(t.Context(), paused); err != nil {
		t.Fatal(err)
	}
	volumes := volumesOf(t, docker, running)
	ofLiving, err := sweep.Labels(living, 0)
	if err != nil {
		t.Fatal(err)
	}
	alive := start(living, "running", "none", ofLiving, true)

	removed, err := sweep.Sweep(t.Context(), docker, sweep.Which{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range removed {
		if r.Cluster == dead {
			names = append(names, r.Kind+" "+r.Name)
		}
		if r.Cluster == living {
			t.Errorf("%+v of a living owner was removed", r)
		}
	}
	want := []string{"container " + dead + "-created", "container " + dead + "-in-its-namespace", "container " + dead + "-paused", "container " + dead + "-running", "network " + dead}
	if !slices.Equal(names, want) {
		t.Errorf("removed %q, want %q", names, want)
	}
	for _, v := range volumes {
		if _, err := docker.VolumeInspect(t.Context(), v); !errdefs.IsNotFound(err) {
			t.Errorf("the volume %s is left: %v", v, err)
		}
	}
	if left, err := sweep.Find(t.Context(), docker, sweep.Which{Cluster: dead}); err != nil || len(left) > 0 {
		t.Errorf("%+v is left, %v", left, err)
	}
	if _, err := docker.ContainerInspect(t.Context(), alive); err != nil {
		t.Error(err)
	}
	if removed, err = sweep.Sweep(t.Context(), docker, sweep.Which{Cluster: living}); err != nil || len(removed) != 1 {
		t.Errorf("of the living cluster, %+v was removed, %v", removed, err)
	}
}

func volumesOf(t *testing.T, docker *client.Client, id string) []string {
	t.Helper()
	c, err := docker.ContainerInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range c.Mounts {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		t.Fatal("the container has no volume")
	}
	return names
}

// fake is an engine with containers that are hard to remove.
type fake struct {
	client.APIClient
	labels  map[string]map[string]string // of containers, by identifier
	answers map[string][]error           // to removals, by identifier; then it is done

	mu    sync.Mutex
	asked []string
	gone  map[string]bool
	// late are the labels of a container that is there once a has gone.
	late map[string]string
}

func (f *fake) ContainerList(context.Context, container.ListOptions) ([]container.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone["a"] && f.late != nil {
		f.labels["late"], f.late = f.late, nil
	}
	var all []container.Summary
	for _, id := range slices.Sorted(maps.Keys(f.labels)) {
		if f.gone[id] {
			continue
		}
		all = append(all, container.Summary{ID: id, Names: []string{"/" + id}, Labels: f.labels[id]})
	}
	return all, nil
}

func (f *fake) NetworkList(context.Context, network.ListOptions) ([]network.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone["net"] {
		return nil, nil
	}
	return []network.Summary{{ID: "net", Name: "net", Labels: f.labels["a"]}}, nil
}

func (f *fake) ContainerRemove(_ context.Context, id string, o container.RemoveOptions) error {
	if !o.Force || !o.RemoveVolumes {
		return fmt.Errorf("removing with %+v", o)
	}
	return f.answer(id)
}

func (f *fake) NetworkRemove(_ context.Context, id string) error { return f.answer(id) }

func (f *fake) answer(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, id)
	if len(f.answers[id]) == 0 {
		if f.gone == nil {
			f.gone = map[string]bool{}
		}
		f.gone[id] = true
		return nil
	}
	err := f.answers[id][0]
	f.answers[id] = f.answers[id][1:]
	return err
}

func TestWhatOthersRemoveMeanwhileIsNoError(t *testing.T) {
	labels := labelsOfDead(t, "c1")
	f := &fake{
		labels: map[string]map[string]string{"a": labels, "b": labels, "c": labels, "d": labels},
		answers: map[string][]error{
			"a":   {errdefs.ErrNotFound},
			"b":   {fmt.Errorf("removal is in progress: %w", errdefs.ErrConflict), errdefs.ErrNotFound},
			"c":   {errdefs.ErrInternal},
			"net": {fmt.Errorf("network has active endpoints: %w", errdefs.ErrPermissionDenied)},
		},
	}
	removed, err := sweep.Sweep(t.Context(), f, sweep.Which{})
	if err == nil || err.Error() != "removing the container c: internal" {
		t.Errorf("the error is %v, want one about c", err)
	}
	var names []string
	for _, r := range removed {
		names = append(names, r.Name)
	}
	if want := []string{"d", "net"}; !slices.Equal(names, want) {
		t.Errorf("removed %q, want %q", names, want)
	}
	// Several at a time, but networks after all containers.
	slices.Sort(f.asked[:max(0, len(f.asked)-2)])
	if want := []string{"a", "b", "b", "c", "d", "net", "net"}; !slices.Equal(f.asked, want) {
		t.Errorf("asked to remove %q, want %q", f.asked, want)
	}
}

// Without a readable owner nobody knows whether a thing is in use.
func TestThingsOfUnknownOwnersAreOnlyRemovedWithAllOthers(t *testing.T) {
	f := &fake{labels: map[string]map[string]string{"a": {sweep.LabelFlowtwin: "true", sweep.LabelOwner: "me"}}}
	if removed, err := sweep.Sweep(t.Context(), f, sweep.Which{}); err != nil || len(removed) > 0 {
		t.Errorf("removed %+v, %v, want nothing", removed, err)
	}
	if removed, err := sweep.Sweep(t.Context(), f, sweep.Which{All: true}); err != nil || len(removed) != 2 {
		t.Errorf("removed %+v, %v, want the container and the network", removed, err)
	}
}

// A node that is removed may just have had a container started.
func TestWhatComesLateIsRemovedToo(t *testing.T) {
	labels := labelsOfDead(t, "c1")
	f := &fake{labels: map[string]map[string]string{"a": labels}, late: labels}
	removed, err := sweep.Sweep(t.Context(), f, sweep.Which{})
	if err != nil || len(removed) != 3 || removed[2].Name != "late" {
		t.Errorf("removed %+v, %v, want a, net and late", removed, err)
	}
}
