package importer

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// containerMemory is what the artefact reckons with for a container.
const containerMemory = 256 * units.MiB

// defineOutputs decides what each function puts: which outputs are lists for a
// foreach, and how large the parts are.
func (im *faasflow) defineOutputs() {
	for i := range im.nodes {
		if im.nodes[i].next.kind == "foreach" {
			im.chooseLists(i)
		}
	}
	for i := range im.nodes {
		n := &im.nodes[i]
		n.index = make(map[string]int32, len(n.outputs))
		for o := range n.outputs {
			d := &n.outputs[o]
			if d.isKey() && n.list != o {
				continue // it travels with messages
			}
			n.index[d.key] = int32(len(n.put))
			n.put = append(n.put, im.output(n, o))
		}
	}
}

// chooseLists finds the output that a foreach iterates over: the data that
// its functions read from the opener, or else the opener's list of keys.
func (im *faasflow) chooseLists(opener int) {
	n := &im.nodes[opener]
	keys := -1
	for o := range n.outputs {
		if n.outputs[o].kind == "keys" && keys < 0 {
			keys = o
		}
	}
	for _, id := range n.next.ids {
		inside := &im.nodes[id]
		for _, in := range inside.inputs {
			o := slices.IndexFunc(n.outputs, func(d datum) bool { return d.key == in.parameter || d.key == in.key })
			switch {
			case o < 0:
			case in.isKey() && n.outputs[o].kind == "keys":
				keys = o
			case !in.isKey() && !n.outputs[o].isKey() && n.list < 0:
				n.list = o
			case !in.isKey() && !n.outputs[o].isKey() && n.list != o:
				im.note(in.at.Position(), "every instance of %s reads all of %s.%s: the foreach iterates over %s",
					inside.name, n.name, n.outputs[o].key, n.outputs[n.list].key)
			}
		}
	}
	if n.list < 0 {
		n.list = keys
	}
	if n.list < 0 {
		n.at.Errorf("%s opens a foreach but puts no list of keys (an output of type keys)", n.name)
	}
}

// output makes an output. The file gives the total over all instances of a
// function or all items of a list.
func (im *faasflow) output(n *node, o int) workflow.Output {
	d := &n.outputs[o]
	total := d.size
	if !d.hasSize && !d.isKey() {
		total = im.sizeByReaders(d.key)
		im.note(d.at.Position(), "%s.%s has no size: it is taken as %s", n.name, d.key, units.Bytes(total).Human())
	}
	result := workflow.Output{Name: d.key, PostedAt: 1}
	parts := n.instances
	if n.list == o {
		parts = 1
		for _, id := range n.next.ids {
			parts = max(parts, im.nodes[id].instances)
		}
		result.List, result.Items = true, workflow.Constant(float64(parts))
	}
	if d.isKey() {
		total = 0
	}
	result.Size = divide(total, parts)
	return result
}

// sizeByReaders is the largest size that a reader of a key gives it.
func (im *faasflow) sizeByReaders(key string) float64 {
	size := 0.0
	for i := range im.nodes {
		for _, in := range im.nodes[i].inputs {
			if in.parameter == key {
				size = max(size, in.size)
			}
		}
	}
	return size
}

// divide cuts a total into parts of whole bytes, the larger ones first.
func divide(total float64, parts int) workflow.Distribution {
	total = math.Round(total)
	if parts == 1 {
		return workflow.Constant(total)
	}
	each := math.Floor(total / float64(parts))
	larger := int(total - each*float64(parts))
	if larger == 0 || parts > 1000 {
		return workflow.Constant(math.Round(total / float64(parts)))
	}
	sizes := make([]float64, parts)
	for i := range sizes {
		sizes[i] = each
		if i < larger {
			sizes[i]++
		}
	}
	return workflow.ByItem(sizes...)
}

// function makes a function of the graph.
func (im *faasflow) function(i int) workflow.Function {
	n := &im.nodes[i]
	f := workflow.Function{Name: n.name, Kind: im.kind(i), Merge: n.merge, Outputs: n.put}
	for _, p := range n.before {
		if im.kind(p) != workflow.Switch { // it names its targets itself
			f.After = append(f.After, workflow.FunctionID(p))
		}
	}
	if n.opener >= 0 {
		over := &im.nodes[n.opener]
		if over.list >= 0 {
			f.Foreach = &workflow.OutputRef{Function: workflow.FunctionID(n.opener), Output: over.index[over.outputs[over.list].key]}
		}
	}
	planning := workflow.Planning{MemoryUsed: n.memory, SplitRatio: n.splitRatio, Containers: n.scale}
	if n.scale <= 0 && (n.scale == 0 || n.virtual) {
		planning.Containers = -1
	} else if n.scale < 0 {
		planning.Containers = 0
	}
	switch f.Kind {
	case workflow.Switch:
		im.branches(i, &f)
	case workflow.Task:
		f.Compute = workflow.Constant(math.Round(max(0, n.runtime) * 1e9))
		f.Memory = int64(containerMemory)
		f.MaxContainers = im.maxContainers
		if own, ok := im.capOf[n.name]; ok {
			f.MaxContainers = own
		}
		if !generated.MatchString(n.name) {
			f.CPU = 1
		}
		if n.runtime < 0 {
			im.note(n.at.Position(), "%s has no runtime: it takes no time", n.name)
		}
	}
	if f.Kind != workflow.Task {
		planning.Compute = math.Round(max(0, n.runtime) * 1e9)
		if len(f.Outputs) > 0 {
			im.note(n.at.Position(), "%s runs nothing, so its outputs are left out", n.name)
			f.Outputs = nil
		}
	}
	// The partitioner is told totals, lists of keys included.
	said, put := 0.0, 0.0
	for _, d := range n.outputs {
		said += math.Round(d.size)
	}
	for _, o := range n.put {
		put += o.Size.Total(max(1, o.Items.Mean()))
	}
	if said != put || n.instances > 1 {
		planning.OutputBytes = said
	}
	if planning != (workflow.Planning{}) {
		f.Planning = &planning
	}
	im.inputs(i, &f)
	return f
}

// kind tells what a node is. The artefact evaluates the conditions of virtual
// nodes only; a virtual node without any does nothing.
func (im *faasflow) kind(i int) workflow.Kind {
	switch n := &im.nodes[i]; {
	case n.virtual && n.next.kind == "switch":
		return workflow.Switch
	case n.virtual || n.name == "END":
		return workflow.End
	default:
		return workflow.Task
	}
}

// inputs resolves what a function reads, functions' data first.
func (im *faasflow) inputs(i int, f *workflow.Function) {
	n := &im.nodes[i]
	var global []workflow.Input
	for _, in := range n.inputs {
		if in.isKey() {
			continue
		}
		if input, ok := im.produced(i, &in); ok {
			f.Inputs = append(f.Inputs, input)
			continue
		}
		if !in.hasSize {
			im.note(in.at.Position(), "the global input %s of %s has no size: it is taken as 0 B", in.key, n.name)
		}
		global = append(global, workflow.Input{From: workflow.GlobalInput, Size: int64(math.Round(in.size))})
	}
	f.Inputs = append(f.Inputs, global...)
}

// produced finds the output that an input of node i reads, if a function
// upstream puts it.
func (im *faasflow) produced(i int, in *datum) (workflow.Input, bool) {
	known := false
	for _, key := range slices.Compact([]string{in.parameter, in.key}) {
		known = known || len(im.writers[key]) > 0
		p, ok := im.upstream(i, key)
		if !ok {
			continue
		}
		from := &im.nodes[p]
		o, put := from.index[key]
		if !put || im.kind(p) != workflow.Task {
			return workflow.Input{}, false // nothing that is ever stored
		}
		d := from.outputs[slices.IndexFunc(from.outputs, func(d datum) bool { return d.key == key })]
		if in.hasSize && d.hasSize && in.size != d.size {
			im.note(in.at.Position(), "%s is said to read %.0f B of %s.%s, which has %.0f B: the latter counts",
				im.nodes[i].name, in.size, from.name, key, d.size)
		}
		return workflow.Input{From: workflow.FunctionID(p), Output: o}, true
	}
	if known {
		im.note(in.at.Position(), "%s reads %s, but no function that puts it is sure to have ended by then: it is taken as a global input",
			im.nodes[i].name, in.parameter)
	}
	return workflow.Input{}, false
}

var attribute = regexp.MustCompile(`[A-Za-z_]\w*\.([A-Za-z_]\w*)`)

// branches gives the branch that is taken to be chosen the probability 1, and
// makes the switch read the data that its conditions are on.
func (im *faasflow) branches(i int, f *workflow.Function) {
	n := &im.nodes[i]
	taken, why := -1, ""
	read := map[string]bool{}
	for b, to := range n.next.ids {
		condition := "default"
		if b < len(n.next.conditions) {
			condition = n.next.conditions[b]
		}
		f.Branches = append(f.Branches, workflow.Branch{Name: condition, To: []workflow.FunctionID{workflow.FunctionID(to)}})
		given := condition != "default"
		for _, match := range attribute.FindAllStringSubmatch(condition, -1) {
			key := match[1]
			given = given && im.given[key]
			if read[key] {
				continue
			}
			read[key] = true
			if p, ok := im.upstream(i, key); ok {
				if o, put := im.nodes[p].index[key]; put && im.kind(p) == workflow.Task {
					f.Inputs = append(f.Inputs, workflow.Input{From: workflow.FunctionID(p), Output: o})
				}
			}
		}
		if !attribute.MatchString(condition) {
			given = false
		}
		switch {
		case taken < 0 && given:
			taken, why = b, "what the caller gives is taken to make it so"
		case taken < 0 && condition == "default":
			taken, why = b, "what functions find is taken not to make any other so"
		}
	}
	if len(f.Branches) == 0 {
		return
	}
	if taken < 0 {
		taken, why = 0, "there is no default"
	}
	f.Branches[taken].Probability = 1
	im.note(n.at.Position(), "%s always takes the branch %q to %s (%s): change the probabilities of its switch if that is wrong",
		n.name, f.Branches[taken].Name, im.nodes[n.next.ids[taken]].name, why)
}

// summarise notes what holds for many functions.
func (im *faasflow) summarise() {
	sleeping, busy := 0, 0
	for i := range im.nodes {
		n := &im.nodes[i]
		switch {
		case im.kind(i) != workflow.Task:
		case generated.MatchString(n.name):
			sleeping++
		default:
			busy++
		}
		if n.next.kind == "switch" && !n.virtual {
			im.note(n.at.Position(), "%s is no virtual node, so all of its branches are taken, as in the artefact", n.name)
		}
	}
	file := im.doc.Root().Position()
	file.Line, file.Column = 0, 0
	if sleeping > 0 {
		im.note(file, "%d functions come from the artefact's generator: they sleep (cpu: 0) for their runtime", sleeping)
	}
	if busy > 0 {
		im.note(file, "%d functions are taken to keep a core busy (cpu: 1) for their runtime, which the file cannot tell", busy)
	}
	for _, f := range im.fields {
		times := ""
		if f.times > 1 {
			times = fmt.Sprintf(" (%d times)", f.times)
		}
		im.note(f.at, "the field %q is not known: it is left out%s", f.name, times)
	}
}
