package daemon_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/versions"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
)

// Each way in which an engine can be missing has an error of its own, because
// each has another remedy.
func TestWaysInWhichAnEngineIsMissing(t *testing.T) {
	dir := t.TempDir()
	// A directory with the commands docker and dockerd, which are never run.
	commands := filepath.Join(dir, "bin")
	if err := os.Mkdir(commands, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"docker", "dockerd"} {
		if err := os.WriteFile(filepath.Join(commands, name), []byte("#!/bin/false\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A socket that nobody listens at any more.
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, host, path string
		want             error
		root             bool // whether root sees it too
	}{
		{"Docker is not installed", "unix://" + dir + "/none.sock", dir, daemon.ErrNotInstalled, true},
		{"it is, and does not run", "unix://" + dir + "/none.sock", commands, daemon.ErrNotRunning, true},
		{"it was killed", "unix://" + stale, dir, daemon.ErrNotRunning, true},
		{"it is not for this user", "unix://" + locked + "/docker.sock", commands, daemon.ErrPermission, false},
		{"it is elsewhere, and does not answer", "tcp://127.0.0.1:1", commands, daemon.ErrUnreachable, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !test.root && os.Getuid() == 0 {
				t.Skip("root may use every socket")
			}
			t.Setenv("DOCKER_HOST", test.host)
			t.Setenv("PATH", test.path)
			c, err := daemon.Connect(t.Context())
			if err == nil {
				c.Close()
			}
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want %v", err, test.want)
			}
		})
	}
	t.Run("DOCKER_HOST is none", func(t *testing.T) {
		t.Setenv("DOCKER_HOST", "nonsense")
		if _, err := daemon.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), "DOCKER_HOST") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestOnEngineAClientSpeaksWhatTheEngineKnows(t *testing.T) {
	c := daemontest.Connect(t)
	version, err := c.ServerVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if version.APIVersion == "" || versions.GreaterThan(c.ClientVersion(), version.APIVersion) {
		t.Errorf("the client speaks %s, the engine %s", c.ClientVersion(), version.APIVersion)
	}
}
