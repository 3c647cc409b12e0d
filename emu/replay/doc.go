// Package replay records what the engines of an emulated run were told, and
// plays it to fresh engines afterwards: the same events must have the same
// effects. So what was seen once, in real time, can be looked at again step by
// step, and an engine that depends on anything but its events is found out.
//
// A file holds the inputs of one node in one trial: a head that says which,
// then each step with its time, its event, and a digest of the effects.
package replay

import (
	"fmt"
	"path/filepath"

	"github.com/flowtwin/flowtwin/engine"
)

// Directory is where a run directory keeps the inputs.
const Directory = "inputs"

// extension of the files.
const extension = ".inputs"

// FileName is where the inputs of a node are kept, within the run directory.
// incarnation counts the starts of the node from 0.
func FileName(point, trial int, c *engine.Cluster, node engine.NodeID, incarnation int) string {
	name := c.NodeName(node)
	if incarnation > 0 {
		name += fmt.Sprintf("-restart-%d", incarnation)
	}
	return filepath.Join(Directory, fmt.Sprintf("point-%d", point), fmt.Sprintf("trial-%d", trial), name+extension)
}
