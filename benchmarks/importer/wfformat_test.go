package importer_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// fromWfFormat imports a text, and returns it as one of our files, and what
// was noted, both without the directory.
func fromWfFormat(t *testing.T, text string) (file, notes string, err error) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "in.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, list, err := importer.WfFormat(name)
	if err != nil {
		return "", "", fmt.Errorf("%s", strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
	}
	for _, n := range list {
		if line := strings.TrimPrefix(n.String(), dir+string(filepath.Separator)); !strings.Contains(line, "a runtime is taken as compute time") {
			notes += line + "\n"
		}
	}
	var out bytes.Buffer
	if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
		t.Fatal(err)
	}
	again, err := workflowfile.Parse("again.yaml", out.Bytes())
	if err != nil || !reflect.DeepEqual(w, again) {
		t.Fatalf("it does not read back as the same: %v\n%s", err, out.String())
	}
	return out.String(), notes, nil
}

func TestWhatWfFormatMeans(t *testing.T) {
	const soup = `name: soup
functions:
  cook:
    global_inputs: [700]
    compute: 1.5s
    cpu: 0.25
    memory: 2GiB
    outputs: {pot: 5KB}
  serve:
    inputs: [cook.pot]
    compute: 2s
`
	for name, c := range map[string]struct{ text, want, notes string }{
		"1.5 and 1.6: the specification apart from the execution": {
			text: `{"name": "soup.json", "schemaVersion": "1.6", "unknown": {"deep": [1, {"x": null}]}, "workflow": {
 "specification": {
  "tasks": [
   {"name": "cook", "id": "cook", "parents": [], "children": ["serve"], "inputFiles": ["leek"], "outputFiles": ["pot", "pot"]},
   {"name": "serve", "id": "serve", "parents": ["cook"], "children": [], "inputFiles": ["pot"], "color": "red"}],
  "files": [{"id": "leek", "sizeInBytes": 700}, {"id": "pot", "sizeInBytes": 5000}],
  "metrics": {"numberOfTasks": 2}},
 "execution": {"makespanInSeconds": 4, "executedAt": "x", "tasks": [
  {"id": "cook", "runtimeInSeconds": 1.5, "avgCPU": 25, "coreCount": 3, "memoryInBytes": 2147000000},
  {"id": "serve", "runtimeInSeconds": 2}]}}}`,
			want: soup,
		},
		"1.0: jobs, sizes and memory in KB": {
			text: `{"name": "soup", "schemaVersion": "1.0", "workflow": {"makespan": 4, "jobs": [
 {"name": "cook", "type": "compute", "runtime": 1.5, "avgCPU": 25, "memory": 2147000, "parents": [],
  "files": [{"link": "input", "name": "leek", "size": 700}, {"link": "output", "name": "pot", "size": 5000}]},
 {"name": "serve", "runtime": 2, "cores": 1, "parents": ["cook"], "files": [{"link": "input", "name": "pot", "size": 4999}]}]}}`,
			want: soup,
		},
		"1.4: tasks, names that are not unique, paths": {
			text: `{"name": "twins", "schemaVersion": "1.4", "workflow": {"tasks": [
 {"name": "twin", "id": "1", "runtimeInSeconds": 1, "files": [{"link": "output", "path": "/a/", "name": "f", "sizeInBytes": 1}]},
 {"name": "twin", "id": "2", "runtimeInSeconds": 1, "parents": ["1"], "files": [{"link": "output", "path": "/b/", "name": "f", "sizeInBytes": 2}]},
 {"name": "end", "id": "3", "runtimeInSeconds": 1, "cores": 2.5, "parents": ["twin_2"], "files": [{"link": "input", "path": "/a/", "name": "f", "sizeInBytes": 1}]}]}}`,
			want: `name: twins
defaults: {compute: 1s}
functions:
  twin_1:
    outputs: {"/a/f": 1}
  twin_2:
    after: [twin_1]
    outputs: {"/b/f": 2}
  end:
    after: [twin_2]
    inputs: ["twin_1./a/f"]
    cpu: 2.5
`,
		},
		"of several writers the nearest before the reader counts": {
			text: spec(`{"id": "a", "children": ["b"], "outputFiles": ["f"]}, {"id": "b", "children": ["c"], "inputFiles": ["f"], "outputFiles": ["f"]},
 {"id": "c", "inputFiles": ["f"]}, {"id": "later", "parents": ["c"], "outputFiles": ["f"]}`),
			want: `name: in
functions:
  a:
    outputs: {f: 9}
  b:
    inputs: [a.f]
    outputs: {f: 9}
  c:
    inputs: [b.f]
  later:
    after: [c]
    outputs: {f: 9}
`,
			notes: "in.json:1:76: tasks without a runtime: 4, such as \"a\"; they take no time\n",
		},
		"of equally near writers the first in the file counts": {
			text: spec(`{"id": "a", "outputFiles": ["f"]}, {"id": "b", "outputFiles": ["f"]}, {"id": "p", "parents": ["b"]}, {"id": "q", "parents": ["a"]},
 {"id": "c", "parents": ["p", "q"], "inputFiles": ["f"]}`),
			want: `name: in
functions:
  a:
    outputs: {f: 9}
  b:
    outputs: {f: 9}
  p:
    after: [b]
  q:
    after: [a]
  c:
    after: [p, q]
    inputs: [a.f]
`,
			notes: "in.json:1:76: tasks without a runtime: 5, such as \"a\"; they take no time\n",
		},
		"a file makes a control edge where there is none": {
			text: spec(`{"id": "reader", "inputFiles": ["f"]}, {"id": "writer", "outputFiles": ["f"]}`),
			want: `name: in
functions:
  reader:
    inputs: [writer.f]
  writer:
    outputs: {f: 9}
`,
			notes: "in.json:1:76: tasks without a runtime: 2, such as \"reader\"; they take no time\n",
		},
		"a file does not make one that contradicts them": {
			text: spec(`{"id": "reader", "inputFiles": ["f"], "children": ["writer"]}, {"id": "writer", "outputFiles": ["f"]}`),
			want: `name: in
functions:
  reader:
    global_inputs: [9]
  writer:
    after: [reader]
    outputs: {f: 9}
`,
			notes: "in.json:1:76: tasks without a runtime: 2, such as \"reader\"; they take no time\n" +
				"in.json:1:76: files read before they are written, as parents and children say: 1, such as \"f\"; they are taken as global inputs\n",
		},
		"what the same task reads and writes is a global input": {
			text: spec(`{"id": "a", "inputFiles": ["f"], "outputFiles": ["f"]}`),
			want: `name: in
functions:
  a:
    global_inputs: [9]
    outputs: {f: 9}
`,
			notes: "in.json:1:76: tasks without a runtime: 1, such as \"a\"; they take no time\n",
		},
		"names that run alike": {
			text: spec(`{"id": "a", "outputFiles": ["b.f"]}, {"id": "a.b", "outputFiles": ["f"]}, {"id": "c", "inputFiles": ["b.f", "f"]}`),
			want: `name: in
functions:
  a:
    outputs: {b.f: 0}
  a.b:
    outputs: {f_: 9}
  c:
    inputs: [a.b.f, a.b.f_]
`,
			notes: "in.json:1:76: tasks without a runtime: 3, such as \"a\"; they take no time\n" +
				"in.json:1:104: files without a size: 1, such as \"b.f\"; they are taken as 0 B\n",
		},
		"null, negative and missing numbers": {
			text: `{"name": "in", "schemaVersion": "1.5", "workflow": {"specification": {"tasks": [
 {"id": "a", "inputFiles": ["x", "y"]}, {"id": "b", "inputFiles": ["z"]}], "files": [{"id": "x"}, {"id": "y", "sizeInBytes": null}]},
 "execution": {"tasks": [{"id": "a", "runtimeInSeconds": null}, {"id": "b", "runtimeInSeconds": -1}, {"id": "ghost", "runtimeInSeconds": 1}]}}}`,
			want: `name: in
functions:
  a:
    global_inputs: [0, 0]
  b:
    global_inputs: [0]
`,
			notes: `in.json:2:2: tasks without a runtime: 2, such as "a"; they take no time
in.json:2:86: files without a size: 3, such as "x"; they are taken as 0 B
in.json:3:97: numbers out of range: 1, such as "runtimeInSeconds of b"; they are left out
in.json:3:102: tasks executed that the specification does not have: 1, such as "ghost"; they are left out
`,
		},
		"ids that are numbers, and parents by name": {
			text: `{"name": "in", "schemaVersion": 1.5, "workflow": {"specification": {"tasks": [
 {"name": "a", "id": 1, "children": [2], "outputFiles": [7]}, {"name": "b", "id": 2, "inputFiles": [7]}, {"name": "c", "id": "3", "parents": ["b"]}],
 "files": [{"id": 7, "sizeInBytes": 9}]}, "execution": {"tasks": [{"id": 1, "runtimeInSeconds": 1}, {"id": 2, "runtimeInSeconds": 2}, {"id": "3", "runtimeInSeconds": 3}]}}}`,
			want: `name: in
functions:
  "1":
    compute: 1s
    outputs: {"7": 9}
  "2":
    inputs: ["1.7"]
    compute: 2s
  "3":
    after: ["2"]
    compute: 3s
`,
		},
		"NaN and Infinity, as Python writes them, outside of strings": {
			text: `{"name": "NaN \"Infinity", "schemaVersion": "1.4", "workflow": {"tasks": [
 {"name": "a", "runtimeInSeconds": NaN, "avgCPU": -Infinity, "memoryInBytes": Infinity}, {"name": "b", "parents": ["a"], "runtimeInSeconds": 1}]}}`,
			want: `name: "NaN \"Infinity"
functions:
  a: {}
  b:
    after: [a]
    compute: 1s
`,
			notes: "in.json:2:2: tasks without a runtime: 1, such as \"a\"; they take no time\n" +
				"in.json:2:36: numbers out of range: 3, such as \"runtimeInSeconds of a\"; they are left out\n",
		},
		"of a key that is there twice the last counts": {
			text: `{"name": "a", "name": "in", "schemaVersion": "1.4", "workflow": {"tasks": [{"name": "a", "runtimeInSeconds": 5, "runtimeInSeconds": 1}]}}`,
			want: "name: in\nfunctions:\n  a:\n    compute: 1s\n",
		},
		"Makeflow's sizes are doubtful": {
			text:  `{"name": "in", "schemaVersion": "1.3", "wms": {"name": "Makeflow"}, "workflow": {"tasks": [{"name": "a", "runtime": 1}]}}`,
			want:  "name: in\nfunctions:\n  a:\n    compute: 1s\n",
			notes: "in.json:1:47: sizes are read as bytes, as the format has it, but WfCommons up to 1.3 recorded those of Makeflow in KB\n",
		},
		"another version is read as what it resembles": {
			text:  `{"name": "in", "schemaVersion": "1.7", "workflow": {"tasks": [{"name": "a", "runtime": 1}]}}`,
			want:  "name: in\nfunctions:\n  a:\n    compute: 1s\n",
			notes: "in.json:1:33: the schema version \"1.7\" is none of 1.0 to 1.6: it is read as the one that it resembles\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, notes, err := fromWfFormat(t, c.text)
			if err != nil || got != c.want || notes != c.notes {
				t.Errorf("%v\n%s\n%s\nwant\n%s\n%s", err, got, notes, c.want, c.notes)
			}
		})
	}
}

// spec is a file of WfFormat 1.6 without an execution, of tasks that share the
// file f of 9 B.
func spec(tasks string) string {
	return `{"schemaVersion": "1.6", "workflow": {"specification": {"tasks": [         ` + tasks + `], "files": [{"id": "f", "sizeInBytes": 9}]}}}`
}

func TestBrokenWfFormatIsOneErrorWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":       {"", "in.json:1:1: the file ends too early"},
		"a file cut off":      {"{\n\"workflow\": {", "in.json:2:14: the file ends too early"},
		"a packed file":       {"\x1f\x8b\x08\x00", "in.json:1:1: the file is packed (gzip): unpack it first, with gunzip"},
		"no JSON":             {"{\n  \"a\" 7}", "in.json:2:7: it is no JSON: "},
		"broken UTF-8":        {"{\n\"name\": \"\xff\"}", "in.json:2:10: the text is broken here: it is no UTF-8"},
		"two values":          {"{}\n{}", "in.json:2:1: the file goes on after its end"},
		"a bottomless file":   {strings.Repeat("[", 1e6), "in.json:1:65: it nests deeper than 64 levels"},
		"no object":           {"[]", `in.json:1:1: an object "workflow" is expected`},
		"no tasks":            {`{"schemaVersion": "1.5", "workflow": {}}`, "in.json:1:38: the workflow has no list of tasks"},
		"an empty list":       {spec(""), "in.json:1:1: a workflow needs at least one function"},
		"a task that is a 7":  {spec("\n7"), "in.json:2:1: a task is expected"},
		"a task without id":   {spec("\n{}"), "in.json:2:1: the task has no id"},
		"two tasks of one id": {spec("\n{\"id\": \"a\"},\n{\"id\": \"a\"}"), `in.json:3:1: there are two tasks "a", here and in line 2: give them ids that differ`},
		"an unknown parent":   {spec("\n{\"id\": \"a\", \"parents\": [\n\"b\"]}"), `in.json:3:1: "a" names the task "b", which does not exist`},
		"its own parent":      {spec("\n{\"id\": \"a\", \"parents\": [\"a\"]}"), "in.json:2:1: a: it is part of a cycle: a → a"},
		"a cycle of tasks":    {spec("{\"id\": \"x\"},\n{\"id\": \"a\", \"parents\": [\"b\"]},\n{\"id\": \"b\", \"parents\": [\"a\"]}"), "in.json:2:1: a: it is part of a cycle: a → b → a"},
		"a cycle of files":    {spec("\n{\"id\": \"a\", \"inputFiles\": [\"f\"], \"outputFiles\": [\"g\"]}, {\"id\": \"b\", \"inputFiles\": [\"g\"], \"outputFiles\": [\"f\"]}"), "in.json:2:1: a: it is part of a cycle: a → b → a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := fromWfFormat(t, c.text)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
}

// The largest instances that are published have some 10 000 tasks.
func TestTenThousandTasks(t *testing.T) {
	for name, link := range map[string]func(i int) string{
		"a chain":        func(i int) string { return fmt.Sprintf(`"parents": ["t%d"], "inputFiles": ["f%d"]`, i-1, i-1) },
		"a fan":          func(i int) string { return `"parents": ["t0"], "inputFiles": ["f0"]` },
		"files alone":    func(i int) string { return fmt.Sprintf(`"inputFiles": ["f%d", "f%d"]`, i/2, i-1) },
		"one big reader": func(i int) string { return `"inputFiles": ["g"]` },
	} {
		var tasks strings.Builder
		tasks.WriteString(`{"id": "t0", "outputFiles": ["f0"]}`)
		for i := 1; i < 10_000; i++ {
			fmt.Fprintf(&tasks, ",\n{\"id\": \"t%d\", \"outputFiles\": [\"f%d\"], %s}", i, i, link(i))
		}
		start := time.Now()
		got, _, err := fromWfFormat(t, spec(tasks.String()))
		if err != nil || strings.Count(got, "outputs: ") != 10_000 {
			t.Errorf("%s: %d functions, %v", name, strings.Count(got, "outputs: "), err)
		}
		t.Logf("%s: %s", name, time.Since(start).Round(time.Millisecond))
	}
}
