package yamlfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file. Line and Column count from 1; both are 0 for
// a value that was not read from a file but set (see Document.Set), and File
// then says how it was set.
type Position struct {
	File         string
	Line, Column int
}

// String returns file:line:column, or just the file.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Error is one thing that is wrong with a file.
type Error struct {
	Position
	// Path leads to the value from the root of the file, such as
	// functions.count.inputs[2]; it is empty for the file as a whole.
	Path    string
	Message string
}

// Error returns "file:line:column: path: message".
func (e Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%v: %s", e.Position, e.Message)
	}
	return fmt.Sprintf("%v: %s: %s", e.Position, e.Path, e.Message)
}

// Errors is everything that is wrong with a file, in the order of the file.
type Errors []Error

// Error returns the errors, a line each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the errors in the order of their positions: first those of
// values that were set, then those of the file.
func (e Errors) sorted() Errors {
	e = slices.Clone(e)
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
