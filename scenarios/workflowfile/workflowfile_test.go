package workflowfile_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
	"github.com/goccy/go-yaml"
)

// everything uses every key of the format at least once.
const everything = `name: example
description: all that a file can say
start: [start]
defaults: {memory: 256MiB, max_containers: 60, cpu: 1, planning: {containers: 3, memory_used: 0.25}}
functions:
  start:
    compute: 20ms
    outputs:
      file: {items: 3, size: {by_item: [142404, 465170, 1KB]}}
  count:
    foreach: start.file
    inputs: [start.file]
    compute: {uniform: [10ms, 20ms]}
    outputs: {words: {size: {by_item: [1, 2, 3]}, posted_at: 50%}}
    planning: {compute: 1s, output_bytes: 6, split_ratio: 1}
  merge:
    merge: true
    inputs: [count.words]
    global_inputs: [739B, 519091]
    compute: {lognormal: {mean: 50ms, sd: 5ms}}
    cpu: 0
    memory: 1GB
    max_containers: 2
    outputs: {result: 325053}
  choose:
    inputs: [merge.result]
    switch: [{name: big, to: [x], probability: 0.9}, {to: [done], probability: 10%}]
    planning: {containers: 0}
  x: {after: [choose], compute: {exponential: 1s}}
  late: {after: [x], inputs: [start.file], compute: {pareto: {mean: 1s, tail: 2.5}}}
  done: {end: true}
`

func TestAFileBecomesAWorkflow(t *testing.T) {
	w := parse(t, everything)
	planning := workflow.Planning{Containers: 3, MemoryUsed: 0.25}
	counted := workflow.Planning{Compute: 1e9, OutputBytes: 6, SplitRatio: 1, Containers: 3, MemoryUsed: 0.25}
	none := workflow.Planning{Containers: -1, MemoryUsed: 0.25}
	task := workflow.Function{CPU: 1, Memory: 256 << 20, MaxContainers: 60, Planning: &planning}
	want := []workflow.Function{
		with(task, func(f *workflow.Function) {
			f.Name, f.Start, f.Compute = "start", true, workflow.Constant(20e6)
			f.Outputs = []workflow.Output{{
				Name: "file", List: true, Items: workflow.Constant(3), Size: workflow.ByItem(142404, 465170, 1000), PostedAt: 1,
			}}
		}),
		with(task, func(f *workflow.Function) {
			f.Name, f.Foreach = "count", &workflow.OutputRef{Function: 0, Output: 0}
			f.Compute = workflow.Distribution{Shape: workflow.ShapeUniform, A: 10e6, B: 20e6}
			f.Inputs = []workflow.Input{{From: 0, Output: 0}}
			f.Outputs = []workflow.Output{{Name: "words", Size: workflow.ByItem(1, 2, 3), PostedAt: 0.5}}
			f.Planning = &counted
		}),
		with(task, func(f *workflow.Function) {
			f.Name, f.Merge, f.CPU, f.Memory, f.MaxContainers = "merge", true, 0, 1e9, 2
			f.Compute = workflow.Distribution{Shape: workflow.ShapeLognormal, A: 50e6, B: 5e6}
			f.Inputs = []workflow.Input{{From: 1, Output: 0}, {From: workflow.GlobalInput, Size: 739}, {From: workflow.GlobalInput, Size: 519091}}
			f.Outputs = []workflow.Output{{Name: "result", Size: workflow.Constant(325053), PostedAt: 1}}
		}),
		{
			Name: "choose", Kind: workflow.Switch, Planning: &none, Inputs: []workflow.Input{{From: 2, Output: 0}},
			Branches: []workflow.Branch{{Name: "big", To: []workflow.FunctionID{4}, Probability: 0.9}, {To: []workflow.FunctionID{6}, Probability: 0.1}},
		},
		with(task, func(f *workflow.Function) {
			f.Name, f.After, f.Compute = "x", []workflow.FunctionID{3}, workflow.Exponential(1e9)
		}),
		with(task, func(f *workflow.Function) {
			f.Name, f.After, f.Inputs = "late", []workflow.FunctionID{4}, []workflow.Input{{From: 0, Output: 0}}
			f.Compute = workflow.Distribution{Shape: workflow.ShapePareto, A: 1e9, B: 2.5}
		}),
		{Name: "done", Kind: workflow.End, Planning: &planning},
	}
	made, err := workflow.New("example", want)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(w, made) {
		t.Errorf("got  %+v\nwant %+v", w.Functions, made.Functions)
	}
}

func with(f workflow.Function, change func(*workflow.Function)) workflow.Function {
	change(&f)
	return f
}

func parse(t *testing.T, text string) *workflow.Workflow {
	t.Helper()
	w, err := workflowfile.Parse("w.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return w
}

func write(t testing.TB, w *workflow.Workflow) string {
	t.Helper()
	var text bytes.Buffer
	if err := workflowfile.Write(&text, w, workflowfile.Options{}); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestWritingIsTheOppositeOfReading(t *testing.T) {
	w := parse(t, everything)
	text := write(t, w)
	if again := parse(t, text); !reflect.DeepEqual(w, again) {
		t.Errorf("it reads back differently:\n%s", text)
	}
}

func TestTheWrittenFormIsAsAPersonWouldWriteIt(t *testing.T) {
	w := parse(t, everything)
	var text bytes.Buffer
	options := workflowfile.Options{Comment: "Two lines\nof comment.", Description: "all that a file can say"}
	if err := workflowfile.Write(&text, w, options); err != nil {
		t.Fatal(err)
	}
	const want = `# Two lines
# of comment.
name: example
description: all that a file can say
start: [start]
defaults: {max_containers: 60, planning: {containers: 3, memory_used: 25%}}
functions:
  start:
    compute: 20ms
    outputs: {file: {items: 3, size: {by_item: [142404, 465170, 1KB]}}}
  count:
    foreach: start.file
    inputs: [start.file]
    compute: {uniform: [10ms, 20ms]}
    outputs: {words: {size: {by_item: [1, 2, 3]}, posted_at: 50%}}
    planning: {compute: 1s, output_bytes: 6, split_ratio: 1}
  merge:
    merge: true
    inputs: [count.words]
    global_inputs: [739, 519091]
    compute: {lognormal: {mean: 50ms, sd: 5ms}}
    cpu: 0
    memory: 1GB
    max_containers: 2
    outputs: {result: 325053}
  choose:
    inputs: [merge.result]
    switch:
    - {name: big, to: [x], probability: 0.9}
    - {to: [done], probability: 0.1}
    planning: {containers: 0}
  x:
    compute: {exponential: 1s}
  late:
    after: [x]
    inputs: [start.file]
    compute: {pareto: {mean: 1s, tail: 2.5}}
  done:
    end: true
`
	if text.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", text.String(), want)
	}
}

func TestHugeListsAreWrittenSoThatTheyCanBeReadInPieces(t *testing.T) {
	functions := make([]workflow.Function, 3001)
	join := &functions[3000]
	for i := range 3000 {
		functions[i] = workflow.Function{Name: fmt.Sprint("f", i), Outputs: []workflow.Output{{Name: "x", Size: workflow.Constant(1), PostedAt: 1}}}
		join.Inputs = append(join.Inputs, workflow.Input{From: workflow.FunctionID(i)})
	}
	join.Name = "join"
	w, err := workflow.New("wide", functions)
	if err != nil {
		t.Fatal(err)
	}
	text := write(t, w)
	if !strings.Contains(text, "    inputs:\n    - f0.x\n    - f1.x\n") {
		t.Errorf("the list ends as %q", text[len(text)-100:])
	}
	if again := parse(t, text); !reflect.DeepEqual(w, again) {
		t.Error("it reads back differently")
	}
}

func TestFunctionsThatSayNothingGetTheBuiltInDefaults(t *testing.T) {
	w := parse(t, "name: x\nfunctions: {a: , b: {after: [a]}}\n")
	if f := w.Functions[0]; f.CPU != 1 || f.Memory != 256<<20 || f.MaxContainers != 0 || f.Compute.Mean() != 0 || f.Planning != nil {
		t.Errorf("%+v", f)
	}
}

func TestNamesMayContainDots(t *testing.T) {
	w := parse(t, `name: dots
functions:
  v1.start: {outputs: {a.b: 1, c: 2}}
  v1: {after: [v1.start], outputs: {x.y: 3}}
  reader: {inputs: [v1.start.a.b, v1.start.c, v1.x.y]}
`)
	want := []workflow.Input{{From: 0, Output: 0}, {From: 0, Output: 1}, {From: 1, Output: 0}}
	if got := w.Functions[2].Inputs; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestErrorsNameTheirPlaceAndWhatWasMeant(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key": {
			"name: x\nfunctions:\n  a: {comptue: 1s}\n",
			`w.yaml:3:7: functions.a: unknown key "comptue": did you mean "compute"?`,
		},
		"unknown function in after": {
			"name: x\nfunctions:\n  start: {}\n  b: {after: [sart]}\n",
			`w.yaml:4:15: functions.b.after[0]: there is no function "sart": did you mean "start"?`,
		},
		"unknown function in inputs": {
			"name: x\nfunctions:\n  start: {outputs: {f: 1}}\n  b:\n    inputs: [strat.f]\n",
			`w.yaml:5:14: functions.b.inputs[0]: there is no function "strat": did you mean "start"?`,
		},
		"unknown output": {
			"name: x\nfunctions:\n  start: {outputs: {file: 1, other: 2}}\n  b:\n    inputs: [start.file, start.fiel]\n",
			`w.yaml:5:26: functions.b.inputs[1]: start has no output "fiel": did you mean "file"?`,
		},
		"no output named": {
			"name: x\nfunctions: {a: {outputs: {f: 1}}, b: {inputs: [a]}}\n",
			`functions.b.inputs[0]: "a" names no output: write function.output`,
		},
		"ambiguous output": {
			"name: x\nfunctions: {a: {outputs: {b.c: 1}}, a.b: {outputs: {c: 1}}, d: {inputs: [a.b.c]}}\n",
			`functions.d.inputs[0]: "a.b.c" is ambiguous: it may be output "b.c" of a or "c" of a.b`,
		},
		"unknown branch target": {
			"name: x\nfunctions:\n  a:\n    switch:\n    - {to: [b], probability: 0.5}\n    - {to: [q], probability: 0.5}\n  b: {}\n",
			`w.yaml:6:13: functions.a.switch[1].to[0]: there is no function "q": there are a, b`,
		},
		"unknown start": {
			"name: x\nstart: [b]\nfunctions: {a: {}}\n",
			`w.yaml:2:9: start[0]: there is no function "b": there are a`,
		},
		"cycle": {
			"name: x\nfunctions:\n  a: {after: [b]}\n  b: {after: [a]}\n",
			`w.yaml:3:6: functions.a: it is part of a cycle: a → b → a`,
		},
		"foreach over one datum": {
			"name: x\nfunctions:\n  a: {outputs: {f: 1}}\n  b: {foreach: a.f}\n",
			`w.yaml:4:16: functions.b.foreach: a.f is not a list: give it a number of items`,
		},
		"probabilities": {
			"name: x\nfunctions:\n  a: {switch: [{to: [b], probability: 0.5}]}\n  b: {}\n",
			`w.yaml:3:15: functions.a.switch: the probabilities of the branches add up to 0.5, not to 1`,
		},
		"join of another kind": {
			"name: x\nfunctions:\n  a: {}\n  b: {after: [a], join: last}\n",
			`w.yaml:4:25: functions.b.join: there is no join "last": write all or first`,
		},
		"first of one": {
			"name: x\nfunctions:\n  a: {}\n  b: {after: [a], join: first}\n",
			`w.yaml:4:25: functions.b.join: only a triggers it, so there is no first of several: leave join out, or name more functions`,
		},
		"data of one that need not be the first": {
			"name: x\nfunctions:\n  a: {}\n  b: {outputs: {o: 1}}\n  c: {after: [a, b], inputs: [b.o], join: first}\n",
			`w.yaml:5:31: functions.c.inputs[0]: b has not surely ended when another function is the first to trigger this one: let all that trigger it come after b, or let it wait for all (join: all)`,
		},
		"by item within by item": {
			"name: x\nfunctions:\n  a: {compute: {by_item: [1s, {exponential: 2s}, {by_item: [3s]}]}}\n",
			`w.yaml:3:50: functions.a.compute.by_item[2]: a distribution by item holds no other by item`,
		},
		"merge of nothing": {
			"name: x\nfunctions:\n  a: {}\n  b: {after: [a], merge: true}\n",
			`w.yaml:4:26: functions.b.merge: none of its predecessors is inside a foreach, so there is nothing to merge`,
		},
		"an input that may not be there in time": {
			"name: x\nfunctions:\n  a: {outputs: {f: 1}}\n  b: {}\n  c:\n    after: [b]\n    inputs: [a.f]\n",
			`w.yaml:7:14: functions.c.inputs[0]: a has not surely ended when this function is triggered: add it to after`,
		},
		"unreachable": {
			"name: x\nstart: [a]\nfunctions:\n  a: {}\n  b: {}\n",
			`w.yaml:5:6: functions.b: it is unreachable: nothing triggers it, and the workflow does not start with it`,
		},
		"two kinds": {
			"name: x\nfunctions:\n  a: {end: true, switch: [{to: [b], probability: 1}]}\n  b: {}\n",
			`functions.a.end: a function is a switch or an end, not both`,
		},
		"a switch that computes": {
			"name: x\nfunctions:\n  a: {cpu: 1, switch: [{to: [b], probability: 1}]}\n  b: {}\n",
			`functions.a.cpu: a function of kind switch runs nothing: leave cpu out`,
		},
		"negative cores": {
			"name: x\nfunctions:\n  a: {cpu: -1}\n",
			`w.yaml:3:12: functions.a.cpu: -1 cores: it must be `,
		},
		"a list with a distribution that has no mean": {
			"name: x\nfunctions:\n  a:\n    outputs:\n      \"p.q\": {size: {pareto: {mean: 1, tail: 0.5}}}\n",
			`w.yaml:5:21: functions.a.outputs."p.q".size: a tail index of 0.5 has no mean: it must be above 1`,
		},
		"two distributions": {
			"name: x\nfunctions:\n  a: {compute: {exponential: 1s, by_item: [1s]}}\n",
			`functions.a.compute: a distribution has one name, such as {exponential: …}, not 2`,
		},
		"unknown distribution": {
			"name: x\nfunctions:\n  a: {compute: {exponentail: 1s}}\n",
			`w.yaml:3:17: functions.a.compute: unknown key "exponentail": did you mean "exponential"?`,
		},
		"uniform with one end": {
			"name: x\nfunctions:\n  a: {compute: {uniform: [1s]}}\n",
			`functions.a.compute.uniform: the lower and the upper end are expected, as [1, 2]`,
		},
		"a time without unit": {
			"name: x\nfunctions:\n  a: {compute: 5}\n",
			`w.yaml:3:16: functions.a.compute: "5": it has no unit: a duration looks like 1.5s, 20ms, 100us, 5min or 2h`,
		},
		"an output without size": {
			"name: x\nfunctions:\n  a: {outputs: {f: {items: 3}}}\n",
			`functions.a.outputs.f: the key "size" is missing`,
		},
		"an absurd time": {
			"name: x\nfunctions: {a: {compute: 10001h}}\n",
			`functions.a.compute: 10001h is more than 10000h`,
		},
		"an absurd size": {
			"name: x\nfunctions: {a: {outputs: {f: 1025TiB}}}\n",
			`functions.a.outputs.f: 1025TiB is more than 1024TiB`,
		},
		"an absurd list": {
			"name: x\nfunctions: {a: {outputs: {f: {size: 1, items: 2e6}}}}\n",
			`functions.a.outputs.f.items: 2e6 is more than 1000000`,
		},
		"absurdly many instances": {
			"name: x\nfunctions: {a: {outputs: {f: {size: 1, items: 1e5}}}, b: {foreach: a.f, outputs: {g: {size: 1, items: 1e5}}}, c: {foreach: b.g}}\n",
			`functions.c.foreach: an invocation would have 1e+10 instances of it, more than 10000000`,
		},
		"no functions": {"name: x\nfunctions: {}\n", `functions: a workflow needs at least one function`},
		"no name":      {"functions: {a: {}}\n", `the key "name" is missing`},
		"empty":        {"", `w.yaml:1:1: the key "name" is missing`},
	} {
		_, err := workflowfile.Parse("w.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
}

func TestAllErrorsOfAFileAreReportedAtOnce(t *testing.T) {
	_, err := workflowfile.Parse("w.yaml", []byte(`name: x
start: [nobody]
functions:
  a: {compute: 5, after: [c]}
  b: {inputs: [a.x], memory: 5 apples}
`))
	errs, ok := err.(yamlfile.Errors)
	if !ok || len(errs) != 5 || errs[0].Line != 2 || errs[4].Line != 5 {
		t.Errorf("%v", err)
	}
}

func TestNonsenseWithAMillionNamesEndsSoon(t *testing.T) {
	var s strings.Builder
	s.WriteString("name: x\nfunctions:\n")
	for i := range 20_000 {
		fmt.Fprintf(&s, "  f%d: {after: [g%d]}\n", i, i)
	}
	start := time.Now()
	_, err := workflowfile.Parse("w.yaml", []byte(s.String()))
	if errs, ok := err.(yamlfile.Errors); !ok || len(errs) != 201 {
		t.Errorf("%d errors", len(errs))
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestTheSchemaAcceptsWhatTheReaderAccepts(t *testing.T) {
	schema, err := workflowfile.Schema().Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for _, text := range []string{everything, write(t, parse(t, everything)), "name: 1\nfunctions: {a: {}}\n"} {
		if err := check(text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	for _, wrong := range []string{
		"functions: {}\n",
		"name: x\nfunctions: {a: {comptue: 1s}}\n",
		"name: x\nfunctions: {a: {compute: 5}}\n",
		"name: x\nfunctions: {a: {outputs: {f: {items: 1}}}}\n",
		"name: x\nfunctions: {a: {compute: {uniform: [1s]}}}\n",
		"name: x\nfunctions: {a: {switch: [{to: [a]}]}}\n",
	} {
		if check(wrong) == nil {
			t.Errorf("the schema accepts %q", wrong)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("name: x\nfunctions: {a: {outputs: {f: {size: 1, items: {normal: {mean: 3, sd: 1}}}}}, b: {foreach: a.f}, c: {merge: true, after: [b]}}\n")
	f.Add("name: x\nfunctions: {\"null\": {compute: 0.5us}, a b: {after: [\"null\"], compute: {empirical: [1s, 2s]}}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := workflowfile.Parse("w.yaml", []byte(text))
		if err != nil {
			return
		}
		written := write(t, w)
		again, err := workflowfile.Parse("again.yaml", []byte(written))
		if err != nil {
			t.Fatalf("%v\nfrom:\n%s", err, written)
		}
		if !reflect.DeepEqual(w, again) {
			t.Fatalf("it reads back differently:\n%s", written)
		}
	})
}
