package benchmarks

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

//go:embed faasflow/*.yaml
var files embed.FS

// Names returns the names that Lookup knows, in the order of the papers.
func Names() []string {
	return []string{
		"faasflow/cycles", "faasflow/epigenomics", "faasflow/genome", "faasflow/soykb",
		"faasflow/video", "faasflow/recognizer", "faasflow/fileprocessing", "faasflow/wordcount",
	}
}

// Lookup returns the built-in workflow of a name such as "faasflow/genome".
func Lookup(name string) (*workflow.Workflow, error) {
	if !slices.Contains(Names(), name) {
		return nil, unknown("built-in workflow", name, Names())
	}
	data, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, err
	}
	return workflowfile.Parse(name+".yaml", data)
}

// Source returns the file that a built-in workflow is read from, to copy and
// change.
func Source(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, unknown("built-in workflow", name, Names())
	}
	return files.ReadFile(name + ".yaml")
}

func unknown(what, name string, known []string) error {
	if near := yamlfile.Nearest(name, known); near != "" {
		return fmt.Errorf("there is no %s %q: did you mean %q?", what, name, near)
	}
	return fmt.Errorf("there is no %s %q: there are %s", what, name, strings.Join(known, ", "))
}
