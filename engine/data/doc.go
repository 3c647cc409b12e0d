// Package data decides where each function's outputs are kept.
//
// A function that has ended leaves data behind for others. The remote store
// can be read from everywhere, but both ways lead through its link; the
// memory of the node is fast, but only functions on the same node reach it.
// The rule that chooses must be safe above all: what is kept in too few places
// cannot be read.
//
//   - [Remote] keeps everything in the store.
//   - [FaaStore] keeps in memory what is read nearby, as FaaSFlow does.
//   - [Piped] streams everything to the nodes that read it, as DataFlower does.
//
// A rule is fixed when functions have been placed. It gives each function one
// [Target], a set of places, for all its outputs.
package data
