package yamlfile

import (
	"fmt"
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

	key  string // that is missing or was mistyped, if the error is about one
	more int    // if it stands for errors that were not kept, how many
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

// doubtful is the path of the value that the error casts doubt on: what is
// said of it later may be a mere consequence.
func (e *Error) doubtful() string {
	if e.Path == "" {
		return e.key
	}
	return e.Path
}

// overlap reports whether one path leads to the other, or both to the same.
func overlap(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	rest, within := strings.CutPrefix(b, a)
	return within && (a == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}
