package importer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// placeV2 writes a benchmark as v2 of the artefact has it, with the templates
// in the directory around it.
func placeV2(t *testing.T, flow, templates string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tea"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"tea/workflow_info.yaml": flow, "templates_info.yaml": templates} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "tea")
}

func TestWhatV2FilesMean(t *testing.T) {
	for name, c := range map[string]struct{ flow, templates, want, notes string }{
		"FOREACH, MERGE and what an item does not wait for": {
			flow: `
workflow_name: tea
global_inputs:
  $USER.start: {type: NORMAL, dest: {tea__boil: {block_0: {start}}}}
templates:
  tea__boil:
    blocks:
      block_0:
        type: NORMAL
        input_datas: {start: {type: NORMAL}}
        output_datas:
          sort: {type: NORMAL, dest: {tea__split: {block_0: {sort}}, tea__brew: {block_0: {sort}}}}
  tea__split:
    blocks:
      block_0:
        type: NORMAL
        input_datas: {sort: {type: NORMAL}}
        output_datas:
          cup: {type: FOREACH, dest: {tea__brew: {block_0: {cup}}}}
          VIRTUAL.CNT: {type: NORMAL, dest: {tea__serve: {block_0: {VIRTUAL.CNT}}}}
  tea__brew:
    blocks:
      block_0:
        type: NORMAL
        input_datas: {cup: {type: NORMAL}, sort: {type: NORMAL}}
        output_datas:
          brewed: {type: MERGE, dest: {tea__serve: {block_0: {cups}}}}
  tea__serve:
    blocks:
      block_0:
        type: NORMAL
        input_datas: {cups: {type: LIST}, VIRTUAL.CNT: {type: NORMAL}}
        output_datas:
          done: {type: NORMAL, dest: {$USER}}
`,
			templates: `
templates:
  - {image_name: x, template_name: tea__boil, blocks: {block_0}, cpus: 0.2}
  - {image_name: x, template_name: tea__split, blocks: {block_0}, cpus: 0.2, gc: True}
  - {image_name: x, template_name: tea__brew, blocks: {block_0}, cpus: 0.5}
  - {image_name: x, template_name: tea__serve, blocks: {block_0}, cpus: 0.2}
`,
			want: `name: tea
defaults: {cpu: 0.2, max_containers: 1000}
functions:
  tea__boil:
    global_inputs: [0]
    outputs: {sort: 0}
  tea__split:
    inputs: [tea__boil.sort]
    outputs: {cup: {items: 1, size: 0}}
  tea__brew:
    after: [tea__split]
    foreach: tea__split.cup
    inputs: [tea__boil.sort, tea__split.cup]
    cpu: 0.5
    memory: 640MiB
    outputs: {brewed: 0}
  tea__serve:
    merge: true
    inputs: [tea__brew.brewed]
    outputs: {done: 0}
`,
		},
		"SWITCH: the branches begin with what nothing else of them triggers": {
			flow: `
templates:
  look:
    blocks:
      block_0:
        type: SWITCH
        input_datas: {}
        output_datas: {good: {type: NORMAL}, leaf: {type: NORMAL}}
        conditions:
          good==True:
            leaf: {brew: {block_0: {leaf}}, serve: {block_0: {leaf}}}
          default:
            virtual.start: $USER
  brew:
    blocks:
      block_0:
        type: NORMAL
        input_datas: {leaf: {type: NORMAL}}
        output_datas: {cup: {type: NORMAL, dest: {serve: {block_0: {cup}}}}}
  serve:
    blocks:
      block_0: {type: NORMAL, input_datas: {leaf: {type: NORMAL}, cup: {type: NORMAL}}}
`,
			want: `name: tea
defaults: {memory: 1280MiB, max_containers: 1000}
functions:
  look:
    outputs: {good: 0, leaf: 0}
  look.switch:
    after: [look]
    switch:
    - {name: "good==True", to: [brew], probability: 0}
    - {name: default, to: [look.end1], probability: 1}
  brew:
    inputs: [look.leaf]
    outputs: {cup: 0}
  serve:
    after: [brew]
    inputs: [look.leaf, brew.cup]
  look.end1:
    end: true
`,
			notes: "templates_info.yaml: the file is missing: every function is taken to keep a core busy\n" +
				"workflow_info.yaml:5:7: look always takes the branch \"default\": change the probabilities of its switch if that is wrong\n",
		},
		"different tokens of several switches are all waited for": {
			flow: `
templates:
  one:
    blocks:
      b: {type: SWITCH, input_datas: {}, output_datas: {}, conditions: {default: {virtual.start: {read: {b: {one}}}}}}
  two:
    blocks:
      b: {type: SWITCH, input_datas: {}, output_datas: {}, conditions: {default: {virtual.start: {read: {b: {two}}}}}}
  read:
    blocks:
      b: {type: NORMAL, input_datas: {one: {type: NORMAL}, two: {type: NORMAL}}}
`,
			templates: "templates:\n- {template_name: read, cpus: 1}\n",
			want: `name: tea
defaults: {memory: 1280MiB, max_containers: 1000}
functions:
  one: {}
  one.switch:
    after: [one]
    switch:
    - {name: default, to: [read], probability: 1}
  two: {}
  two.switch:
    after: [two]
    switch:
    - {name: default, to: [read], probability: 1}
  read: {}
`,
			notes: "workflow_info.yaml:5:10: one always takes the branch \"default\": change the probabilities of its switch if that is wrong\n" +
				"workflow_info.yaml:8:10: two always takes the branch \"default\": change the probabilities of its switch if that is wrong\n",
		},
		"the first of several tokens cannot win where data come later": {
			flow: `
templates:
  one:
    blocks:
      b: {type: SWITCH, input_datas: {}, output_datas: {d: {type: NORMAL}}, conditions: {default: {d: {read: {b: {d}}}}}}
  two:
    blocks:
      b: {type: SWITCH, input_datas: {}, output_datas: {d: {type: NORMAL}}, conditions: {default: {d: {read: {b: {d}}}}}}
  read:
    blocks:
      b: {type: NORMAL, input_datas: {d: {type: NORMAL}}}
`,
			templates: "templates:\n- {template_name: read, cpus: 1}\n",
			want: `name: tea
defaults: {memory: 1280MiB, max_containers: 1000}
functions:
  one:
    outputs: {d: 0}
  one.switch:
    after: [one]
    switch:
    - {name: default, to: [read], probability: 1}
  two:
    outputs: {d: 0}
  two.switch:
    after: [two]
    switch:
    - {name: default, to: [read], probability: 1}
  read:
    inputs: [one.d, two.d]
`,
			notes: "workflow_info.yaml:5:10: one always takes the branch \"default\": change the probabilities of its switch if that is wrong\n" +
				"workflow_info.yaml:8:10: two always takes the branch \"default\": change the probabilities of its switch if that is wrong\n" +
				"workflow_info.yaml:11:10: read.d has 2 producers, of which the first wins in the artefact: say join: first if nothing else triggers it, or it waits for all that run\n",
		},
		"tokens of several switches, the first of which wins": {
			flow: `
templates:
  up:
    blocks:
      b: {type: NORMAL, input_datas: {}, output_datas: {img: {type: NORMAL, dest: {one: {b: {img}}, two: {b: {img}}, blur: {b: {img}}}}}}
  one:
    blocks:
      b: {type: SWITCH, input_datas: {img: {type: NORMAL}}, output_datas: {bad: {type: NORMAL}}, conditions: {bad==1: {virtual.start: {blur: {b: {start}}}}, default: {virtual.start: $USER}}}
  two:
    blocks:
      b: {type: SWITCH, input_datas: {img: {type: NORMAL}}, output_datas: {bad: {type: NORMAL}}, conditions: {bad==1: {virtual.start: {blur: {b: {start}}}}}}
  blur:
    blocks:
      b: {type: NORMAL, input_datas: {img: {type: NORMAL}, start: {type: NORMAL}}}
`,
			templates: "templates:\n- {template_name: up, cpus: 1}\n",
			want: `name: tea
defaults: {memory: 1280MiB, max_containers: 1000}
functions:
  up:
    outputs: {img: 0}
  one:
    inputs: [up.img]
    outputs: {bad: 0}
  one.switch:
    after: [one]
    switch:
    - {name: "bad==1", to: [blur], probability: 0}
    - {name: default, to: [one.end1], probability: 1}
  two:
    inputs: [up.img]
    outputs: {bad: 0}
  two.switch:
    after: [two]
    switch:
    - {name: "bad==1", to: [blur], probability: 1}
  blur:
    join: first
    inputs: [up.img]
  one.end1:
    end: true
`,
			notes: "workflow_info.yaml:8:10: one always takes the branch \"default\": change the probabilities of its switch if that is wrong\n" +
				"workflow_info.yaml:11:10: two always takes the branch \"bad==1\": change the probabilities of its switch if that is wrong\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := placeV2(t, c.flow, c.templates)
			w, list, err := importer.FaaSFlow(dir)
			if err != nil {
				t.Fatal(err)
			}
			notes := ""
			for _, n := range list {
				line := strings.TrimPrefix(n.String(), dir+string(filepath.Separator)) + "\n"
				if !strings.Contains(line, "fill them in") && !strings.Contains(line, "say posted_at") {
					notes += line
				}
			}
			var out bytes.Buffer
			if err := workflowfile.Write(&out, w, workflowfile.Options{}); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.want || notes != c.notes {
				t.Errorf("%s\n%s\nwant\n%s\n%s", out.String(), notes, c.want, c.notes)
			}
			again, err := workflowfile.Parse("again.yaml", out.Bytes())
			if err != nil || !reflect.DeepEqual(w, again) {
				t.Errorf("it does not read back as the same: %v", err)
			}
		})
	}
}

func TestV2Errors(t *testing.T) {
	block := func(text string) string {
		return "templates:\n  a:\n    blocks:\n      b: {" + text + "}\n"
	}
	for name, c := range map[string]struct{ flow, want string }{
		"no templates":       {"workflow_name: x\n", "there are no templates: this is no workflow_info.yaml"},
		"no blocks":          {"templates: {a: 7}\n", ":1:16: templates.a: the template has no blocks"},
		"an unknown kind":    {block("type: BIG"), `the type "BIG" of a block is neither NORMAL nor SWITCH`},
		"a kind of input":    {block("type: NORMAL, input_datas: {i: {type: MAP}}"), `the type "MAP" of an input is neither NORMAL nor LIST`},
		"a kind of output":   {block("type: NORMAL, output_datas: {o: {type: BIG}}"), `the type "BIG" of an output is none of`},
		"an unknown block":   {block("type: NORMAL, output_datas: {o: {type: NORMAL, dest: {x: {b: {i}}}}}"), "there is no block b of template x"},
		"an unknown input":   {block("type: NORMAL, output_datas: {o: {type: NORMAL, dest: {a: {b: {i}}}}}"), `a has no input "i"`},
		"no conditions":      {block("type: SWITCH"), "the switch has no conditions"},
		"sending nothing":    {block("type: SWITCH, conditions: {default: {x: $USER}}"), `the switch sends "x", which is no output`},
		"a cycle":            {block("type: NORMAL, input_datas: {i: {type: NORMAL}}, output_datas: {o: {type: NORMAL, dest: {a: {b: {i}}}}}"), "a: it is part of a cycle"},
		"a LIST of no items": {block("type: NORMAL, input_datas: {i: {type: LIST}}"), "a: none of its predecessors is inside a foreach"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := importer.FaaSFlow(placeV2(t, c.flow, ""))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "workflow_info.yaml:") {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
}
