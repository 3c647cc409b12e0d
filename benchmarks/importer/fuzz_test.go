package importer

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Whatever a file says, the import ends in an error or in a workflow that can
// be written and read again.
func FuzzFaaSFlow(f *testing.F) {
	f.Add("functions:\n- {name: a, runtime: 1, output: {k: {type: keys}, d: {size: 7}}, next: {type: foreach, nodes: [b]}}\n- {name: b, split_ratio: 3, input: {d: {size: 7}}, next: {nodes: [c]}}\n- {name: c}\n", "max_containers: 3\n")
	f.Add("global_input:\n  s: {value: {parameter: s}}\nfunctions:\n- {name: virtual1, next: {type: switch, conditions: [INPUT.s, default], nodes: [a, END]}}\n- {name: a, output: {s: {size: 1}}}\n", "")
	f.Add("- {name: a, next: {nodes: [b]}}\n- {name: b, next: {nodes: [a]}}\n", "functions: 3\nworkflow: [x]\n")
	f.Fuzz(func(t *testing.T, flat, info string) {
		doc, err := yamlfile.Parse("flat_workflow.yaml", []byte(flat))
		if err != nil {
			return
		}
		about, err := yamlfile.Parse("function_info.yaml", []byte(info))
		if err != nil {
			return
		}
		w, _, err := fromFaaSFlow(doc, about, "fuzz")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := workflowfile.Parse("again.yaml", out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !reflect.DeepEqual(w, again) {
			t.Fatalf("it reads back differently:\n%s", out.String())
		}
	})
}

// Whatever a file says, the import ends in an error that says where, or in a
// workflow that can be written and read again.
func FuzzWfFormat(f *testing.F) {
	f.Add([]byte(`{"schemaVersion": "1.6", "workflow": {"specification": {"tasks": [{"id": "a", "outputFiles": ["f"]}, {"id": "b", "parents": ["a"], "inputFiles": ["f"]}], "files": [{"id": "f", "sizeInBytes": 7}]}, "execution": {"tasks": [{"id": "a", "runtimeInSeconds": 1.5, "avgCPU": 50, "memoryInBytes": 1e9}]}}}`))
	f.Add([]byte(`{"schemaVersion": "1.0", "workflow": {"jobs": [{"name": "a", "runtime": 2, "memory": 5, "files": [{"link": "output", "name": "f", "size": 7}]}, {"name": "b", "cores": 2, "parents": ["a"], "files": [{"link": "input", "name": "f", "size": 8}]}]}}`))
	f.Add([]byte(`{"name": "x", "workflow": {"tasks": [{"name": "a", "id": "1", "children": ["2"]}, {"name": "a", "id": "2", "files": [{"path": "p", "name": "g", "sizeInBytes": null}]}]}}`))
	f.Add([]byte(`{"name": "NaN", "workflow": {"specification": {"tasks": [{"name": "a", "id": 1}, {"name": "b", "id": 2, "parents": ["a"]}]}, "execution": {"tasks": [{"id": 1, "runtimeInSeconds": NaN}, {"id": 2, "avgCPU": -Infinity}]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, _, err := fromWfFormat(&jsonFile{"f.json", text})
		if err != nil {
			var line int
			if n, _ := fmt.Sscanf(err.Error(), "f.json:%d:", &line); n != 1 || line < 1 {
				t.Fatalf("the error does not say where: %v", err)
			}
			return
		}
		var out bytes.Buffer
		if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := workflowfile.Parse("again.yaml", out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !reflect.DeepEqual(w, again) {
			t.Fatalf("it reads back differently:\n%s", out.String())
		}
	})
}

// So does that of v2.
func FuzzDataFlower(f *testing.F) {
	f.Add("templates:\n  a: {blocks: {b: {type: NORMAL, output_datas: {o: {type: FOREACH, dest: {c: {b: {i}}}}}}}}\n  c: {blocks: {b: {type: NORMAL, input_datas: {i: {type: NORMAL}}, output_datas: {o: {type: MERGE, dest: {d: {b: {l}}}}}}}}\n  d: {blocks: {b: {type: NORMAL, input_datas: {l: {type: LIST}}}}}\n", "templates: [{template_name: a, cpus: 0.2}]\n")
	f.Add("templates:\n  a: {blocks: {b: {type: SWITCH, output_datas: {o: {type: NORMAL}}, conditions: {o==1: {o: {c: {b: {i}}}}, default: {virtual.x: $USER}}}}}\n  c: {blocks: {b: {type: NORMAL, input_datas: {i: {type: NORMAL}}}}}\n", "")
	f.Fuzz(func(t *testing.T, flow, templates string) {
		doc, err := yamlfile.Parse("workflow_info.yaml", []byte(flow))
		if err != nil {
			return
		}
		about, err := yamlfile.Parse("templates_info.yaml", []byte(templates))
		if err != nil {
			return
		}
		w, _, err := fromDataFlower(doc, about, "fuzz")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
			t.Fatal(err)
		}
		again, err := workflowfile.Parse("again.yaml", out.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !reflect.DeepEqual(w, again) {
			t.Fatalf("it reads back differently:\n%s", out.String())
		}
	})
}
