package importer

import (
	"fmt"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Note is something that an import had to assume or to leave out.
type Note struct {
	yamlfile.Position
	Message string
}

// String returns "file:line:column: message".
func (n Note) String() string { return fmt.Sprintf("%v: %s", n.Position, n.Message) }
