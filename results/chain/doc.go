// Package chain finds which function instances determined when an invocation
// ended, and divides its latency among what they did.
//
// An invocation ends when the last thing happens that its end waits for: a
// function ends, or under data-driven control a result is posted. What
// triggered that instance had happened before, and so on back to the instance
// that the user's request triggered. These instances, each with the moment at
// which it did what the next one waited for, are the chain. The latency is the
// sum of what they did until then, and of what lies between them: control, or
// the transfer of an output that was streamed.
//
// A [Chain] is told of one invocation what its world observes, in the order of
// time, and closed when the invocation has ended. It knows no world: what made
// the engines trigger an instance they say themselves ([engine.Cause]), and
// where they do not, it was the end of a function before it.
package chain
