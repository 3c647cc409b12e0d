package cluster_test

import (
	"os"
	"testing"

	"github.com/flowtwin/flowtwin/emu/cluster"
)

// The containers of these tests' clusters run this program.
func TestMain(m *testing.M) {
	cluster.Main(options()...)
	os.Exit(m.Run())
}
