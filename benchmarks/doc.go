// Package benchmarks holds the workflows that the papers measured, and
// generators that make the scientific ones in any size.
//
// A scheduler looks good or bad by the workflow it is given: how wide it is,
// how much data an edge carries, what the critical path is. To compare with
// published figures one needs exactly the workflows behind them. They are
// here as YAML files, each of which starts by saying where its numbers come
// from, and what in them is exact, estimated or guessed.
package benchmarks
