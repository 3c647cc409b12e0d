// Package faults does to the containers of a cluster what faults do to
// machines and services: it kills them and starts them again, and makes them
// stand still.
package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
)

// Labelled returns the containers with all of the labels, running or not.
func Labelled(ctx context.Context, c client.ContainerAPIClient, labels map[string]string) ([]string, error) {
	only := filters.NewArgs()
	for name, value := range labels {
		only.Add("label", name+"="+value)
	}
	all, err := c.ContainerList(ctx, container.ListOptions{All: true, Filters: only})
	if err != nil {
		return nil, fmt.Errorf("the containers of a node cannot be looked for: %w", err)
	}
	var ids []string
	for _, one := range all {
		ids = append(ids, one.ID)
	}
	return ids, nil
}

// Kill kills containers, which stay to be started again.
func Kill(ctx context.Context, c client.ContainerAPIClient, ids ...string) error {
	return each("killed", ids, func(id string) error {
		err := c.ContainerKill(ctx, id, "KILL")
		if errdefs.IsConflict(err) { // It does not run.
			return nil
		}
		return err
	})
}

// Remove kills containers and removes them.
func Remove(ctx context.Context, c client.ContainerAPIClient, ids ...string) error {
	return each("removed", ids, func(id string) error {
		err := c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if errdefs.IsConflict(err) { // Somebody else is at it.
			return nil
		}
		return err
	})
}

// Start starts containers again.
func Start(ctx context.Context, c client.ContainerAPIClient, ids ...string) error {
	return each("started again", ids, func(id string) error { return c.ContainerStart(ctx, id, container.StartOptions{}) })
}

// Tail is the end of what a container has printed.
func Tail(ctx context.Context, c client.ContainerAPIClient, id string) string {
	const lines, most = "20", 2000
	log, err := c.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: lines})
	if err != nil {
		return "its log cannot be read: " + err.Error()
	}
	defer log.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, log); err != nil {
		return "its log cannot be read: " + err.Error()
	}
	said := strings.TrimSpace(strings.ToValidUTF8(text.String(), "?"))
	if said == "" {
		return "it has printed nothing"
	}
	return "it has printed: " + said[max(0, len(said)-most):]
}

// Freeze makes containers stand still, or go on.
func Freeze(ctx context.Context, c client.ContainerAPIClient, still bool, ids ...string) error {
	if still {
		return each("paused", ids, func(id string) error {
			err := c.ContainerPause(ctx, id)
			if errdefs.IsConflict(err) { // It does not run, or stands still.
				return nil
			}
			return err
		})
	}
	return each("resumed", ids, func(id string) error {
		const tries = 20
		var err error
		for range tries {
			// Some engines say for a moment that one that was just paused is not.
			if err = c.ContainerUnpause(ctx, id); err == nil || !strings.Contains(err.Error(), "not paused") {
				return err
			}
			time.Sleep(5 * time.Millisecond)
		}
		return nil // It runs.
	})
}

// each does something to all containers that are still there.
func each(what string, ids []string, do func(id string) error) error {
	var errs []error
	for _, id := range ids {
		if err := do(id); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("the container %s cannot be %s: %w", id[:min(12, len(id))], what, err))
		}
	}
	return errors.Join(errs...)
}
