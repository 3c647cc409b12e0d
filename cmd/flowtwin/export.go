package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/benchmarks/exporter"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/results/rundir"
)

func newExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export",
		Short: "Turn results into files of other tools",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newExportWfFormat())
	return c
}

// exportFlags are the flags of flowtwin export wfformat.
type exportFlags struct {
	point, trial int
	workflow     string
	invocation   int64
	out          string
}

func newExportWfFormat() *cobra.Command {
	f := &exportFlags{}
	c := &cobra.Command{
		Use:   "wfformat RUN",
		Short: "Export an invocation as an execution of WfCommons (WfFormat 1.6)",
		Long: "Export a finished invocation of a run as an execution of WfCommons (WfFormat 1.6).\n" +
			"The run must have kept its tasks: say tasks: true in its scenario.",
		Args: oneArgument("the run directory"),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args[0]) },
	}
	c.Flags().IntVar(&f.point, "point", 0, "number of the point, as in invocations.csv")
	c.Flags().IntVar(&f.trial, "trial", 0, "number of the trial")
	c.Flags().StringVar(&f.workflow, "workflow", "", "workflow (default: the first of the point)")
	c.Flags().Int64Var(&f.invocation, "invocation", -1, "number of the invocation (default: the first that completed, after the warm-up)")
	c.Flags().StringVar(&f.out, "out", "", "file to write (default NAME-INVOCATION.json)")
	return c
}

func (f *exportFlags) run(c *cobra.Command, dir string) error {
	m, err := rundir.ReadManifest(dir)
	if err != nil {
		return err
	}
	if !m.Tasks {
		return fmt.Errorf("%s: the run kept no tasks: run it again with --set tasks=true", dir)
	}
	if f.point < 0 || f.point >= len(m.Points) {
		return fmt.Errorf("--point %d: the run has points 0 to %d", f.point, len(m.Points)-1)
	}
	if f.trial < 0 || f.trial >= m.Trials {
		return fmt.Errorf("--trial %d: the run has trials 0 to %d", f.trial, m.Trials-1)
	}
	workflows := m.Points[f.point].Workflows
	name := cmp.Or(f.workflow, workflows[0])
	number := slices.Index(workflows, name)
	if number < 0 {
		return fmt.Errorf("--workflow %s: the point has %s", name, strings.Join(workflows, ", "))
	}
	// Sizes are drawn again, so the plan must be the same.
	plan, err := reload(m)
	if err != nil {
		return err
	}
	if plan.Hash() != m.Hash {
		return fmt.Errorf("%s: the scenario's files have changed since: run it again", dir)
	}
	if err := f.export(c, dir, m, &exporter.Invocation{
		Trial: plan.Trial(f.point, f.trial), Workflow: number, Began: m.Host.Started, Version: m.Host.Version,
	}, name); err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), f.out)
	return nil
}

func (f *exportFlags) export(c *cobra.Command, dir string, m *rundir.Manifest, i *exporter.Invocation, name string) error {
	var err error
	if i.Record, err = f.find(c, dir, name); err != nil {
		return err
	}
	if i.Tasks, err = rundir.ReadTasks(dir, m, f.point, f.trial, name, i.Record.Number); err != nil {
		return err
	}
	data, err := exporter.WfFormat(i)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if f.out == "" {
		f.out = fmt.Sprintf("%s-%d.json", cmp.Or(strings.TrimLeft(fileName.ReplaceAllString(filepath.Base(name), "-"), ".-"), "workflow"), i.Record.Number)
		if _, err := os.Stat(f.out); err == nil {
			return fmt.Errorf("%s exists: --out %s writes over it", f.out, f.out)
		}
	}
	if err := rundir.WriteFile(f.out, data); err != nil {
		return failure{err}
	}
	return nil
}

// find returns the invocation that is asked for.
func (f *exportFlags) find(c *cobra.Command, dir, workflow string) (record.Invocation, error) {
	var found record.Invocation
	name := filepath.Join(dir, "invocations.csv")
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return found, fmt.Errorf("%s: no trial of the run is done", dir)
	}
	if err != nil {
		return found, err
	}
	defer file.Close()
	r, _, err := record.NewReader(name, bufio.NewReaderSize(file, 1<<20))
	if err != nil {
		return found, err
	}
	var key record.Key
	for n := 0; ; n++ {
		if n%4096 == 0 && c.Context().Err() != nil {
			return found, c.Context().Err()
		}
		err := r.Next(&key, &found)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return found, err
		}
		if key.Point != f.point || key.Trial != f.trial || key.Workflow != workflow {
			continue
		}
		if found.Number == f.invocation || f.invocation < 0 && found.Measured && found.Outcome == engine.Completed {
			return found, nil
		}
	}
	if f.invocation < 0 {
		return found, fmt.Errorf("%s: no invocation of %s has completed in trial %d of point %d", dir, workflow, f.trial, f.point)
	}
	return found, fmt.Errorf("%s: there is no invocation %d of %s in trial %d of point %d", dir, f.invocation, workflow, f.trial, f.point)
}
