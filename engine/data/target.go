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
)

var placeNames = [...]string{"store", "memory"}

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
