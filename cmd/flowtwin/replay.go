package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/results/rundir"
	"github.com/flowtwin/flowtwin/scenarios"
)

func newReplay() *cobra.Command {
	return &cobra.Command{
		Use:   "replay RUN",
		Short: "Play what the engines of a run were told to fresh ones",
		Long: "Play what the engines of a run were told, in a run with --record, to fresh engines, and require that they ask for the same.\n" +
			"The exit status is 1 if one does not; the step and the difference are then named.",
		Args: oneArgument("the run directory"),
		RunE: func(c *cobra.Command, args []string) error { return playRun(c, args[0]) },
	}
}

func playRun(c *cobra.Command, dir string) error {
	m, err := rundir.ReadManifest(dir)
	if err != nil {
		return err
	}
	files, err := inputsOf(dir)
	if err != nil {
		return err
	}
	plan, err := reload(m)
	if err != nil {
		return err
	}
	if plan.Hash() != m.Hash {
		return fmt.Errorf("%s: the files that its scenario names have changed since", dir)
	}
	table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "inputs\tsteps\teffects\t")
	var steps int
	var effects int64
	for _, name := range files {
		result, err := playFile(plan, filepath.Join(dir, name))
		if err != nil {
			return failure{errors.Join(table.Flush(), fmt.Errorf("%s: %w", filepath.Join(dir, name), err))}
		}
		note := ""
		if result.Cut {
			note = "the file ends in the middle of a step"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", name, result.Steps, result.Effects, note)
		steps, effects = steps+result.Steps, effects+result.Effects
	}
	fmt.Fprintf(table, "the same\t%d\t%d\t\n", steps, effects)
	return table.Flush()
}

// inputsOf lists the files of inputs of a run.
func inputsOf(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(dir, replay.Directory), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(files) == 0 {
		return nil, fmt.Errorf("%s has no inputs to replay: run the scenario with --backend local --record", dir)
	}
	slices.Sort(files)
	return files, err
}

func playFile(plan *scenarios.Plan, name string) (replay.Result, error) {
	file, err := os.Open(name)
	if err != nil {
		return replay.Result{}, err
	}
	defer file.Close()
	r, err := replay.NewReader(file)
	if err != nil {
		return replay.Result{}, err
	}
	if r.Head.Point >= len(plan.Points) || r.Head.Trial >= plan.Trials {
		return replay.Result{}, fmt.Errorf("it is of trial %d of point %d, which the run does not have", r.Head.Trial, r.Head.Point)
	}
	t := plan.Trial(r.Head.Point, r.Head.Trial)
	system, err := engine.NewSystem(t.Workflows, t.Cluster.Engine(), t.Scheduler, t.Profile.Rules())
	if err != nil {
		return replay.Result{}, err
	}
	return replay.Play(system, r)
}
