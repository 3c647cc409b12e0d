package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
)

// Which says what of all that clusters have left is to be removed. The zero
// value stands for that of dead owners.
type Which struct {
	// All: of living owners too.
	All bool
	// Cluster, if not empty, is the one whose things are removed, whoever its
	// owner is.
	Cluster string
}

// Thing is what was found or removed.
type Thing struct {
	Kind    string `json:"kind"` // container, network, directory
	Name    string `json:"name"`
	Cluster string `json:"cluster,omitempty"`
	Owner   string `json:"owner,omitempty"`

	id string
}

// Find returns the containers and networks that Sweep would remove, in the
// order in which it would.
func Find(ctx context.Context, c client.APIClient, which Which) ([]Thing, error) {
	label := LabelFlowtwin + "=true"
	if which.Cluster != "" {
		label = LabelCluster + "=" + which.Cluster
	}
	chosen := filters.NewArgs(filters.Arg("label", label))
	containers, err := c.ContainerList(ctx, container.ListOptions{All: true, Filters: chosen})
	if err != nil {
		return nil, fmt.Errorf("listing containers of flowtwin: %w", err)
	}
	networks, err := c.NetworkList(ctx, network.ListOptions{Filters: chosen})
	if err != nil {
		return nil, fmt.Errorf("listing networks of flowtwin: %w", err)
	}
	var found []Thing
	add := func(kind, id, name string, labels map[string]string) error {
		t := Thing{kind, name, labels[LabelCluster], labels[LabelOwner], id}
		chosen, err := which.chosen(t)
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, name, err)
		}
		if chosen {
			found = append(found, t)
		}
		return nil
	}
	for _, i := range containers {
		name := i.ID
		if len(i.Names) > 0 {
			name = strings.TrimPrefix(i.Names[0], "/")
		}
		err = errors.Join(err, add("container", i.ID, name, i.Labels))
	}
	for _, i := range networks {
		err = errors.Join(err, add("network", i.ID, i.Name, i.Labels))
	}
	slices.SortStableFunc(found, func(a, b Thing) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Name, b.Name))
	})
	return found, err
}

func (w Which) chosen(t Thing) (bool, error) {
	if w.All || w.Cluster != "" {
		return true, nil
	}
	owner, err := ParseOwner(t.Owner)
	if err != nil {
		// Nobody knows whose it is, so it may be in use: --all takes it.
		return false, nil
	}
	return owner.Dead()
}

// Sweep removes containers with their volumes, several at a time, and then
// networks. What others remove at the same time counts as nobody's work and is
// no error. It returns what it has removed, even with an error, which says what
// is left. It looks again until there is nothing: a node that is removed may
// just have had a function container started.
func Sweep(ctx context.Context, c client.APIClient, which Which) ([]Thing, error) {
	const (
		most  = 10
		pause = 100 * time.Millisecond
	)
	var all []Thing
	for look := 1; ; look++ {
		removed, err := sweep(ctx, c, which)
		all = append(all, removed...)
		if err != nil || len(removed) == 0 || look == most {
			return all, err
		}
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// sweep removes what is there now.
func sweep(ctx context.Context, c client.APIClient, which Which) ([]Thing, error) {
	found, failed := Find(ctx, c, which)
	first := slices.IndexFunc(found, func(t Thing) bool { return t.Kind != "container" })
	if first < 0 {
		first = len(found)
	}
	var removed []Thing
	for _, part := range [...][]Thing{found[:first], found[first:]} {
		done := make([]bool, len(part))
		errs := make([]error, len(part))
		const most = 8 // More only wait for each other.
		var work sync.WaitGroup
		for worker := range min(most, len(part)) {
			work.Go(func() {
				for i := worker; i < len(part); i += most {
					done[i], errs[i] = part[i].remove(ctx, c)
				}
			})
		}
		work.Wait()
		for i, t := range part {
			if errs[i] != nil {
				failed = errors.Join(failed, fmt.Errorf("removing the %s %s: %w", t.Kind, t.Name, errs[i]))
			} else if done[i] {
				removed = append(removed, t)
			}
		}
	}
	return removed, failed
}

// remove removes a thing, and reports whether that was its own doing. An
// engine that is busy with it, or with what hangs on it, is asked again.
func (t Thing) remove(ctx context.Context, c client.APIClient) (bool, error) {
	const patience = 10 * time.Second
	for start := time.Now(); ; {
		var err error
		if t.Kind == "container" {
			err = c.ContainerRemove(ctx, t.id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		} else {
			err = c.NetworkRemove(ctx, t.id)
		}
		switch {
		case err == nil:
			return true, nil
		case errdefs.IsNotFound(err):
			return false, nil
		case ctx.Err() != nil || time.Since(start) > patience || !busy(err):
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// busy reports whether an engine's refusal may pass: something else is being
// done to the thing, or it hangs on something that is still going away. For a
// network with endpoints engines say "forbidden".
func busy(err error) bool {
	return errdefs.IsConflict(err) || errdefs.IsPermissionDenied(err) && strings.Contains(err.Error(), "active endpoints")
}
