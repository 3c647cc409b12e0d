package importer

import (
	"bytes"
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
