package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

func newImport() *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Short: "Turn files of other tools into workflow files",
		// Without this, a format that does not exist would show the help and
		// count as success.
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newImportFaaSFlow(), newImportWfFormat(), newImportAzure())
	return c
}

func newImportFaaSFlow() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "faasflow DIR",
		Short: "Import a workflow of the FaaSFlow artefact (v1 or v2)",
		Long: "Import a workflow of the FaaSFlow artefact: a directory with flat_workflow.yaml and function_info.yaml (v1),\n" +
			"or with workflow_info.yaml and, there or in the directory around it, templates_info.yaml (v2, DataFlower).",
		Args: oneArgument("the directory with flat_workflow.yaml and function_info.yaml, or with workflow_info.yaml"),
		RunE: func(c *cobra.Command, args []string) error {
			w, notes, err := importer.FaaSFlow(args[0])
			if err != nil {
				return err
			}
			return writeWorkflow(c, out, w, "Imported from FaaSFlow's artefact.", notes)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default NAME.yaml)")
	return c
}

func newImportWfFormat() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "wfformat FILE",
		Short: "Import a workflow of WfCommons (WfFormat 1.0 to 1.6)",
		Long:  "Import a workflow of WfCommons, a JSON file of WfFormat 1.0 to 1.6: tasks with their runtimes, and the files that they share.",
		Args:  oneArgument("the JSON file"),
		RunE: func(c *cobra.Command, args []string) error {
			w, notes, err := importer.WfFormat(args[0])
			if err != nil {
				return err
			}
			return writeWorkflow(c, out, w, "Imported from WfFormat.", notes)
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default NAME.yaml)")
	return c
}

// fileName matches what a workflow's name must not have to be one of a file.
var fileName = regexp.MustCompile(`[^\pL\pN._-]+`)

// writeWorkflow writes an imported workflow to a file, by default one of its
// name, with the notes as a comment at its top.
func writeWorkflow(c *cobra.Command, out string, w *workflow.Workflow, comment string, notes []importer.Note) error {
	if out == "" {
		name := strings.TrimLeft(fileName.ReplaceAllString(filepath.Base(w.Name), "-"), ".-")
		out = cmp.Or(name, "workflow") + ".yaml"
		if _, err := os.Stat(out); err == nil {
			return fmt.Errorf("%s exists, and may have been edited: --out %s writes over it", out, out)
		}
	}
	for _, n := range notes {
		fmt.Fprintf(c.ErrOrStderr(), "note: %v\n", n)
		comment += "\n" + n.Message
	}
	var text bytes.Buffer
	if err := workflowfile.Write(&text, w, workflowfile.Options{Comment: comment}); err != nil {
		return failure{err}
	}
	if err := rundir.WriteFile(out, text.Bytes()); err != nil {
		return failure{err}
	}
	fmt.Fprintf(c.OutOrStdout(), "%s: %d functions; use it as workflows: [%s]\n", out, len(w.Functions), out)
	return nil
}
