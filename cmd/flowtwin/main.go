// Command flowtwin runs serverless workflow schedulers on a simulated cluster
// and says how they behave.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed      = 1   // the run failed or a tolerance was missed
	exitUsage       = 2   // bad input or usage
	exitInterrupted = 130 // the partial run is readable
)

// failure is an error that is not the user's input: it exits with status 1.
type failure struct{ error }

// Unwrap returns the error itself.
func (f failure) Unwrap() error { return f.error }

func main() {
	redis.SetLogger(silent{})
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// silent keeps the Redis client from telling each try that fails.
type silent struct{}

// Printf implements the logger of the Redis client.
func (silent) Printf(context.Context, string, ...any) {}

// run executes a command line and returns the exit status. Results go to
// stdout, progress and errors to stderr.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	out := &output{Writer: stdout}
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = failure{fmt.Errorf("the output cannot be written: %w", out.err)}
	}
	var failed failure
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "flowtwin: interrupted")
		return exitInterrupted
	default:
		fmt.Fprintf(stderr, "flowtwin: %v\n", err)
		if errors.As(err, &failed) {
			return exitFailed
		}
		return exitUsage
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "flowtwin",
		Short: "How does this workflow behave under that scheduler, on this cluster, at that load?",
		Long: "flowtwin answers that for serverless workflows from one scenario file, in a discrete-event simulator or for real.\n" +
			"It knows the schedulers of the FaaSFlow paper, their workflows, and what the paper published.",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(newRun(), newValidate(), newRepro(), newCompare(), newReplay(), newPlot(), newExplain(), newReport(), newImport(), newExport(), newList(),
		newImages(), newClean(), newDoctor(), newCouchserver(), newNode(), newFunction())
	return root
}
