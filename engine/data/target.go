package data

import "strings"

// Target is the set of places where the outputs of a function are kept.
type Target uint8

// The places.
const (
	// Store is the remote store, which all nodes can read.
	Store Target = 1 << iota
	// Memory is that of the node on which the function runs.
	Memory
	// Pipe is not a place but a way: the container's data logic unit streams
	// the output to the nodes that read it, through the broker.
	Pipe
	// Inline is another: the output travels in the control message that
	// announces it. A rule never asks for it; whatever a rule streams goes
	// inline if it is small.
	Inline
)

var placeNames = [...]string{"store", "memory", "pipe", "inline"}

// String joins the names of the places with a plus sign: "store+memory".
func (t Target) String() string {
	var names []string
	for i, name := range placeNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}
