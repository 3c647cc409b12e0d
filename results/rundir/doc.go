// Package rundir runs the trials of a plan and keeps their results in a
// directory, which later commands read.
//
// A run directory holds
//
//	manifest.json     what was run, and where
//	invocations.csv   a row for each invocation
//	tasks.csv         a row for each function instance, if asked for
//	trials.csv        a row for each trial and workflow
//	summary.csv       statistics, a row for each point, workflow and metric
//	figures/          as SVG, PNG and PDF
//
// Trials run in parallel, but their rows are written in the order of points
// and trials, whatever the number of processors. A trial is part of the
// directory when its row is in trials.csv, which is written last; so a run
// that was interrupted, or killed, can be read, and finished later.
package rundir
