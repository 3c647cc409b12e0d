package workflowfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Limits on what one workflow may be. They keep a slip of the pen from
// filling the memory.
const (
	maxFunctions = 1_000_000
	maxInstances = 10_000_000
	maxCompared  = 3_000_000
)

// What holds for a function if neither it nor the defaults say anything.
const (
	defaultCPU    = 1
	defaultMemory = 256 * units.MiB
)

// Read reads a workflow file. Errors in it are of type yamlfile.Errors.
func Read(path string) (*workflow.Workflow, error) {
	doc, err := yamlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return fromDocument(doc)
}

// Parse is Read for a file in memory; name is its name in errors.
func Parse(name string, data []byte) (*workflow.Workflow, error) {
	doc, err := yamlfile.Parse(name, data)
	if err != nil {
		return nil, err
	}
	return fromDocument(doc)
}

func fromDocument(doc *yamlfile.Document) (*workflow.Workflow, error) {
	if functions, ok := doc.Root().Get("functions"); ok {
		if n := functions.Len(); n > maxFunctions {
			functions.Errorf("there are %d functions, more than %d", n, maxFunctions)
			return nil, doc.Err()
		}
	}
	r := reader{doc: doc}
	doc.Decode(&r.file)
	functions := r.functions()
	if err := doc.Err(); err != nil {
		return nil, err
	}
	w, err := workflow.New(r.file.Name, functions)
	var problems workflow.Problems
	switch {
	case errors.As(err, &problems):
		for _, p := range problems {
			doc.Errorf(r.path(p), "%s", p.Message)
		}
	case err != nil:
		doc.Errorf("functions", "%v", err)
	default:
		for i := range w.Scopes[1:] {
			s := workflow.ScopeID(i + 1)
			if n := w.Instances(s); n > maxInstances {
				opener := w.Functions[w.Scopes[s].Entries[0]].Name
				doc.Errorf(yamlfile.Join("functions", opener)+".foreach", "an invocation would have %.3g instances of it, more than %d", n, maxInstances)
			}
		}
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return w, nil
}

// reader turns a decoded file into functions.
type reader struct {
	doc     *yamlfile.Document
	file    file
	names   []string // of all functions
	ids     map[string]workflow.FunctionID
	outputs map[outputName]int32

	compared int // names, in search of those that were meant
}

type outputName struct {
	function workflow.FunctionID
	name     string
}

func (r *reader) functions() []workflow.Function {
	r.names = make([]string, len(r.file.Functions))
	r.ids = make(map[string]workflow.FunctionID, len(r.file.Functions))
	r.outputs = make(map[outputName]int32, len(r.file.Functions))
	for i := range r.file.Functions {
		f := &r.file.Functions[i]
		r.names[i] = f.Name
		r.ids[f.Name] = workflow.FunctionID(i)
		for o := range f.Outputs {
			r.outputs[outputName{workflow.FunctionID(i), f.Outputs[o].Name}] = int32(o)
		}
	}
	functions := make([]workflow.Function, len(r.file.Functions))
	for i := range r.file.Functions {
		r.function(&r.file.Functions[i], &functions[i])
	}
	for i, name := range r.file.Start {
		if id, ok := r.id(name, "", "start", i); ok {
			functions[id].Start = true
		}
	}
	return functions
}

func (r *reader) function(from *function, to *workflow.Function) {
	to.Name, to.Merge, to.Join = from.Name, from.Merge, from.Join.Join
	path := func(field string) string { return yamlfile.Join("functions", from.Name) + "." + field }
	switch {
	case from.Switch != nil && from.End:
		r.doc.Errorf(path("end"), "a function is a switch or an end, not both")
	case from.Switch != nil:
		to.Kind = workflow.Switch
	case from.End:
		to.Kind = workflow.End
	}
	if to.Kind == workflow.Task {
		r.task(from, to)
	} else {
		for _, field := range from.resources.given() {
			r.doc.Errorf(path(field), "a function of kind %v runs nothing: leave %s out", to.Kind, field)
		}
	}
	for i, name := range from.After {
		if id, ok := r.id(name, from.Name, "after", i); ok {
			to.After = append(to.After, id)
		}
	}
	for i, name := range from.Inputs {
		if ref, ok := r.ref(name, fmt.Sprintf("%s[%d]", path("inputs"), i)); ok {
			to.Inputs = append(to.Inputs, workflow.Input{From: ref.Function, Output: ref.Output})
		}
	}
	for _, size := range from.GlobalInputs {
		to.Inputs = append(to.Inputs, workflow.Input{From: workflow.GlobalInput, Size: int64(size)})
	}
	for i := range from.Outputs {
		to.Outputs = append(to.Outputs, from.Outputs[i].output())
	}
	if from.Foreach != "" {
		if ref, ok := r.ref(from.Foreach, path("foreach")); ok {
			to.Foreach = &ref
		}
	}
	for i, b := range from.Switch {
		branch := workflow.Branch{Name: b.Name, Probability: float64(b.Probability)}
		for j, name := range b.To {
			if id, ok := r.id(name, from.Name, fmt.Sprintf("switch[%d].to", i), j); ok {
				branch.To = append(branch.To, id)
			}
		}
		to.Branches = append(to.Branches, branch)
	}
	to.Planning = from.Planning.or(r.file.Defaults.Planning).planning()
}

func (r *reader) task(from *function, to *workflow.Function) {
	to.CPU, to.Memory = defaultCPU, int64(defaultMemory)
	for _, said := range []resources{r.file.Defaults.resources, from.resources} {
		if said.Compute != nil {
			to.Compute = said.Compute.Distribution
		}
		if said.CPU != nil {
			to.CPU = *said.CPU
		}
		if said.Memory != nil {
			to.Memory = int64(*said.Memory)
		}
		if said.MaxContainers != nil {
			to.MaxContainers = *said.MaxContainers
		}
	}
}

// given names the fields that say something.
func (r resources) given() []string {
	var names []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"compute", r.Compute != nil}, {"cpu", r.CPU != nil}, {"memory", r.Memory != nil}, {"max_containers", r.MaxContainers != nil},
	} {
		if f.given {
			names = append(names, f.name)
		}
	}
	return names
}

func (o *output) output() workflow.Output {
	result := workflow.Output{Name: o.Name, Size: o.Size.Distribution, PostedAt: 1}
	if o.Items != nil {
		result.List, result.Items = true, o.Items.Distribution
	}
	if o.PostedAt != nil {
		result.PostedAt = float64(*o.PostedAt)
	}
	return result
}

// or returns p, with the defaults where p says nothing.
func (p planning) or(defaults planning) planning {
	if p.Compute == nil {
		p.Compute = defaults.Compute
	}
	if p.OutputBytes == nil {
		p.OutputBytes = defaults.OutputBytes
	}
	if p.SplitRatio == nil {
		p.SplitRatio = defaults.SplitRatio
	}
	if p.Containers == nil {
		p.Containers = defaults.Containers
	}
	if p.MemoryUsed == nil {
		p.MemoryUsed = defaults.MemoryUsed
	}
	return p
}

func (p planning) planning() *workflow.Planning {
	var result workflow.Planning
	if p.Compute != nil {
		result.Compute = float64(*p.Compute)
	}
	if p.OutputBytes != nil {
		result.OutputBytes = float64(*p.OutputBytes)
	}
	if p.SplitRatio != nil {
		result.SplitRatio = *p.SplitRatio
	}
	if p.Containers != nil {
		result.Containers = *p.Containers
		if result.Containers == 0 {
			result.Containers = -1 // the graph's way to say none
		}
	}
	if p.MemoryUsed != nil {
		result.MemoryUsed = float64(*p.MemoryUsed)
	}
	if result == (workflow.Planning{}) {
		return nil
	}
	return &result
}

// id finds a function by name; if there is none, it reports that at item i of
// a list in the description of a function, or of the file.
func (r *reader) id(name, function, list string, i int) (workflow.FunctionID, bool) {
	id, ok := r.ids[name]
	if !ok {
		path := fmt.Sprintf("%s[%d]", list, i)
		if function != "" {
			path = yamlfile.Join("functions", function) + "." + path
		}
		r.doc.Errorf(path, "there is no function %q%s", name, r.meant(name, r.names))
	}
	return id, ok
}

// ref finds an output by "function.output". Both names may contain dots.
func (r *reader) ref(name, path string) (workflow.OutputRef, bool) {
	var found []workflow.OutputRef
	prefix := workflow.FunctionID(-1) // the function that the longest prefix names
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		id, ok := r.ids[name[:i]]
		if !ok {
			continue
		}
		prefix = id
		if o, ok := r.outputs[outputName{id, name[i+1:]}]; ok {
			found = append(found, workflow.OutputRef{Function: id, Output: o})
		}
	}
	switch {
	case len(found) == 1:
		return found[0], true
	case len(found) > 1:
		a, b := found[0], found[1]
		r.doc.Errorf(path, "%q is ambiguous: it may be output %q of %s or %q of %s", name,
			r.file.Functions[a.Function].Outputs[a.Output].Name, r.names[a.Function],
			r.file.Functions[b.Function].Outputs[b.Output].Name, r.names[b.Function])
	case prefix >= 0:
		f := &r.file.Functions[prefix]
		output := strings.TrimPrefix(name, f.Name+".")
		var outputs []string
		for _, o := range f.Outputs {
			outputs = append(outputs, o.Name)
		}
		r.doc.Errorf(path, "%s has no output %q%s", f.Name, output, r.meant(output, outputs))
	case strings.Contains(name, "."):
		function, _, _ := strings.Cut(name, ".")
		r.doc.Errorf(path, "there is no function %q%s", function, r.meant(function, r.names))
	default:
		r.doc.Errorf(path, "%q names no output: write function.output", name)
	}
	return workflow.OutputRef{}, false
}

// meant continues an error message with the name that was probably meant.
// In a huge file with many errors, it gives up looking at some point.
func (r *reader) meant(name string, known []string) string {
	if r.compared += len(known); r.compared > maxCompared {
		return ""
	}
	if near := yamlfile.Nearest(name, known); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	if len(known) > 0 && len(known) <= 10 {
		return ": there are " + strings.Join(known, ", ")
	}
	return ""
}

// path returns the place in the file of a problem that the graph has.
func (r *reader) path(p workflow.Problem) string {
	id, ok := r.ids[p.Function]
	if !ok {
		return p.Field
	}
	f := &r.file.Functions[id]
	path := yamlfile.Join("functions", f.Name)
	switch {
	case p.Field == "":
		return path
	case strings.HasPrefix(p.Field, "outputs."):
		output, field := strings.TrimPrefix(p.Field, "outputs."), ""
		for _, suffix := range []string{".size", ".items", ".posted_at"} {
			if name, ok := strings.CutSuffix(output, suffix); ok {
				output, field = name, suffix
			}
		}
		return yamlfile.Join(path+".outputs", output) + field
	case strings.HasPrefix(p.Field, "inputs["):
		// The graph numbers the global inputs after the others.
		var i int
		if _, err := fmt.Sscanf(p.Field, "inputs[%d]", &i); err == nil && i >= len(f.Inputs) {
			return fmt.Sprintf("%s.global_inputs[%d]", path, i-len(f.Inputs))
		}
	}
	return path + "." + p.Field
}
