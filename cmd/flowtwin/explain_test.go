package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/results/views"
)

func TestExplainTakesTheSlowestOrTheOneThatIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "with", "--set", "tasks=true")
	must(t, "run", "small.yaml", "--out", "without")
	one := []string{"3", "--scheduler", "mastersp", "--point", "2", "--trial", "4", "--workflow", "wordcount"}

	slowest := must(t, "explain", "with")
	for _, want := range []string{", the slowest\n", "sum = latency", "critical path", "where the p99 goes against the median, of 40 invocations", "(p99)"} {
		if !strings.Contains(slowest, want) {
			t.Errorf("the slowest is explained without %q:\n%s", want, slowest)
		}
	}
	named := must(t, append([]string{"explain", "with"}, one...)...)
	if !strings.HasPrefix(named, "invocation 3 of wordcount under mastersp (point 2, trial 4, rate 2/s)\n") || strings.Contains(named, "median") {
		t.Errorf("invocation 3 is explained as\n%s", named)
	}

	// Without tasks.csv the trial is simulated again, to the same end.
	for _, args := range [][]string{nil, one} {
		status, again, stderr := flowtwin(append([]string{"explain", "without"}, args...)...)
		if want := "without has no tasks.csv: simulating the trial again (to keep tasks, run the scenario again with --set tasks=true)\n"; status != 0 || stderr != want {
			t.Errorf("status %d, the note is %q, want %q", status, stderr, want)
		}
		if want := must(t, append([]string{"explain", "with"}, args...)...); again != want {
			t.Errorf("a run without tasks is explained as\n%swith them as\n%s", again, want)
		}
	}
}

func TestExplainAsJSONFigureAndTrace(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "a")
	for name, begins := range map[string]string{"f.svg": "<svg", "f.png": "\x89PNG", "f.pdf": "%PDF"} {
		must(t, "explain", "a", "--figure", name)
		if data, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(data, []byte(begins)) {
			t.Errorf("%s is no %s: %v", name, filepath.Ext(name), err)
		}
	}
	out := must(t, "explain", "a", "--json", "--perfetto", "trace.json")
	var e views.JSONExplanation
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.More() {
		t.Fatalf("%v, more: %v", err, d.More())
	}
	sum := int64(0)
	for _, time := range e.Phases {
		sum += time
	}
	if e.Latency == 0 || sum != e.Latency || e.Latency != e.Ended-e.Intended || len(e.CriticalPath) < 3 || len(e.Tasks) < 3 || e.Against == nil || e.Against.N != 40 {
		t.Errorf("the phases add up to %d ns of %+v", sum, e)
	}
	var trace struct {
		TraceEvents []struct{ Ph string }
	}
	text, err := os.ReadFile("trace.json")
	if err == nil {
		err = json.Unmarshal(text, &trace)
	}
	if err != nil || len(trace.TraceEvents) < 10 {
		t.Errorf("the trace has %d events: %v", len(trace.TraceEvents), err)
	}
}

func TestExplainSaysWhatIsWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "a")
	for line, want := range map[string]string{
		"explain":                                  "one or two arguments are expected: the run directory, and the number of an invocation",
		"explain nowhere":                          "nowhere: there is no such run directory",
		"explain a x":                              `"x" is not the number of an invocation: they are counted from 0`,
		"explain a -- -1":                          `"-1" is not the number of an invocation`,
		"explain a 99":                             "a: there is no invocation 99: they are counted from 0, up to 15",
		"explain a --point 4":                      "a: it has no point 4: they are 0 to 3",
		"explain a --trial 5":                      "a: it has no trial 5: they are 0 to 4",
		"explain a --scheduler dataflower":         "a: it has no scheduler dataflower: there is faasflow, mastersp",
		"explain a --workflow genome":              "a: it has no workflow genome: there is faasflow/wordcount",
		"explain a --point 0 --scheduler faasflow": "a: it holds no invocations of that point, trial, scheduler and workflow",
		"explain a --figure picture.gif":           "--figure picture.gif: the name must end in .svg, .png or .pdf",
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := flowtwin(strings.Fields(line)...)
			oneError(t, status, stdout, stderr, want)
		})
	}
	status, stdout, stderr := flowtwin("explain", "a", "3")
	if want := `flowtwin: a: there are 20 invocations 3; say which one:
  --point 0 --workflow faasflow/wordcount --trial 0…4  (mastersp, 1/s)
  --point 1 --workflow faasflow/wordcount --trial 0…4  (faasflow, 1/s)
  --point 2 --workflow faasflow/wordcount --trial 0…4  (mastersp, 2/s)
  --point 3 --workflow faasflow/wordcount --trial 0…4  (faasflow, 2/s)
`; status != exitUsage || stdout != "" || stderr != want {
		t.Errorf("status %d, output %q, error\n%swant\n%s", status, stdout, stderr, want)
	}
	if status, _, stderr := flowtwin("explain", "a", "--perfetto", "no/such/folder.json"); status != exitFailed || !strings.Contains(stderr, "folder.json cannot be written") {
		t.Errorf("a trace that cannot be written: status %d, %q", status, stderr)
	}
}

// A run whose scenario or program is another by now is not explained by
// something else.
func TestExplainDoesNotSimulateSomethingElse(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "a")
	edit := func(name, old, new string) {
		t.Helper()
		data, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(data, []byte(old)) {
			t.Fatalf("%s has no %q: %v", name, old, err)
		}
		write(t, name, strings.Replace(string(data), old, new, 1))
	}
	args := []string{"explain", "a", "0", "--point", "0", "--trial", "0"}
	must(t, args...)
	edit("a/manifest.json", "workers: 2", "workers: 3")
	if status, stdout, stderr := flowtwin(args...); status != exitUsage || stdout != "" || !strings.Contains(stderr, "its scenario has changed since: run the scenario again with --set tasks=true") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	edit("a/manifest.json", "workers: 3", "workers: 2")
	csv, err := os.ReadFile("a/invocations.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(csv), "\n", 3)
	cells := strings.Split(lines[1], ",")
	cells[len(cells)-1] = "9" // what it costs
	lines[1] = strings.Join(cells, ",")
	longer := strings.Join(lines, "\n")
	// The table is as long as trials.csv says, so that it counts as whole.
	write(t, "a/invocations.csv", longer+strings.Repeat("\n", max(0, len(csv)-len(longer))))
	if status, stdout, stderr := flowtwin(args...); status != exitFailed || stdout != "" || !strings.Contains(stderr, "this version of flowtwin simulates invocation 0 otherwise") {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
}
