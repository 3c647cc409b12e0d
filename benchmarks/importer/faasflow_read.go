package importer

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// readInfo reads function_info.yaml: the name of the workflow and the cap on
// its containers.
func (im *faasflow) readInfo(info *yamlfile.Document) {
	if info == nil {
		im.note(yamlfile.Position{File: infoFile}, "the file is missing: containers are not capped")
		return
	}
	root := info.Root()
	if name, ok := root.Get("workflow"); ok && name.Text() != "" {
		im.name = name.Text()
	}
	im.maxContainers = im.containers(root)
	im.capOf = map[string]int{}
	if functions, ok := root.Get("functions"); ok {
		for _, f := range functions.Items() {
			if name, ok := f.Get("name"); ok {
				if n := im.containers(f); n > 0 {
					im.capOf[name.Text()] = n
				}
			}
		}
	}
	if im.maxContainers == 0 && len(im.capOf) == 0 {
		im.note(root.Position(), "there is no max_containers: containers are not capped")
	}
}

// containers reads a cap on containers; older files call it max_container.
func (im *faasflow) containers(v yamlfile.Value) int {
	for _, name := range []string{"max_containers", "max_container"} {
		if c, ok := v.Get(name); ok {
			if n, ok := number(c); ok && n >= 0 && n < 1e6 {
				return int(n)
			}
			im.note(c.Position(), "%s is no number of containers: it is left out", c.Text())
		}
	}
	return 0
}

// number reads a finite number.
func number(v yamlfile.Value) (float64, bool) {
	x, err := strconv.ParseFloat(v.Text(), 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// readWorkflow reads flat_workflow.yaml.
func (im *faasflow) readWorkflow() {
	root := im.doc.Root()
	im.given = map[string]bool{}
	functions := root
	if root.Kind() == yamlfile.Mapping {
		functions = yamlfile.Value{}
		for _, e := range root.Entries() {
			switch e.Key {
			case "global_input":
				for _, g := range e.Value.Entries() {
					im.given[im.datum(g).parameter] = true
				}
			case "functions", "fuctions": // the artefact's own flattener mistypes it
				functions = e.Value
			case "global_output":
			default:
				im.unknownField(e)
			}
		}
	}
	if functions == (yamlfile.Value{}) || functions.Kind() != yamlfile.List || functions.Len() == 0 {
		root.Errorf("there is no list of functions: this is no %s", workflowFile)
		return
	}
	for _, v := range functions.Items() {
		im.readFunction(v)
	}
}

func (im *faasflow) readFunction(v yamlfile.Value) {
	n := node{at: v, runtime: -1, scale: -1, opener: -1, list: -1, instances: 1}
	if name, ok := v.Get("name"); ok {
		n.at, n.name = name, name.Text()
	}
	if n.name == "" {
		v.Errorf("the function has no name")
		return
	}
	n.virtual = strings.HasPrefix(n.name, "virtual") // as the artefact tells it
	for _, e := range v.Entries() {
		switch e.Key {
		case "name":
		case "source":
			n.virtual = n.virtual || e.Value.Text() == "VIRTUAL"
		case "runtime":
			im.amount(e, &n.runtime, 36e6) // 10 000 h
		case "scale":
			scale := float64(n.scale)
			im.amount(e, &scale, 1e6)
			n.scale = int(scale)
		case "mem_usage":
			im.amount(e, &n.memory, 1)
		case "split_ratio":
			im.amount(e, &n.splitRatio, 1e6)
		case "input":
			for _, d := range e.Value.Entries() {
				n.inputs = append(n.inputs, im.datum(d))
			}
		case "output":
			for _, d := range e.Value.Entries() {
				n.outputs = append(n.outputs, im.datum(d))
			}
		case "next":
			n.next = im.readNext(e.Value)
		default:
			im.unknownField(e)
		}
	}
	id := len(im.nodes)
	if first, twice := im.ids[n.name]; twice {
		n.at.Errorf("there are two functions %q: the other is in line %d", n.name, im.nodes[first].at.Position().Line)
		return
	}
	im.ids[n.name] = id
	for _, o := range n.outputs {
		im.writers[o.key] = append(im.writers[o.key], id)
	}
	im.nodes = append(im.nodes, n)
}

// amount reads a number between 0 and a limit, if the file gives one.
func (im *faasflow) amount(e yamlfile.Entry, into *float64, limit float64) {
	if e.Value.Kind() == yamlfile.Null {
		return
	}
	x, ok := number(e.Value)
	if !ok || x < 0 || x > limit {
		im.note(e.Value.Position(), "%s: %q is no number between 0 and %g: it is left out", e.Key, e.Value.Text(), limit)
		return
	}
	*into = x
}

func (im *faasflow) datum(e yamlfile.Entry) datum {
	d := datum{at: e.Value, key: e.Key, parameter: e.Key}
	for _, f := range e.Value.Entries() {
		switch f.Key {
		case "type":
			d.kind = strings.ToLower(f.Value.Text())
		case "size":
			before := len(im.notes)
			im.amount(f, &d.size, 1e15)
			d.hasSize = len(im.notes) == before && f.Value.Kind() == yamlfile.Scalar
		case "value":
			if p, ok := f.Value.Get("parameter"); ok && p.Text() != "" {
				d.parameter = p.Text()
			}
		default:
			im.unknownField(f)
		}
	}
	return d
}

// isKey reports whether a datum is a list of keys for a foreach, or one of
// them: neither is ever put or fetched.
func (d *datum) isKey() bool { return d.kind == "key" || d.kind == "keys" }

func (im *faasflow) readNext(v yamlfile.Value) next {
	result := next{kind: "pass"}
	for _, e := range v.Entries() {
		switch e.Key {
		case "type":
			if kind := strings.ToLower(e.Value.Text()); kind != "" {
				result.kind = kind
			}
		case "nodes":
			items := e.Value.Items()
			if e.Value.Kind() == yamlfile.Scalar {
				items = []yamlfile.Value{e.Value}
			}
			for _, item := range items {
				result.nodes = append(result.nodes, item.Text())
				result.at = append(result.at, item)
			}
		case "conditions":
			for _, item := range e.Value.Items() {
				result.conditions = append(result.conditions, item.Text())
			}
		default:
			im.unknownField(e)
		}
	}
	if !slices.Contains([]string{"pass", "normal", "parallel", "foreach", "switch"}, result.kind) {
		im.note(v.Position(), "next: type %q is not known: all of its nodes are taken to follow", result.kind)
	}
	return result
}

func (im *faasflow) unknownField(e yamlfile.Entry) {
	f, ok := im.unknown[e.Key]
	if !ok {
		f = &unknownField{name: e.Key, at: e.Value.Position()}
		im.unknown[e.Key] = f
		im.fields = append(im.fields, f)
	}
	f.times++
}
