package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// azureFlags are the flags of flowtwin import azure.
type azureFlags struct {
	placement, shift string
	from, length     string
	options          importer.AzureOptions
	out              string
}

func newImportAzure() *cobra.Command {
	f := &azureFlags{}
	c := &cobra.Command{
		Use:   "azure FILE...",
		Short: "Import a trace of Azure Functions (2019 or 2021)",
		Long: "Import a trace of Azure Functions: the single invocations of 2021, or the counts by the minute of 2019\n" +
			"(a file for each day, in order), with its files of durations and memory. The result is a directory with\n" +
			"the arrivals, a workflow for each function, and a scenario that runs them.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("at least one argument is expected: the files of the trace")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringVar(&f.placement, "placement", "uniform", "where calls lie in a minute of 2019: uniform, poisson or equidistant")
	c.Flags().StringVar(&f.shift, "shift", "random", "where in its gap an equidistant call lies: from 0 to below 1, or random for each function")
	c.Flags().StringVar(&f.from, "from", "0s", "where in the trace to begin, such as 24h")
	c.Flags().StringVar(&f.length, "for", "0s", "how much of the trace to take, such as 1h; 0s: to its end")
	c.Flags().IntVar(&f.options.Functions, "functions", 100, "how many functions to take, those called most; 0: all")
	c.Flags().Uint64Var(&f.options.Seed, "seed", 1, "seed of what is drawn")
	c.Flags().StringVar(&f.out, "out", "azure", "directory to make")
	return c
}

// parse reads the flags that are more than a number.
func (f *azureFlags) parse(c *cobra.Command) error {
	o := &f.options
	var err error
	if o.Placement, err = importer.ParsePlacement(f.placement); err != nil {
		return fmt.Errorf("--placement: %w", err)
	}
	o.Shift = -1
	if f.shift != "random" {
		share, err := strconv.ParseFloat(f.shift, 64)
		if err != nil || !(share >= 0 && share < 1) {
			return fmt.Errorf("--shift %s: it is a fraction from 0 to below 1, or random", f.shift)
		}
		o.Shift = share
	}
	if c.Flags().Changed("shift") && o.Placement != importer.Equidistant {
		return errors.New("--shift goes with --placement equidistant")
	}
	for flag, to := range map[string]*time.Duration{"from": &o.From, "for": &o.For} {
		text := c.Flag(flag).Value.String()
		d, err := units.ParseDuration(text)
		if err != nil || d < 0 {
			return fmt.Errorf("--%s %s: it is a time such as 90s, 10min or 24h", flag, text)
		}
		*to = time.Duration(d)
	}
	if o.Functions < 0 {
		return fmt.Errorf("--functions %d: it cannot be negative", o.Functions)
	}
	return nil
}

func (f *azureFlags) run(c *cobra.Command, args []string) error {
	if err := f.parse(c); err != nil {
		return err
	}
	if _, err := os.Lstat(f.out); err == nil {
		return fmt.Errorf("%s exists: name another directory with --out", f.out)
	}
	bar := newProgress(c, "azure", 100)
	bar.unit = "%"
	defer bar.end()
	f.options.Progress = func(done, total int64) { bar.set(int(100*done/max(1, total)), 100) }
	a, err := importer.ReadAzure(c.Context(), args, f.options)
	if err != nil {
		return err
	}
	// The directory is there as a whole or not at all.
	parent := filepath.Dir(filepath.Clean(f.out))
	dir, err := os.MkdirTemp(parent, ".writing-*")
	if err != nil {
		return failure{fmt.Errorf("%s cannot be written: %w", f.out, err)}
	}
	defer os.RemoveAll(dir) // There is nothing once it is renamed.
	functions, arrivals, err := writeAzure(c.Context(), a, dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(dir, arrivalsFile))
	if err != nil {
		return failure{err}
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Rename(dir, f.out)); err != nil {
		return failure{fmt.Errorf("%s cannot be written: %w", f.out, err)}
	}
	bar.end()
	for _, n := range a.Notes {
		fmt.Fprintf(c.ErrOrStderr(), "note: %v\n", n)
	}
	fmt.Fprint(c.ErrOrStderr(), tooLarge(info.Size()))
	fmt.Fprintf(c.OutOrStdout(), "%s: %d functions, %d arrivals; run them with: flowtwin run %s\n",
		f.out, functions, arrivals, filepath.Join(f.out, "scenario.yaml"))
	return nil
}

const arrivalsFile = "arrivals.csv"

// tooLarge is a note where the arrivals are more than a scenario can name.
func tooLarge(size int64) string {
	if size <= yamlfile.MaxFile {
		return ""
	}
	return fmt.Sprintf("note: %s takes %d MiB, and flowtwin run reads up to %d MiB: take less, with --functions, or --from and --for\n",
		arrivalsFile, size>>20, yamlfile.MaxFile>>20)
}

// writeAzure writes arrivals, workflows and a scenario, and returns how many
// functions have arrivals, and how many those are.
func writeAzure(ctx context.Context, a *importer.Azure, dir string) (functions int, arrivals int64, err error) {
	file, err := os.Create(filepath.Join(dir, arrivalsFile))
	if err != nil {
		return 0, 0, failure{err}
	}
	written, err := a.WriteArrivals(ctx, file)
	if err != nil {
		file.Close()
		return 0, 0, err
	}
	if err := file.Close(); err != nil {
		return 0, 0, failure{err}
	}
	scenario := bytes.NewBufferString("# Imported from a trace of Azure Functions.\n")
	for _, n := range a.Notes {
		fmt.Fprintf(scenario, "# %s\n", n.Message)
	}
	scenario.WriteString("name: azure\nworkflows:\n")
	for i, f := range a.Functions {
		if written[i] == 0 {
			continue // A scenario does not take a workflow without arrivals.
		}
		functions++
		arrivals += written[i]
		var text bytes.Buffer
		comment := fmt.Sprintf("A function of a trace of Azure Functions, called %d times.", f.Calls)
		if err := workflowfile.Write(&text, f.Workflow, workflowfile.Options{Comment: comment}); err != nil {
			return 0, 0, failure{err}
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name+".yaml"), text.Bytes(), 0o644); err != nil {
			return 0, 0, failure{err}
		}
		fmt.Fprintf(scenario, "  - %s.yaml\n", f.Name)
	}
	if functions == 0 {
		return 0, 0, errors.New("there is no arrival in the part of the trace that is asked for")
	}
	scenario.WriteString("load: {arrivals: trace, trace: " + arrivalsFile + "}\nschedulers: [mastersp, faasflow]\n")
	if err := os.WriteFile(filepath.Join(dir, "scenario.yaml"), scenario.Bytes(), 0o644); err != nil {
		return 0, 0, failure{err}
	}
	return functions, arrivals, nil
}
