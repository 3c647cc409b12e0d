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

//go:embed faasflow/*.yaml dataflower/*.yaml
var files embed.FS

// Names returns the names of the built-in workflows that are files, in the
// order of the papers. Lookup knows those of Families besides.
func Names() []string {
	return []string{
		"faasflow/cycles", "faasflow/epigenomics", "faasflow/genome", "faasflow/soykb",
		"faasflow/video", "faasflow/recognizer", "faasflow/fileprocessing", "faasflow/wordcount",
		"dataflower/recognizer", "dataflower/svd", "dataflower/video", "dataflower/wordcount",
	}
}

// Lookup returns the built-in workflow of a name such as "faasflow/genome".
func Lookup(name string) (*workflow.Workflow, error) {
	if w, _, err := lookupVariant(name); w != nil || err != nil {
		return w, err
	}
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	return workflowfile.Parse(name+".yaml", data)
}

// Source returns the file that a built-in workflow is read from, to copy and
// change, or would be if it is one of a family.
func Source(name string) ([]byte, error) {
	if slices.Contains(Names(), name) {
		return files.ReadFile(name + ".yaml")
	}
	known, listed := Names(), Names()
	for _, f := range Families() {
		if slices.Contains(f.Workflows(), name) {
			return variantSource(name)
		}
		known, listed = append(known, f.Workflows()...), append(listed, f.Pattern())
	}
	return nil, unknown("built-in workflow", name, known, listed)
}

// unknown is the error for a name that is not known; listed says briefly what
// is.
func unknown(what, name string, known, listed []string) error {
	if near := yamlfile.Nearest(name, known); near != "" {
		return fmt.Errorf("there is no %s %q: did you mean %q?", what, name, near)
	}
	return fmt.Errorf("there is no %s %q: there are %s", what, name, strings.Join(listed, ", "))
}
