// Package records makes the records of a run from what agents observe: of each
// invocation that has ended, and of its tasks, by the definitions of package
// results/record.
package records
