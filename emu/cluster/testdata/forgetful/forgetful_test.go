// Package forgetful is a test that brings up a cluster and does not call Main.
package forgetful

import (
	"testing"

	"github.com/flowtwin/flowtwin/emu/cluster"
)

func TestForgetful(t *testing.T) {
	c, err := cluster.Run(t.Context(), cluster.WithWorkers(1))
	cluster.Cleanup(t, c)
	if err != nil {
		t.Fatal(err)
	}
}
