// Package function is what goes on inside a function container: an instance
// of a function fetches its inputs, all in parallel; computes; and puts its
// outputs when they are posted, one after the other (duty 7 of package
// engine's driver).
//
// Where the bytes are kept is behind [Store]; what there is to compute, behind
// [Compute]. Payloads are really made, moved and checked. Where there are
// [Bodies], functions do their real work instead, on what the inputs hold.
package function
