// Package placement decides which worker runs each function.
//
// Two functions that exchange data are better off on one worker: the bytes
// stay in its memory, and a trigger needs no message. But a worker has room
// for a limited number of containers, so a workflow has to be cut, best where
// little flows. This is graph partitioning under a capacity. Placers differ in
// how well they cut and in what that takes.
//
//   - [Hash] and [Spread] look at neither data nor room.
//   - [Explicit] does what a table says.
//   - [FaaSFlow] is the partition of the FaaSFlow artefact, exactly, with its
//     weaknesses.
//   - [FaaSFlowImproved] has the same aim without them.
//
// A placement is static: all invocations and all foreach instances of a
// function run on the worker that its function was given.
package placement
