package dataflower_test

import (
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/flowtwin/flowtwin/engine/dataflower"
	"github.com/flowtwin/flowtwin/engine/enginetest"
)

// TestTraces plays the scripts in testdata, each under the data rule that it
// names, and compares what every node is told, and asks for, with the traces
// beside them.
//
//	go test ./engine/dataflower -rewrite
//
// writes the traces anew.
func TestTraces(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			return enginetest.Trace(dataflower.Scheme{}, d.Cmd, d.Input)
		})
	})
}
