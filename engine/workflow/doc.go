// Package workflow is the graph that a serverless platform is asked to run:
// functions, the data they hand to one another, and the control structures
// that the FaaSFlow and DataFlower papers use (parallel, foreach, merge and
// switch).
//
// A [Workflow] is made once by [New], which checks the graph and derives what
// every scheduler needs to know of it, and is immutable from then on: it may
// be shared by all nodes and all trials.
//
// # Edges
//
// There are two kinds of edges. A control edge u → v says that v is triggered
// when u has ended; a data edge says that v reads an output of u. Where
// nothing else is said, a function is triggered by those whose outputs it
// reads; with Function.After (or as the target of a switch) the control edges
// are exactly those named, and every data edge must then come from a function
// that is sure to have ended by that time. A function with several control
// edges waits for all of them, or runs after the first (see [Join]).
//
// # Foreach, and how instances are named
//
// A foreach iterates over the list that one output of its opener is. All
// functions between the foreach and the merge that closes it form a [Scope],
// and have one instance for each item. An instance is named by its [Path]: an
// (index, of) pair for each foreach around it. Scopes nest.
//
// An edge that enters a scope fans out, an edge that stays inside connects
// instances of the same path, and an edge that leaves a scope gathers: the
// merge waits for all instances.
//
// # Switch
//
// A switch triggers exactly one of its branches. What only the other branches
// could have triggered is skipped, and a join behind them does not wait for
// it (see [Skip]). The FaaSFlow artefact lacks this rule; its join behind two
// switches never fires.
package workflow
