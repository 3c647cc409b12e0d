// Package daemon finds the Docker engine, and tells the ways in which one can
// be missing apart: each has another remedy.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"time"

	"github.com/docker/docker/client"
)

// The ways in which an engine can be missing.
var (
	ErrNotInstalled = errors.New("no Docker is installed here: see https://docs.docker.com/engine/install")
	ErrNotRunning   = errors.New("the Docker engine does not run: start it (sudo systemctl start docker, or sudo dockerd)")
	ErrPermission   = errors.New("this user may not use the Docker engine: add it to the group docker (sudo usermod -aG docker $USER, then log in again), or be root")
	ErrUnreachable  = errors.New("the Docker engine that DOCKER_HOST names does not answer")
)

// patience is for an engine that accepts connections and says nothing.
const patience = 10 * time.Second

// Connect returns a client of the engine that DOCKER_HOST names, by default of
// the one on this machine, once it has answered. The error wraps one of the
// above if it is that. The client speaks the newest version of the API that
// both know, and is to be closed.
func Connect(ctx context.Context) (*client.Client, error) {
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("DOCKER_HOST, DOCKER_CERT_PATH or DOCKER_API_VERSION is not usable: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err = c.Ping(limited); err == nil {
		return c, nil
	}
	c.Close()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, diagnose(c.DaemonHost(), err)
}

// diagnose says why an engine does not answer.
func diagnose(host string, err error) error {
	at, bad := url.Parse(host)
	if bad != nil || at.Scheme != "unix" {
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, host, err)
	}
	_, missing := os.Stat(at.Path)
	switch {
	case errors.Is(err, fs.ErrPermission) || errors.Is(missing, fs.ErrPermission):
		return fmt.Errorf("%w (%s)", ErrPermission, at.Path)
	case errors.Is(missing, fs.ErrNotExist):
		if _, err := exec.LookPath("dockerd"); err != nil {
			if _, err := exec.LookPath("docker"); err != nil {
				return ErrNotInstalled
			}
		}
		return fmt.Errorf("%w; there is no %s", ErrNotRunning, at.Path)
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%w; nobody listens at %s", ErrNotRunning, at.Path)
	}
	return fmt.Errorf("the Docker engine at %s does not answer: %w", at.Path, err)
}
