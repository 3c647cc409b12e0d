package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/results/rundir"
)

// TestMain makes the test binary play flowtwin itself, for tests that need a
// process of its own; see process.
func TestMain(m *testing.M) {
	if os.Getenv("FLOWTWIN_TEST_PROCESS") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process returns flowtwin as a process of its own.
func process(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "FLOWTWIN_TEST_PROCESS=1")
	return c
}

// flowtwin runs a command line within the test.
func flowtwin(args ...string) (status int, stdout, stderr string) {
	var out, errors bytes.Buffer
	status = run(args, &out, &errors)
	return status, out.String(), errors.String()
}

// must runs a command line that has to succeed, and returns its output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := flowtwin(args...)
	if status != 0 {
		t.Fatalf("flowtwin %s: status %d\n%s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// small is a scenario that takes no time. Most of the time of a run with
// figures would go into pictures, so it has none.
const small = `name: small
workflows: [faasflow/wordcount]
cluster: {workers: 2}
load: {arrivals: constant, rate: 1/s, duration: 8s}
schedulers: [mastersp, faasflow]
axes: {load.rate: [1/s, 2/s]}
trials: 5
`

// illustrated is small with figures.
const illustrated = small + `tasks: true
figures: [latency-by-rate, gantt]
`

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree returns the files below a directory, with what they hold.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || d.IsDir() {
			files[name+"/"] = ""
			return err
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestBadInputIsOneClearErrorAndLeavesNothing(t *testing.T) {
	scenario := func(old, new string) string {
		text := strings.Replace(small, old, new, 1)
		if text == small {
			t.Fatalf("the scenario has no %q", old)
		}
		return text
	}
	for _, test := range []struct {
		name, text, want string
	}{
		{"a missing file", "", "bad.yaml: there is no such file"},
		{"binary garbage", "\x7fELF\x02\x00\xff\xfe\x00\x80", "bad.yaml"},
		{"no YAML", "workflows: [", "bad.yaml:1:"},
		{"an unknown key", scenario("trials:", "trails:"), `bad.yaml:7:1: unknown key "trails": did you mean "trials"?`},
		{"an unknown workflow", scenario("faasflow/wordcount", "faasflow/wordcuont"), "bad.yaml:2:13: "},
		{"zero workers", scenario("workers: 2", "workers: 0"), "bad.yaml:3:"},
		{"a negative rate", scenario("rate: 1/s", "rate: -1/s"), "bad.yaml:4:"},
		{"10^9 functions", scenario("faasflow/wordcount", "{generate: genome, functions: 1000000000}"), "bad.yaml:2:"},
		{"a cycle", scenario("faasflow/wordcount", "cycle.yaml"), "cycle.yaml:"},
		{"no trials", scenario("trials: 5", "trials: 0"), "bad.yaml:7:"},
		{"an axis of an unknown key", scenario("{load.rate: [1/s, 2/s]}", "{load.rat: [1/s]}"), "bad.yaml:6:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "cycle.yaml", "name: cycle\nfunctions:\n  a: {after: [b], compute: 1s}\n  b: {after: [a], compute: 1s}\n")
			if test.text != "" {
				write(t, "bad.yaml", test.text)
			}
			before := tree(t, ".")
			for _, command := range []string{"run", "validate"} {
				status, stdout, stderr := flowtwin(command, "bad.yaml")
				oneError(t, status, stdout, stderr, test.want)
			}
			if after := tree(t, "."); !maps.Equal(before, after) {
				t.Errorf("files were left: %v", slices.Sorted(maps.Keys(after)))
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		t.Chdir(t.TempDir())
		status, stdout, stderr := flowtwin("run", ".")
		oneError(t, status, stdout, stderr, "it is a directory")
	})
}

// oneError checks that a command line was refused with one line that says so.
func oneError(t *testing.T, status int, stdout, stderr, want string) {
	t.Helper()
	if status != exitUsage {
		t.Errorf("the status is %d, want %d", status, exitUsage)
	}
	if stdout != "" {
		t.Errorf("the output is %q, want none", stdout)
	}
	if !strings.HasPrefix(stderr, "flowtwin: ") || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
		t.Errorf("the error is %q, want one line with %q", stderr, want)
	}
}

func TestBadUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	write(t, "file", "mine")
	before := tree(t, ".")
	for line, want := range map[string]string{
		"run":                            "one argument is expected: the scenario to run",
		"run a b":                        "one argument is expected: the scenario to run",
		"run small.yaml --nope":          "unknown flag: --nope",
		"run small.yaml --trials x":      `invalid argument "x" for "--trials"`,
		"run small.yaml --trials -1":     "trials",
		"run small.yaml --seed -1":       `invalid argument "-1" for "--seed"`,
		"run small.yaml --parallel -1":   "--parallel -1: it cannot be negative",
		"run small.yaml --backend cloud": `there is no back end "cloud": there are sim, local and docker`,
		"run small.yaml --backend docker --compute real --set workflows=[faasflow/video]": "runs ffmpeg, which is not in the node's image",
		"run small.yaml --backend docker --compute real --command cat":                    "name one that has both, with --image node=NAME",
		"run small.yaml --backend docker --image redis":                                   "--image redis: KIND=NAME is wanted",
		"run small.yaml --backend docker --image mysql=x":                                 `there is no image of kind "mysql"`,
		"run small.yaml --pace":                "the simulator is always as slow as that",
		"run small.yaml --compute think":       "--compute think: there are sleep, spin and real",
		"run small.yaml --compute real":        "use --backend local",
		"run small.yaml --functions threads":   "--functions threads: there are goroutines and processes",
		"run small.yaml --functions processes": "--functions processes is for --backend local",
		"run small.yaml --backend local --compute real --command cat --functions processes": "it goes with --functions goroutines",
		"run small.yaml --command cat":   "it goes with --compute real",
		"run small.yaml --set load.rate": "write path=value",
		"run small.yaml --backend local --compute real --set workflows=[faasflow/genome]": "no real bodies of the workflow faasflow/genome: there are for fileprocessing, recognizer, svd, video, wordcount",
		"run small.yaml --set lode.rate=1/s":                                              `"lode"`,
		"run small.yaml --out .":                                                          "not a run directory",
		"run small.yaml --out file":                                                       "file",
		"run small.yaml --resume out":                                                     "no",
		"run --resume out":                                                                "out: there is no such run directory",
		"run --resume .":                                                                  "not a run directory",
		"run --resume out --seed 2":                                                       "--resume finishes a run as it was begun",
		"run quickstrat":                                                                  "flowtwin list scenarios",
		"validate":                                                                        "one argument is expected: the scenario to check",
		"list nothing":                                                                    `there is no list of "nothing": there are lists of workflows`,
		"list workflows figures":                                                          "one argument at most is expected",
		"compare a":                                                                       "two arguments are expected",
		"compare a b":                                                                     "a: there is no such run directory",
		"compare a b c --tolerance latency=5%":                                            "--tolerance is for two runs",
		"compare a b --tolerance speed=5%":                                                `tolerance "speed=5%"`,
		"compare a b --tolerance latency=much":                                            `"much" is not a percentage`,
		"plot":                                                                            "at least one argument is expected",
		"plot .":                                                                          "not a run directory",
		"report":                                                                          "at least one argument is expected",
		"report nothing":                                                                  "nothing: there is no such run directory",
		"repro":                                                                           "the paper: faasflow",
		"repro nothing":                                                                   `there is no paper "nothing" to reproduce: there is dataflower, faasflow`,
		"repro faasflow tail":                                                             `faasflow has no figure "tail": there are scheduling-overhead, data-overhead, latency, colocation, tail-latency, rate-bandwidth, partition-cost`,
		"import nothing .":                                                                `unknown command "nothing" for "flowtwin import"`,
		"import faasflow":                                                                 "flat_workflow.yaml",
		"import faasflow nothing":                                                         "nothing",
		"import faasflow .":                                                               "there is neither flat_workflow.yaml nor workflow_info.yaml in it",
		"import faasflow file":                                                            "file",
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := flowtwin(strings.Fields(line)...)
			oneError(t, status, stdout, stderr, want)
		})
	}
	if after := tree(t, "."); !maps.Equal(before, after) {
		t.Errorf("files were left: %v", slices.Sorted(maps.Keys(after)))
	}
}

// A scenario with a workflow that has no real bodies is bad input, unless a
// program does its work.
func TestRealWorkThatThereIsNot(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, stderr := flowtwin("run", "quickstart", "--backend", "local", "--compute", "real", "--set", "workflows=[faasflow/genome]")
	if want := "no real bodies of the workflow faasflow/genome: there are for fileprocessing, recognizer, svd, video, wordcount"; status != exitUsage ||
		out != "" || !strings.Contains(stderr, want) {
		t.Errorf("status %d, %q, want it to say %q", status, stderr, want)
	}
	if _, err := os.Stat("out"); err == nil {
		t.Error("there is a run directory")
	}
}

// Words are really counted from the command line, and the manifest says so.
func TestRealWork(t *testing.T) {
	t.Chdir(t.TempDir())
	must(t, "run", "quickstart", "--backend", "local", "--compute", "real", "--trials", "1", "--limit", "300ms", "--set", "load.rate=600/min", "--set", "axes={}", "--set", "figures=[]", "--out", "a")
	manifest, err := os.ReadFile("a/manifest.json")
	if err != nil || !bytes.Contains(manifest, []byte("goroutines that run real bodies")) {
		t.Errorf("%v:\n%s", err, manifest)
	}
}

func TestUnknownCommandSuggestsTheNearest(t *testing.T) {
	status, _, stderr := flowtwin("rnu", "quickstart")
	if status != exitUsage || !strings.Contains(stderr, "Did you mean this?\n\trun") {
		t.Errorf("status %d, %q", status, stderr)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	help := must(t)
	for _, command := range []string{"run", "validate", "repro", "compare", "plot", "explain", "report", "import", "export", "list"} {
		if !strings.Contains(help, "\n  "+command+" ") {
			t.Errorf("the help does not name %s", command)
		}
		if !strings.Contains(must(t, command, "--help"), "Usage:") {
			t.Errorf("%s has no help", command)
		}
	}
}

func TestListShowsEveryTopic(t *testing.T) {
	all := must(t, "list")
	for topic, want := range map[string]string{
		"workflows": "faasflow/wordcount", "scenarios": "quickstart", "schedulers": "mastersp", "controls": "workersp",
		"placements": "faasflow-improved", "data": "faastore", "profiles": "ideal", "figures": "latency-by-rate",
	} {
		if text := must(t, "list", topic); !strings.Contains(text, "\n  "+want+" ") || !strings.Contains(all, text) {
			t.Errorf("list %s does not name %s, or list does not show the same:\n%s", topic, want, text)
		}
	}
}

func TestRunEndsWithWhatOneWantsToKnow(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", illustrated)
	lines := strings.Split(must(t, "run", "small.yaml"), "\n")
	for i, want := range []string{
		`^small · sim · profile ideal · 4 points × 5 trials +20/20  \d+\.\d s$`,
		`^scheduler +rate +n +mean latency \(95 %\) +p50 +p99 +cold +remote +local$`,
		`^mastersp +1/s +40 +\d+ ms \(\d+–\d+\) .* [KM]B +0 B$`,
		`^faasflow +1/s +40 `, `^mastersp +2/s +80 `, `^faasflow +2/s +80 `,
		`^95 % intervals: bootstrap over 5 trials; percentiles in brackets: too few samples$`,
		`^faasflow is \d\.\d\d×.* faster than mastersp at 1/s, 40 pairs$`,
		`^faasflow is \d\.\d\d×.* faster than mastersp at 2/s, 80 pairs$`,
		`^figures  out/small/figures/latency-by-rate\.svg · gantt-mastersp\.svg · gantt-faasflow\.svg$`,
		`^results  out/small$`,
		`^$`,
	} {
		if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("line %d does not match %s:\n%s", i+1, want, strings.Join(lines, "\n"))
			break
		}
	}
	if header, columns := []rune(lines[0]), []rune(lines[1]); len(header) != len(columns) {
		t.Errorf("the first line is %d wide, the table %d", len(header), len(columns))
	}
	for _, name := range []string{
		"manifest.json", "invocations.csv", "tasks.csv", "summary.csv",
		"figures/latency-by-rate.svg", "figures/latency-by-rate.png", "figures/latency-by-rate.pdf", "figures/gantt-faasflow.svg",
	} {
		if info, err := os.Stat(filepath.Join("out", "small", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty: %v", name, err)
		}
	}
}

func TestShippedScenariosRunFromAnyDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	out := must(t, "run", "studies/partition-locality", "--set", "load.limit=4", "--set", "figures=[]", "--out", "here")
	if !strings.Contains(out, "results  here\n") {
		t.Errorf("the output is\n%s", out)
	}
	if _, err := os.Stat("out"); err == nil {
		t.Error("--out is not the only directory that was made")
	}
}

func TestSettingsChangeTheRun(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	out := must(t, "run", "small.yaml", "--set", "load.duration=10s", "--seed", "7", "--trials", "1")
	if !strings.Contains(out, "4 points × 1 trial ") || !regexp.MustCompile(`mastersp +1/s +10 `).MatchString(out) {
		t.Errorf("the output is\n%s", out)
	}
	manifest := tree(t, "out/small")["manifest.json"]
	if !strings.Contains(manifest, `"seed": 7`) {
		t.Errorf("the manifest is\n%s", manifest)
	}
}

func TestSecondRunMovesTheFirstAside(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml")
	first := tree(t, "out/small")
	must(t, "run", "small.yaml", "--set", "load.arrivals=poisson")
	if aside := tree(t, "out/small~"); !maps.Equal(first, aside) {
		t.Error("out/small~ is not the first run")
	}
	if second := tree(t, "out/small"); second["summary.csv"] == first["summary.csv"] {
		t.Error("out/small still is the first run")
	}
}

func TestPlotReportAndCompareTakeARun(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "a", "--set", "figures=[latency-by-rate]")
	must(t, "run", "small.yaml", "--out", "b")
	must(t, "run", "small.yaml", "--out", "c", "--set", "cluster.storage.link=10MB/s")
	drawn := tree(t, "a/figures")
	if err := os.RemoveAll("a/figures"); err != nil {
		t.Fatal(err)
	}
	if out, want := must(t, "plot", "a"), "a/figures/latency-by-rate.svg\n"; out != want {
		t.Errorf("plot says\n%swant\n%s", out, want)
	}
	if again := tree(t, "a/figures"); !maps.Equal(drawn, again) {
		t.Error("plot does not draw what run has drawn")
	}
	if out := must(t, "report", "a"); out != "a/report.html\n" {
		t.Errorf("report says %q", out)
	}
	if out := must(t, "report", "a", "c", "--out", "both.html"); out != "both.html\n" {
		t.Errorf("report says %q", out)
	}
	for _, name := range []string{"a/report.html", "both.html"} {
		html, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, loads := range []string{"src=", "<link", "<script", "@import"} {
			if bytes.Contains(html, []byte(loads)) {
				t.Errorf("%s is not self-contained: it has %s", name, loads)
			}
		}
		if !bytes.Contains(html, []byte("<svg")) || !bytes.Contains(html, []byte("faster than mastersp at 1/s")) {
			t.Errorf("%s lacks figures or comparisons", name)
		}
	}
	if out := must(t, "compare", "a", "b", "--tolerance", "latency=0%"); strings.Contains(out, "misses") || strings.Count(out, "within the tolerance") != 4 {
		t.Errorf("the same run twice differs:\n%s", out)
	}
	must(t, "compare", "a", "c")
	if out := must(t, "compare", "a", "b", "c", "--metric", "latency"); strings.Count(out, "\n") != 5 || !strings.Contains(out, "sim b  × sim a") || strings.Count(out, " 1×") != 4 {
		t.Errorf("three runs side by side are\n%s", out)
	}
	status, out, stderr := flowtwin("compare", "a", "c", "--tolerance", "latency=5%", "--tolerance", "failed=0%")
	if status != exitFailed || !strings.Contains(out, "misses the tolerance of 5 %") || !regexp.MustCompile(`^flowtwin: \d of 8 comparisons miss their tolerance\n$`).MatchString(stderr) {
		t.Errorf("status %d, %q\n%s", status, stderr, out)
	}
}

func TestJSONIsAllThatGoesToTheOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	// decode refuses anything but one JSON value.
	decode := func(text string, into any) {
		t.Helper()
		d := json.NewDecoder(strings.NewReader(text))
		err := d.Decode(into)
		if err == nil {
			if _, more := d.Token(); !errors.Is(more, io.EOF) {
				err = fmt.Errorf("there is more: %v", more)
			}
		}
		if err != nil {
			t.Errorf("%v:\n%s", err, text)
		}
	}
	var plan struct {
		Points []struct{ Scheduler string } `json:"points"`
	}
	if decode(must(t, "validate", "small.yaml", "--json"), &plan); len(plan.Points) != 4 {
		t.Errorf("validate shows %d points, want 4", len(plan.Points))
	}
	var result struct {
		Directory string `json:"directory"`
		Status    string `json:"status"`
		Figures   []string
		Series    []struct {
			Scheduler string
			Axes      map[string]string
			Metrics   map[string]struct {
				N    int
				Mean *float64
			}
			Versus []struct {
				Scheduler string
				Ratio     *float64
			}
		}
	}
	decode(must(t, "run", "small.yaml", "--json", "--out", "a", "--set", "figures=[latency-by-rate]"), &result)
	if result.Directory != "a" || result.Status != "complete" || len(result.Figures) != 1 || len(result.Series) != 4 {
		t.Fatalf("run shows %+v", result)
	}
	if s := result.Series[1]; s.Scheduler != "faasflow" || s.Axes["load.rate"] != "1/s" || s.Metrics["latency"].N != 40 || s.Metrics["latency"].Mean == nil ||
		len(s.Versus) != 1 || s.Versus[0].Scheduler != "mastersp" || *s.Versus[0].Ratio < 1 {
		t.Errorf("run shows %+v", s)
	}
	must(t, "run", "small.yaml", "--json", "--out", "b")
	var catalogue struct {
		Sections []struct{ Topic string } `json:"sections"`
	}
	if decode(must(t, "list", "--json"), &catalogue); len(catalogue.Sections) != 8 {
		t.Errorf("list shows %d topics, want 8", len(catalogue.Sections))
	}
	var comparison struct {
		Rows []struct{ Difference *float64 } `json:"rows"`
	}
	if decode(must(t, "compare", "a", "a", "--json", "--tolerance", "latency=1%"), &comparison); len(comparison.Rows) != 4 || *comparison.Rows[0].Difference != 0 {
		t.Errorf("compare shows %+v", comparison)
	}
	var figures []struct {
		Directory string
		Figures   []string
	}
	if decode(must(t, "plot", "a", "b", "--json"), &figures); len(figures) != 2 || len(figures[0].Figures) != 1 || figures[1].Figures == nil {
		t.Errorf("plot shows %+v", figures)
	}
	var page struct{ Report string }
	if decode(must(t, "report", "a", "--json"), &page); page.Report != "a/report.html" {
		t.Errorf("report shows %+v", page)
	}
	var repro struct {
		Quick bool
		Files []string
		Rows  []struct {
			Figure, System, Workflow, Metric string
			Published, Ours                  any
			Ratio                            *float64
		}
	}
	decode(must(t, "repro", "faasflow", "partition-cost", "--quick", "--json", "--out", "paper"), &repro)
	if !repro.Quick || len(repro.Files) != 3 || len(repro.Rows) != 20 {
		t.Fatalf("repro shows %d rows and the files %q, want 20 rows and 3 files", len(repro.Rows), repro.Files)
	}
	ratios := 0
	for _, r := range repro.Rows {
		if r.Figure != "partition-cost" || r.Workflow != "genome" {
			t.Errorf("repro shows %+v", r)
		}
		if _, ok := r.Published.(float64); ok && r.Ratio != nil {
			ratios++
		}
	}
	if ratios != 5 {
		t.Errorf("repro shows %d ratios, want 5: one for each size", ratios)
	}
	for _, file := range repro.Files {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	// Bad input is no JSON.
	status, stdout, stderr := flowtwin("run", "nothing.yaml", "--json")
	oneError(t, status, stdout, stderr, "nothing.yaml")
}

func TestProgressIsALineNowAndThenWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, what: "small", unit: "trials", start: time.Now().Add(-7 * time.Second), last: time.Now().Add(-7 * time.Second)}
	for i := range 10 {
		p.set(i+1, 10)
	}
	p.end()
	if want := "small: 1 of 10 trials, 7s\n"; out.String() != want {
		t.Errorf("the progress is %q, want %q", out.String(), want)
	}
}

func TestFigureThatCannotBeDrawnKeepsNoResultsBack(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	must(t, "run", "small.yaml", "--out", "a", "--set", "figures=[latency-by-rate]")
	if err := os.RemoveAll("a/figures"); err != nil {
		t.Fatal(err)
	}
	write(t, "a/figures", "in the way")
	status, stdout, stderr := flowtwin("run", "--resume", "a")
	if status != exitFailed || !strings.Contains(stderr, "a/figures") || !strings.Contains(stdout, "results  a\n") {
		t.Errorf("status %d: %s\n%s", status, stderr, stdout)
	}
	if status, _, stderr := flowtwin("plot", "a"); status != exitFailed || !strings.Contains(stderr, "a/figures") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestImportedWorkflowRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("lunch", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "lunch/flat_workflow.yaml", `global_input:
  order: {type: pass, value: {function: INPUT, parameter: order}, size: 8}
functions:
- name: cook
  source: cook
  runtime: 0.25
  input: {order: {type: pass, value: {function: INPUT, parameter: order}, size: 8}}
  output: {soup: {type: pass, size: 5000}}
  next: {type: pass, nodes: [serve]}
- name: serve
  source: serve
  runtime: 1
  input: {soup: {type: pass, value: {function: cook, parameter: soup}, size: 5000}}
`)
	write(t, "lunch/function_info.yaml", "workflow: lunch\nmax_containers: 7\nfunctions:\n- {image: lunch, name: cook, qos_requirement: 0.95, qos_time: 100}\n")
	if out := must(t, "import", "faasflow", "lunch"); out != "lunch.yaml: 2 functions; use it as workflows: [lunch.yaml]\n" {
		t.Errorf("import says %q", out)
	}
	write(t, "scenario.yaml", "name: s\nworkflows: [lunch.yaml]\nload: {clients: 1, limit: 3}\nschedulers: [mastersp]\n")
	if out := must(t, "run", "scenario.yaml"); !regexp.MustCompile(`mastersp +3 +1\.\d+ s`).MatchString(out) {
		t.Errorf("the output is\n%s", out)
	}
	// A second import does not write over a file that may have been edited.
	status, stdout, stderr := flowtwin("import", "faasflow", "lunch")
	oneError(t, status, stdout, stderr, "lunch.yaml exists")
	must(t, "import", "faasflow", "lunch", "--out", "lunch.yaml")

	before := tree(t, ".")
	write(t, "lunch/flat_workflow.yaml", "functions:\n- {name: a, runtime: 1, next: {type: pass, nodes: [a]}}\n")
	before["lunch/flat_workflow.yaml"] = tree(t, ".")["lunch/flat_workflow.yaml"]
	status, stdout, stderr = flowtwin("import", "faasflow", "lunch", "--out", "bad.yaml")
	if status != exitUsage || stdout != "" || !strings.Contains(stderr, "flat_workflow.yaml") {
		t.Errorf("a cycle: status %d, %q, %q", status, stdout, stderr)
	}
	if after := tree(t, "."); !maps.Equal(before, after) {
		t.Error("files were left")
	}
}

// long is a scenario of many short trials.
const long = `name: long
workflows: [faasflow/genome]
load: {clients: 1, limit: 50}
schedulers: [mastersp, faasflow]
axes: {load.limit: [50, 51, 52, 53, 54]}
trials: 5
figures: [breakdown]
`

func TestInterruptedRunIsReadableAndCanBeFinished(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "long.yaml", long)
	must(t, "run", "long.yaml", "--out", "whole")
	c := process("run", "long.yaml", "--out", "cut", "--parallel", "1")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Interrupt it when some trials are done.
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if trials, _ := os.ReadFile("cut/trials.csv"); bytes.Count(trials, []byte("\n")) > 5 {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("no trial is done after a minute")
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	// An error is no surprise: the status is not 0.
	_ = c.Wait()
	if status := c.ProcessState.ExitCode(); status != exitInterrupted {
		t.Fatalf("the status is %d, want %d: %s", status, exitInterrupted, &stderr)
	}
	if !regexp.MustCompile(`^\d+ of 50 trials are in cut; finish them with: flowtwin run --resume cut\nflowtwin: interrupted\n$`).MatchString(stderr.String()) {
		t.Errorf("the error output is %q", &stderr)
	}
	if !regexp.MustCompile(`^long · .* \d+/50 partial  \d`).MatchString(stdout.String()) {
		t.Errorf("the output is\n%s", &stdout)
	}
	if svg, err := os.ReadFile("cut/figures/breakdown.svg"); err != nil || !strings.Contains(string(svg), "partial") {
		t.Errorf("the figure of a partial run does not say so: %v", err)
	}
	must(t, "report", "cut")
	html, err := os.ReadFile("cut/report.html")
	if err != nil || !strings.Contains(string(html), "The run was interrupted") {
		t.Errorf("the report does not say that the run is partial: %v", err)
	}
	if err := os.Remove("cut/report.html"); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "run", "--resume", "cut"); !strings.Contains(out, " 50/50 ") {
		t.Errorf("the output is\n%s", out)
	}
	whole, cut := tree(t, "whole"), tree(t, "cut")
	for _, files := range []map[string]string{whole, cut} {
		before, _, found := strings.Cut(files["manifest.json"], `"host"`)
		if !found {
			t.Fatal("the manifest has no host")
		}
		files["manifest.json"] = before
	}
	for name := range whole {
		if cut[name] != whole[name] {
			t.Errorf("%s differs from that of an uninterrupted run", name)
		}
	}
	if len(cut) != len(whole) {
		t.Errorf("the directory holds %v, want %v", slices.Sorted(maps.Keys(cut)), slices.Sorted(maps.Keys(whole)))
	}
}

// A run in real time says what became of the profile's constants, and is
// finished as it was begun.
func TestPaceIsOfTheRun(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "tiny.yaml", "name: tiny\nworkflows: [faasflow/wordcount]\ncluster: {workers: 2}\nload: {clients: 1, limit: 1}\nschedulers: [faasflow]\n")
	must(t, "run", "tiny.yaml", "--backend", "local", "--out", "free")
	must(t, "run", "tiny.yaml", "--backend", "local", "--pace", "--out", "paced")
	for dir, pace := range map[string]bool{"free": false, "paced": true} {
		m, err := rundir.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		c := m.Constants
		if c == nil || c.Pace != pace || slices.Contains(c.Paced, "engine.send") != pace || slices.Contains(c.Measured, "engine.send") == pace ||
			!slices.Contains(c.Paced, "container.cold_start") {
			t.Errorf("the manifest of the run in %s says %+v", dir, c)
		}
	}
	must(t, "run", "--resume", "paced")
	if m, err := rundir.ReadManifest("paced"); err != nil || !m.Constants.Pace {
		t.Errorf("the run was begun with --pace, and ended without: %v", err)
	}
}

func TestInterruptBeforeAnyTrialIsDone(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "long.yaml", strings.Replace(long, "limit: 50", "limit: 1000000", 1))
	c := process("run", "long.yaml", "--set", "axes={}", "--json")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat("out/long/manifest.json"); err == nil {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("no run has begun after a minute")
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	var result struct {
		Status string
		Done   int
		Series []any
	}
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || result.Status != "partial" || result.Done != 0 || result.Series == nil {
		t.Errorf("%v: the output is\n%s", err, &stdout)
	}
	if status := c.ProcessState.ExitCode(); status != exitInterrupted {
		t.Errorf("the status is %d, want %d: %s", status, exitInterrupted, &stderr)
	}
}

func TestOutputThatNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c := process("list")
	var stderr bytes.Buffer
	c.Stdout, c.Stderr = w, &stderr
	err = c.Run()
	w.Close()
	// As other programs it ends by the signal, without a word.
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || stderr.Len() > 0 {
		t.Errorf("it ends with %v: %s", err, &stderr)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	if status := run([]string{"list"}, fullDisk{}, &stderr); status != exitFailed || !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

// A run whose load was sent too late shows its results, says so and fails. Here
// an invocation is made late in the records, and the run finished again.
func TestARunThatIsLateFails(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "small.yaml", small)
	shown := must(t, "run", "small.yaml", "--trials", "1", "--out", "here")
	name := filepath.Join("here", "invocations.csv")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(string(text), "\n")
	sent := slices.Index(strings.Split(rows[0], ","), "sent")
	cells := strings.Split(rows[1], ",")
	cells[sent] = "9" + cells[sent][1:] // s, and as long a row as before
	rows[1] = strings.Join(cells, ",")
	write(t, name, strings.Join(rows, "\n"))
	status, out, stderr := flowtwin("run", "--resume", "here")
	if status != 1 || !strings.Contains(stderr, "the load generator could not keep up") || !strings.Contains(stderr, "mastersp faasflow/wordcount 1/s, one invocation in a hundred was sent 9") {
		t.Errorf("status %d, %s", status, stderr)
	}
	if first, _, _ := strings.Cut(shown, "\n"); len(out) < len(shown)/2 || !strings.HasPrefix(out, first[:20]) {
		t.Errorf("it shows %q\n, in time it was %q", out, shown)
	}
}

// With --functions processes each container is a process of its own, and the
// manifest says so. What it computes is the same, and its inputs can be replayed.
func TestFunctionsAsProcesses(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("FLOWTWIN_TEST_PROCESS", "1") // For those that are started.
	args := []string{"run", "quickstart", "--backend", "local", "--trials", "1", "--limit", "300ms", "--set", "load.rate=600/min", "--set", "axes={}", "--set", "figures=[]"}
	must(t, append(args, "--functions", "processes", "--compute", "real", "--record", "--out", "a")...)
	m, err := rundir.ReadManifest("a")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Serves["functions"]; got != "child processes that run real bodies" {
		t.Errorf("functions are %q", got)
	}
	if text := must(t, "replay", "a"); !strings.Contains(text, "the same") {
		t.Errorf("replay says\n%s", text)
	}
}
