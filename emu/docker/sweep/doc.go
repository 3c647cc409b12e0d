// Package sweep removes what emulated clusters have left on a Docker engine.
//
// A program that is killed removes nothing. So everything of a cluster carries
// labels that say whose it is, and whoever comes next can tell whether its
// owner still lives: see Owner. No helper has to run beside a cluster for
// that.
package sweep
