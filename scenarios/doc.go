// Package scenarios reads scenario files: which workflows run on which
// cluster, under which load and schedulers, and what is varied.
//
// A scenario file is strict YAML (see [Scenario] for all keys; a JSON Schema
// is made from the same type). [Load] checks all of it before anything runs,
// and makes a [Plan]: a list of points, one for each combination of a
// scheduler and a value of every axis, each with as many trials as the
// scenario asks for. A [Trial] is all that a world needs to run a point once;
// trials of one point differ only in their seed, and trials of one number
// have the same seed at every point, so that schedulers can be compared in
// pairs.
package scenarios
