package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/docker/daemon"
)

// SkipIfNoDocker skips a test where there is no Docker engine that can be used,
// and says why.
func SkipIfNoDocker(t testing.TB) {
	t.Helper()
	engine, err := daemon.Connect(t.Context())
	if err != nil {
		t.Skipf("this needs a Docker engine: %v", err)
	}
	engine.Close()
}

// Cleanup terminates a cluster with the test, also if it fails or panics. It
// is called before the error of Run is looked at, and does nothing where there
// is no cluster.
func Cleanup(t testing.TB, c *Cluster) {
	t.Helper()
	if c == nil {
		return
	}
	t.Cleanup(func() {
		const patience = time.Minute
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Terminate(ctx); err != nil {
			t.Errorf("terminating the cluster: %v", err)
		}
	})
}
