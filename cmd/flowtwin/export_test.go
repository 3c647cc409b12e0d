package main

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// uncommented is a workflow file without its comments.
func uncommented(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(data), "")
}

const diamond = `name: diamond
functions:
  a:
    global_inputs: [70]
    compute: 1.5s
    cpu: 0.25
    outputs: {w: 7KB, x: 5KB}
  b:
    inputs: [a.x]
    compute: 2s
    cpu: 0
    memory: 1GiB
    outputs: {z: 33}
  c:
    inputs: [a.w]
    compute: 250ms
    cpu: 3
  d:
    after: [b, c]
    inputs: [a.x, b.z]
    compute: 1ms
`

func TestExportAndImportKeepTheStructure(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "diamond.yaml", diamond)
	write(t, "scenario.yaml", "name: s\nworkflows: [diamond.yaml]\nload: {clients: 1, limit: 3}\nschedulers: [faasflow, mastersp]\ntasks: true\n")
	must(t, "run", "scenario.yaml")
	if out := must(t, "export", "wfformat", "out/s", "--invocation", "2", "--point", "1"); out != "diamond-2.json\n" {
		t.Errorf("export says %q", out)
	}
	must(t, "import", "wfformat", "diamond-2.json", "--out", "again.yaml")
	if again := uncommented(t, "again.yaml"); again != diamond {
		t.Errorf("it comes back as\n%s", again)
	}
}

// execution is what the tests below look at.
type execution struct {
	SchemaVersion string
	Workflow      struct {
		Specification struct {
			Tasks []struct {
				ID                                         string
				Parents, Children, InputFiles, OutputFiles []string
			}
			Files []struct {
				ID          string
				SizeInBytes *int64
			}
		}
		Execution struct {
			MakespanInSeconds float64
			Tasks             []struct {
				ID               string
				RuntimeInSeconds float64
				WrittenBytes     int64
				CoreCount        float64
				Machines         []string
			}
			Machines []struct{ NodeName string }
		}
	}
}

// exported runs a workflow and exports its first invocation.
func exported(t *testing.T, workflow string) execution {
	t.Helper()
	write(t, "scenario.yaml", "name: s\nworkflows: ["+workflow+"]\nload: {clients: 1, limit: 2}\nschedulers: [mastersp]\ntasks: true\n")
	must(t, "run", "scenario.yaml")
	must(t, "export", "wfformat", "out/s", "--out", "out.json")
	data, err := os.ReadFile("out.json")
	if err != nil {
		t.Fatal(err)
	}
	var e execution
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// The rules of WfFormat 1.6, which its own validator checks.
func TestExportIsConsistent(t *testing.T) {
	for _, workflow := range []string{"faasflow/wordcount", "faasflow/video", "faasflow/recognizer", "faasflow/genome", "mine.yaml"} {
		t.Run(workflow, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "mine.yaml", `name: "my own: switch, nested, empty"
functions:
  "a b": {compute: 1s, outputs: {parts: {items: 2, size: {exponential: 1MB}}, none: {items: 0, size: 1}}}
  outer: {foreach: "a b.parts", inputs: ["a b.parts"], compute: 1s, outputs: {parts: {items: 3, size: 10}}}
  inner: {foreach: outer.parts, inputs: [outer.parts], compute: {uniform: [1s, 2s]}, outputs: {r: 5}}
  gather: {merge: true, inputs: [inner.r, outer.parts], compute: 1s, outputs: {r: {size: {uniform: [1, 100]}}}}
  all: {merge: true, inputs: [gather.r, "a b.parts"], compute: 1s, outputs: {flag: 1}}
  never: {foreach: "a b.none", compute: 1s, outputs: {r: 5}}
  after: {merge: true, inputs: [never.r], compute: 1s}
  choose: {inputs: [all.flag], switch: [{to: [taken], probability: 1}, {to: [left], probability: 0}]}
  taken: {compute: 1s}
  left: {compute: 1s}
  last: {after: [taken, left, after], compute: 1s}
`)
			e := exported(t, workflow)
			spec, run := e.Workflow.Specification, e.Workflow.Execution
			files, ids, children := map[string]bool{}, map[string][]string{}, map[string][]string{}
			for _, f := range spec.Files {
				if files[f.ID] || f.SizeInBytes == nil || *f.SizeInBytes < 0 {
					t.Errorf("file %s is there twice or has no size", f.ID)
				}
				files[f.ID] = true
			}
			allowed := regexp.MustCompile(`^[0-9a-zA-Z_.#:/-]+$`)
			for _, task := range spec.Tasks {
				if _, twice := ids[task.ID]; twice || !allowed.MatchString(task.ID) {
					t.Errorf("the id %q", task.ID)
				}
				ids[task.ID] = task.Parents
				children[task.ID] = task.Children
				for _, f := range slices.Concat(task.InputFiles, task.OutputFiles) {
					if !files[f] || !allowed.MatchString(f) {
						t.Errorf("%s has the file %q", task.ID, f)
					}
				}
			}
			for id, parents := range ids {
				for _, p := range parents {
					if !slices.Contains(children[p], id) {
						t.Errorf("%s has the parent %s, which does not have that child", id, p)
					}
				}
			}
			longest, written := 0.0, int64(0)
			for _, task := range run.Tasks {
				if _, known := ids[task.ID]; !known || task.CoreCount < 1 || len(task.Machines) != 1 {
					t.Errorf("the execution of %+v", task)
				}
				longest = max(longest, task.RuntimeInSeconds)
				written += task.WrittenBytes
			}
			// MasterSP puts everything into the store: so sizes are those drawn.
			rows, err := csv.NewReader(strings.NewReader(tree(t, "out/s")["invocations.csv"])).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if want := rows[1][slices.Index(rows[0], "bytes_remote_written")]; strconv.FormatInt(written, 10) != want {
				t.Errorf("the tasks wrote %d B, the invocation %s", written, want)
			}
			if e.SchemaVersion != "1.6" || len(run.Tasks) != len(ids) || longest == 0 || longest > run.MakespanInSeconds || len(run.Machines) != 7 {
				t.Errorf("%d tasks of %d, the longest %g of %g s, %d machines", len(run.Tasks), len(ids), longest, run.MakespanInSeconds, len(run.Machines))
			}
			if workflow == "mine.yaml" {
				want := map[string][]string{
					"a_b": {}, "outer#0": {"a_b"}, "outer#1": {"a_b"}, "inner#0#0": {"outer#0"}, "inner#1#2": {"outer#1"}, "gather#1": {"inner#1#0", "inner#1#1", "inner#1#2", "outer#1"},
					"all": {"a_b", "gather#0", "gather#1"}, "after": {"a_b"}, "taken": {"all"}, "last": {"after", "taken"},
				}
				for id, parents := range want {
					got, ok := ids[id]
					if slices.Sort(got); !ok || !slices.Equal(got, parents) {
						t.Errorf("%s comes after %v, want %v", id, got, parents)
					}
				}
				if _, there := ids["left"]; there || len(ids) != 15 {
					t.Errorf("there are %v", slices.Sorted(maps.Keys(ids)))
				}
			}
			// And it runs.
			must(t, "import", "wfformat", "out.json", "--out", "again.yaml")
			write(t, "again-scenario.yaml", "name: again\nworkflows: [again.yaml]\nload: {clients: 1, limit: 2}\nschedulers: [faasflow]\n")
			must(t, "run", "again-scenario.yaml")
		})
	}
}

// WfFormat has a list of files or none, but no null.
func TestExportWithoutFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "bare.yaml", "name: bare\nfunctions:\n  a: {compute: 1s}\n  b: {after: [a], compute: 1s}\n")
	if e := exported(t, "bare.yaml"); len(e.Workflow.Specification.Tasks) != 2 {
		t.Errorf("%+v", e)
	}
	if text := uncommented(t, "out.json"); strings.Contains(text, "null") {
		t.Errorf("there is a null:\n%s", text)
	}
}

func TestExportRefusals(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "without.yaml", "name: without\nworkflows: [diamond.yaml]\nload: {clients: 1, limit: 1}\nschedulers: [faasflow]\n")
	write(t, "diamond.yaml", diamond)
	must(t, "run", "without.yaml")
	write(t, "with.yaml", "name: with\nworkflows: [diamond.yaml]\nload: {clients: 1, limit: 1}\nschedulers: [faasflow]\ntasks: true\n")
	must(t, "run", "with.yaml")
	write(t, "late.yaml", "name: late\nworkflows: [diamond.yaml]\ntimeout: 1s\nload: {clients: 1, limit: 1}\nschedulers: [faasflow]\ntasks: true\n")
	must(t, "run", "late.yaml")
	write(t, "diamond-0.json", "mine")
	before := tree(t, ".")
	for line, want := range map[string]string{
		"export nothing .":                        `unknown command "nothing" for "flowtwin export"`,
		"export wfformat":                         "one argument is expected: the run directory",
		"export wfformat .":                       "not a run directory",
		"export wfformat out/without":             "the run kept no tasks: run it again with --set tasks=true",
		"export wfformat out/with":                "diamond-0.json exists",
		"export wfformat out/with --point 1":      "--point 1: the run has points 0 to 0",
		"export wfformat out/with --trial -1":     "--trial -1: the run has trials 0 to 0",
		"export wfformat out/with --workflow x":   "--workflow x: the point has diamond",
		"export wfformat out/with --invocation 7": "there is no invocation 7 of diamond in trial 0 of point 0",
		"export wfformat out/late":                "no invocation of diamond has completed",
		"export wfformat out/late --invocation 0": "invocation 0 has not completed: its outcome is",
	} {
		t.Run(line, func(t *testing.T) {
			status, stdout, stderr := flowtwin(strings.Fields(line)...)
			oneError(t, status, stdout, stderr, want)
		})
	}
	if after := tree(t, "."); !maps.Equal(before, after) {
		t.Errorf("files were left: %v", slices.Sorted(maps.Keys(after)))
	}
	write(t, "diamond.yaml", strings.Replace(diamond, "7KB", "8KB", 1))
	status, stdout, stderr := flowtwin("export", "wfformat", "out/with", "--out", "x.json")
	oneError(t, status, stdout, stderr, "the scenario's files have changed since")
}
