package importer_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// place writes the two files of a benchmark into a directory.
func place(t testing.TB, flat, info string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lunch")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"flat_workflow.yaml": flat, "function_info.yaml": info} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// imported imports a benchmark and returns it as one of our files, and what
// was noted, without the directory.
func imported(t *testing.T, flat, info string) (text, notes string) {
	t.Helper()
	dir := place(t, flat, info)
	w, list, err := importer.FaaSFlow(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, flat)
	}
	for _, n := range list {
		notes += strings.TrimPrefix(n.String(), dir+string(filepath.Separator)) + "\n"
	}
	var out bytes.Buffer
	if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
		t.Fatal(err)
	}
	again, err := workflowfile.Parse("again.yaml", out.Bytes())
	if err != nil || !reflect.DeepEqual(w, again) {
		t.Fatalf("it does not read back as the same: %v\n%s", err, out.String())
	}
	return out.String(), notes
}

func TestWhatTheArtefactsFilesMean(t *testing.T) {
	const info = "workflow: lunch\nmax_containers: 7\nfunctions:\n- {image: lunch_a, name: a, qos_requirement: 0.95, qos_time: 100}\n"
	for name, c := range map[string]struct{ flat, info, want, notes string }{
		"pass and parallel both trigger all successors": {
			flat: `
global_input:
  order:
    type: pass
    value: {function: INPUT, parameter: order}
    size: 8
functions:
- name: cook
  source: cook
  runtime: 0.25
  scale: 3
  mem_usage: 0.25
  input:
    order:
      type: pass
      value:
        function: INPUT
        parameter: order
      size: 8
  output:
    soup:
      type: pass
      size: 5000
  next:
    type: parallel
    nodes:
    - serve
    - taste
- name: serve
  source: serve
  runtime: 1
  scale: 3
  mem_usage: 0.25
  input:
    soup:
      type: pass
      value: {function: cook, parameter: soup}
      size: 5000
  output:
  next:
    type: pass
    nodes: []
- name: taste
  source: taste
  runtime: 2
  scale: 3
  mem_usage: 0.25
  input: {}
global_output:
`, info: info,
			want: `name: lunch
defaults: {max_containers: 7, planning: {containers: 3, memory_used: 25%}}
functions:
  cook:
    global_inputs: [8]
    compute: 250ms
    outputs: {soup: 5KB}
  serve:
    inputs: [cook.soup]
    compute: 1s
  taste:
    after: [cook]
    compute: 2s
`,
			notes: "flat_workflow.yaml: 3 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell\n",
		},
		"a key is produced by whoever puts it, whatever the file says": {
			flat: `
global_input:
  g.txt: &id001
    type: pass
    value: {function: INPUT, parameter: g.txt}
    size: 60
functions:
- name: split_00000001
  source: split_00000001
  runtime: 1
  input:
    g.txt: *id001
  output:
    x.gz: {type: normal, size: 100}
  next: {type: pass, nodes: [join_00000002]}
- name: join_00000002
  source: join_00000002
  runtime: 1
  input:
    x.gz: {type: pass, value: {function: INPUT, parameter: x.gz}, size: 100}
    g.txt: *id001
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, cpu: 0, max_containers: 7}
functions:
  split_00000001:
    global_inputs: [60]
    outputs: {x.gz: 100}
  join_00000002:
    inputs: [split_00000001.x.gz]
    global_inputs: [60]
`,
			notes: "flat_workflow.yaml: 2 functions come from the artefact's generator: they sleep (cpu: 0) for their runtime\n",
		},
		"of several functions that put a key, the nearest upstream counts": {
			flat: `
functions:
- {name: a, runtime: 1, output: {flag: {type: normal, size: 8}}, next: {type: pass, nodes: [b]}}
- {name: b, runtime: 1, output: {flag: {type: normal, size: 9}}, next: {type: pass, nodes: [c]}}
- {name: c, runtime: 1, next: {type: pass, nodes: [d, e]}}
- {name: d, runtime: 1, input: {flag: {type: pass, size: 9}}}
- {name: e, runtime: 1, output: {flag: {type: normal, size: 9}}}
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, max_containers: 7}
functions:
  a:
    outputs: {flag: 8}
  b:
    after: [a]
    outputs: {flag: 9}
  c:
    after: [b]
  d:
    after: [c]
    inputs: [b.flag]
  e:
    after: [c]
    outputs: {flag: 9}
`,
			notes: "flat_workflow.yaml: 5 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell\n",
		},
		"a key whose producer may not have ended is a global input": {
			flat: `
functions:
- {name: a, runtime: 1, next: {type: pass, nodes: [b, c]}}
- {name: b, runtime: 1, output: {x: {type: normal, size: 8}}}
- {name: c, runtime: 1, input: {x: {type: pass, size: 8}}}
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, max_containers: 7}
functions:
  a: {}
  b:
    after: [a]
    outputs: {x: 8}
  c:
    after: [a]
    global_inputs: [8]
`,
			notes: `flat_workflow.yaml:5:36: c reads x, but no function that puts it is sure to have ended by then: it is taken as a global input
flat_workflow.yaml: 3 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell
`,
		},
		"a foreach cuts the data that it reads, and its successors are merges": {
			flat: `
global_input:
functions:
- name: start
  runtime: 1
  scale: 3
  mem_usage: 0.25
  input:
  output:
    names: {type: keys, size: 8}
    text: {type: pass, size: 1001}
  next: {type: foreach, nodes: [count]}
- name: count
  runtime: 1
  scale: 3
  mem_usage: 0.25
  split_ratio: 2
  input:
    names: {type: key, value: {function: start, parameter: nmaes}, size: 8}
    text: {type: pass, value: {function: start, parameter: text}, size: 1001}
  output:
    words: {type: pass, size: 300}
  next: {type: pass, nodes: [merge]}
- name: merge
  runtime: 1
  scale: 3
  mem_usage: 0.25
  input:
    names: {type: key, value: {function: start, parameter: names}, size: 8}
    words: {type: pass, value: {function: count, parameter: words}, size: 30}
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, max_containers: 7, planning: {containers: 3, memory_used: 25%}}
functions:
  start:
    outputs: {text: {items: 2, size: {by_item: [501, 500]}}}
    planning: {output_bytes: 1009}
  count:
    foreach: start.text
    inputs: [start.text]
    outputs: {words: 150}
    planning: {output_bytes: 300, split_ratio: 2}
  merge:
    merge: true
    inputs: [count.words]
`,
			notes: `flat_workflow.yaml:30:12: merge is said to read 30 B of count.words, which has 300 B: the latter counts
flat_workflow.yaml: 3 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell
`,
		},
		"a foreach that reads no data iterates over the keys": {
			flat: `
functions:
- {name: split, runtime: 1, output: {keys: {type: keys, size: 8}, film: {type: pass, size: 90}}, next: {type: foreach, nodes: [code]}}
- {name: code, runtime: 1, input: {keys: {type: key, size: 8}}, output: {film: {type: pass, size: 30}}, next: {type: pass, nodes: [join]}}
- {name: join, runtime: 1, input: {keys: {type: key, size: 8}}}
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, max_containers: 7}
functions:
  split:
    outputs: {keys: {items: 1, size: 0}, film: 90}
    planning: {output_bytes: 98}
  code:
    foreach: split.keys
    outputs: {film: 30}
  join:
    after: [code]
    merge: true
`,
			notes: `flat_workflow.yaml:4:10: code has no split_ratio: its foreach gets one instance; give its list more items if there are more
flat_workflow.yaml: 3 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell
`,
		},
		"a condition on what the caller gives holds, one on what functions find does not": {
			flat: `
global_input:
  fast: {type: pass, value: {function: INPUT, parameter: fast}, size: 8}
functions:
- {name: look, runtime: 1, output: {flag: {type: normal, size: 8}, fast: {type: pass, size: 8}}, next: {type: pass, nodes: [virtual1]}}
- name: virtual1
  source: VIRTUAL
  runtime: 1
  next:
    type: switch
    conditions:
      - INPUT.flag
      - INPUT.fast
      - default
    nodes:
      - bad
      - virtual2
      - END
- {name: bad, runtime: 1}
- name: virtual2
  source: VIRTUAL
  runtime: 1
  scale: 3
  next: {type: switch, conditions: [INPUT.flag and INPUT.fast, default], nodes: [bad, END]}
- {name: END, source: END, runtime: 1, scale: 0}
`, info: info,
			want: `name: lunch
defaults: {compute: 1s, max_containers: 7}
functions:
  look:
    outputs: {flag: 8, fast: 8}
  virtual1:
    inputs: [look.flag, look.fast]
    switch:
    - {name: INPUT.flag, to: [bad], probability: 0}
    - {name: INPUT.fast, to: [virtual2], probability: 1}
    - {name: default, to: [END], probability: 0}
    planning: {compute: 1s, containers: 0}
  bad: {}
  virtual2:
    inputs: [look.flag, look.fast]
    switch:
    - {name: "INPUT.flag and INPUT.fast", to: [bad], probability: 0}
    - {name: default, to: [END], probability: 1}
    planning: {compute: 1s, containers: 3}
  END:
    end: true
    planning: {compute: 1s, containers: 0}
`,
			notes: `flat_workflow.yaml:6:9: virtual1 always takes the branch "INPUT.fast" to virtual2 (what the caller gives is taken to make it so): change the probabilities of its switch if that is wrong
flat_workflow.yaml:20:9: virtual2 always takes the branch "default" to END (what functions find is taken not to make any other so): change the probabilities of its switch if that is wrong
flat_workflow.yaml: 2 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell
`,
		},
		"what is missing or unknown is noted, not refused": {
			flat: `
version: 2
fuctions:
- name: a
  source: a
  colour: red
  input:
    x: {type: NORMAL, value: {function: INPUT, parameter: x}}
  output:
    w:
      type: normal
    z: {type: normal, size: ???}
  next:
    type: sideways
    nodes: b
- name: b
  colour: blue
  runtime: soon
  scale: 0
  next:
    type: pass
    nodes: [END]
  input:
    w: {size: 17}
`, info: "",
			want: `name: lunch
functions:
  a:
    global_inputs: [0]
    outputs: {w: 17, z: 0}
  b:
    inputs: [a.w]
    planning: {containers: 0}
`,
			notes: `function_info.yaml: the file is missing: containers are not capped
flat_workflow.yaml:12:29: size: "???" is no number between 0 and 1e+15: it is left out
flat_workflow.yaml:13:3: next: type "sideways" is not known: all of its nodes are taken to follow
flat_workflow.yaml:18:12: runtime: "soon" is no number between 0 and 3.6e+07: it is left out
flat_workflow.yaml:22:13: b leads to END, which is not declared: it is left out
flat_workflow.yaml:10:5: a.w has no size: it is taken as 17 B
flat_workflow.yaml:12:8: a.z has no size: it is taken as 0 B
flat_workflow.yaml:4:9: a has no runtime: it takes no time
flat_workflow.yaml:8:8: the global input x of a has no size: it is taken as 0 B
flat_workflow.yaml:16:9: b has no runtime: it takes no time
flat_workflow.yaml: 2 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell
flat_workflow.yaml:2:10: the field "version" is not known: it is left out
flat_workflow.yaml:6:11: the field "colour" is not known: it is left out (2 times)
`,
		},
		"a bare list of functions, and caps of their own": {
			flat: `
- {name: a, runtime: 1, next: {type: pass, nodes: [b]}}
- {name: b, runtime: 1, next: null}
- {name: virtual3, source: VIRTUAL, runtime: 1, next: {type: pass, nodes: [a]}}
`, info: "max_container: 4\nfunctions:\n- {name: b, max_containers: 2}\n",
			want: `name: lunch
defaults: {compute: 1s}
functions:
  a:
    after: [virtual3]
    max_containers: 4
  b:
    after: [a]
    max_containers: 2
  virtual3:
    end: true
    planning: {compute: 1s, containers: 0}
`,
			notes: "flat_workflow.yaml: 2 functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, notes := imported(t, c.flat, c.info)
			if text != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", text, c.want)
			}
			if notes != c.notes {
				t.Errorf("noted:\n%s\nwant:\n%s", notes, c.notes)
			}
		})
	}
}

func TestWhatWouldMakeAWrongGraphIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ flat, want string }{
		"unknown successor": {
			"functions:\n- {name: start, next: {type: pass, nodes: [strat]}}\n",
			`flat_workflow.yaml:2:44: functions[0].next.nodes[0]: start leads to "strat", which is not declared: is "start" meant?`,
		},
		"cycle": {
			"functions:\n- {name: a, next: {nodes: [b]}}\n- {name: b, next: {nodes: [a]}}\n",
			`flat_workflow.yaml:2:10: functions[0].name: a: it is part of a cycle: a → b → a`,
		},
		"duplicate function": {
			"functions:\n- {name: a}\n- {name: a}\n",
			`flat_workflow.yaml:3:10: functions[1].name: there are two functions "a": the other is in line 2`,
		},
		"duplicate successor": {
			"functions:\n- {name: a, next: {nodes: [b, b]}}\n- {name: b}\n",
			`flat_workflow.yaml:2:31: functions[0].next.nodes[1]: a leads to b twice`,
		},
		"a function without a name": {
			"functions:\n- {runtime: 1}\n",
			`flat_workflow.yaml:2:3: functions[0]: the function has no name`,
		},
		"a foreach without keys": {
			"functions:\n- {name: a, next: {type: foreach, nodes: [b]}}\n- {name: b}\n",
			`flat_workflow.yaml:2:10: functions[0].name: a opens a foreach but puts no list of keys (an output of type keys)`,
		},
		"a foreach in a foreach": {
			"functions:\n- {name: a, output: {k: {type: keys}}, next: {type: foreach, nodes: [b]}}\n" +
				"- {name: b, output: {l: {type: keys}}, next: {type: foreach, nodes: [c]}}\n- {name: c}\n",
			`flat_workflow.yaml:4:10: functions[2].name: c: a function can open a foreach or close one, not both: put a function between`,
		},
		"two foreach": {
			"functions:\n- {name: a, output: {k: {type: keys}}, next: {type: foreach, nodes: [c]}}\n" +
				"- {name: b, output: {l: {type: keys}}, next: {type: foreach, nodes: [c]}}\n- {name: c}\n",
			`flat_workflow.yaml:4:10: functions[2].name: c is in the foreach of a and in that of b`,
		},
		"no functions":   {"global_input:\n", `there is no list of functions: this is no flat_workflow.yaml`},
		"something else": {"name: x\nfunctions: {a: {}}\n", `there is no list of functions: this is no flat_workflow.yaml`},
		"not YAML":       {"functions: [\n", `flat_workflow.yaml:1:12: sequence end token ']' not found`},
	} {
		_, _, err := importer.FaaSFlow(place(t, c.flat, ""))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	if _, _, err := importer.FaaSFlow(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there is neither flat_workflow.yaml nor workflow_info.yaml in it") {
		t.Errorf("error %v", err)
	}
	if _, _, err := importer.FaaSFlow(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing directory was imported")
	}
}

func TestTheFileItselfMayBeNamed(t *testing.T) {
	dir := place(t, "functions:\n- {name: a}\n", "workflow: x\nmax_containers: 3\n")
	w, _, err := importer.FaaSFlow(filepath.Join(dir, "flat_workflow.yaml"))
	if err != nil || w.Name != "x" || w.Functions[0].MaxContainers != 3 {
		t.Errorf("%+v, %v", w, err)
	}
}

// The built-in workflows, written down in the artefact's form as its generator
// does (keys with made-up names, anchors for global inputs, INPUT as the
// source of everything), come back as they were.
func TestWorkflowsInTheGeneratorsFormComeBack(t *testing.T) {
	for _, name := range []string{"cycles", "epigenomics", "genome", "soykb"} {
		builtIn, err := benchmarks.Lookup("faasflow/" + name)
		if err != nil {
			t.Fatal(err)
		}
		flat, keys := asGenerated(builtIn)
		info := fmt.Sprintf("workflow: %s\nmax_containers: %d\nfunctions: []\n", name, builtIn.Functions[0].MaxContainers)
		w, notes, err := importer.FaaSFlow(place(t, flat, info))
		if err != nil {
			t.Fatal(err)
		}
		if len(notes) != 1 {
			t.Errorf("%s: %v", name, notes)
		}
		for i := range w.Functions {
			for o := range w.Functions[i].Outputs {
				w.Functions[i].Outputs[o].Name = keys[w.Functions[i].Outputs[o].Name]
			}
		}
		if !reflect.DeepEqual(w, builtIn) {
			t.Errorf("%s comes back differently: %+v, was %+v", name, w.TotalBytes(), builtIn.TotalBytes())
		}
	}
}

// asGenerated writes a workflow in the artefact's form, and returns for each
// key the name of the output that it stands for.
func asGenerated(w *workflow.Workflow) (text string, names map[string]string) {
	var head, functions strings.Builder
	names = map[string]string{}
	key := func(f workflow.FunctionID, o int) string {
		k := fmt.Sprintf("%08x-%04x.%s", f, o, w.Functions[f].Outputs[o].Name)
		names[k] = w.Functions[f].Outputs[o].Name
		return k
	}
	datum := func(out *strings.Builder, indent, key string, size int64) {
		fmt.Fprintf(out, "%s  type: pass\n%s  value:\n%s    function: INPUT\n%s    parameter: %s\n%s  size: %d\n",
			indent, indent, indent, indent, key, indent, size)
	}
	globals := 0
	head.WriteString("global_input:\n")
	for i := range w.Functions {
		f := &w.Functions[i]
		fmt.Fprintf(&functions, "- name: %s\n  source: %s\n  runtime: %g\n  scale: %d\n  mem_usage: %g\n  input:\n",
			f.Name, f.Name, f.Compute.Mean()/1e9, f.Planning.Containers, f.Planning.MemoryUsed)
		for _, in := range f.Inputs {
			if in.From == workflow.GlobalInput {
				globals++
				k := fmt.Sprintf("%08x.txt", globals)
				fmt.Fprintf(&head, "  %s: &id%03d\n", k, globals)
				datum(&head, "  ", k, in.Size)
				fmt.Fprintf(&functions, "    %s: *id%03d\n", k, globals)
				continue
			}
			k := key(in.From, int(in.Output))
			fmt.Fprintf(&functions, "    %s:\n", k)
			datum(&functions, "    ", k, int64(w.Functions[in.From].Outputs[in.Output].Size.Mean()))
		}
		functions.WriteString("  output:\n")
		for o := range f.Outputs {
			fmt.Fprintf(&functions, "    %s:\n      type: normal\n      size: %d\n", key(workflow.FunctionID(i), o), int64(f.Outputs[o].Size.Mean()))
		}
		functions.WriteString("  next:\n    type: pass\n    nodes:")
		for _, next := range f.Next {
			fmt.Fprintf(&functions, "\n    - %s", w.Functions[next].Name)
		}
		if len(f.Next) == 0 {
			functions.WriteString(" []")
		}
		functions.WriteString("\n")
	}
	return head.String() + "functions:\n" + functions.String() + "global_output:\n", names
}
