package workflowfile

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
)

// Options is what a file says besides the workflow.
type Options struct {
	// Comment stands at the top of the file; it may have several lines.
	Comment string
	// Description is what the workflow does, in a line.
	Description string
}

// Write writes a workflow as a file that reads back as the same workflow.
func Write(to io.Writer, w *workflow.Workflow, options Options) error {
	for i := range w.Functions {
		if !utf8.ValidString(w.Functions[i].Name) {
			return fmt.Errorf("the name %q of function %d is no UTF-8", w.Functions[i].Name, i)
		}
	}
	out := &writer{Writer: bufio.NewWriter(to), w: w, switches: map[workflow.FunctionID][]workflow.FunctionID{}}
	out.file(options)
	return out.Flush()
}

type writer struct {
	*bufio.Writer
	w        *workflow.Workflow
	switches map[workflow.FunctionID][]workflow.FunctionID // that lead to a function
	defaults commons
}

// commons is what the file says once for all functions.
type commons struct {
	compute       string
	cpu           string
	memory        string
	maxContainers string
	planning      workflow.Planning
}

// lineWidth is where long lists are broken, in bytes.
const lineWidth = 110

func (out *writer) file(options Options) {
	w := out.w
	for line := range strings.Lines(options.Comment) {
		out.WriteString(strings.TrimRight("# "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	fmt.Fprintf(out, "name: %s\n", scalar(w.Name))
	if options.Description != "" {
		fmt.Fprintf(out, "description: %s\n", sentence(options.Description))
	}
	var starts []string
	for i := range w.Functions {
		f := &w.Functions[i]
		if f.Start {
			starts = append(starts, scalar(f.Name))
		}
		for _, b := range f.Branches {
			for _, to := range b.To {
				out.switches[to] = append(out.switches[to], workflow.FunctionID(i))
			}
		}
	}
	if starts != nil {
		out.WriteString(wrappedList("", "start", starts) + "\n")
	}
	out.findDefaults()
	out.writeDefaults()
	out.WriteString("functions:\n")
	for i := range w.Functions {
		out.function(workflow.FunctionID(i))
	}
}

// findDefaults finds what most functions have in common.
func (out *writer) findDefaults() {
	var compute, cpu, memory, maxContainers, memoryUsed, containers tally
	noContainers := 0
	for i := range out.w.Functions {
		f := &out.w.Functions[i]
		if f.Kind == workflow.Task {
			compute.add(durations().write(f.Compute))
			cpu.add(formatNumber(f.CPU))
			memory.add(formatBytes(float64(f.Memory)))
			maxContainers.add(strconv.Itoa(f.MaxContainers))
		}
		var p workflow.Planning
		if f.Planning != nil {
			p = *f.Planning
		}
		memoryUsed.add(formatNumber(p.MemoryUsed))
		if containers.add(strconv.Itoa(max(-1, p.Containers))); p.Containers == 0 {
			noContainers++
		}
	}
	out.defaults = commons{
		compute:       compute.most("0s"),
		cpu:           cpu.most(formatNumber(defaultCPU)),
		memory:        memory.most(formatBytes(float64(defaultMemory))),
		maxContainers: maxContainers.most("0"),
	}
	p := &out.defaults.planning
	p.MemoryUsed, _ = strconv.ParseFloat(memoryUsed.most("0"), 64)
	if noContainers == 0 { // a function could not take back a default
		p.Containers, _ = strconv.Atoi(containers.most("0"))
	}
}

// tally counts how often each text occurs.
type tally struct {
	texts []string
	times map[string]int
	total int
}

func (t *tally) add(text string) {
	if t.times == nil {
		t.times = map[string]int{}
	}
	t.total++
	if t.times[text]++; t.times[text] == 1 {
		t.texts = append(t.texts, text)
	}
}

// most returns the text that is more frequent than all others together.
func (t *tally) most(otherwise string) string {
	for _, text := range t.texts {
		if t.times[text] > 1 && 2*t.times[text] > t.total {
			return text
		}
	}
	return otherwise
}

func (out *writer) writeDefaults() {
	d := out.defaults
	var fields []string
	add := func(name, value, builtin string) {
		if value != builtin {
			fields = append(fields, name+": "+value)
		}
	}
	add("compute", d.compute, "0s")
	add("cpu", d.cpu, formatNumber(defaultCPU))
	add("memory", d.memory, formatBytes(float64(defaultMemory)))
	add("max_containers", d.maxContainers, "0")
	if plan := out.planning(&d.planning, workflow.Planning{}); plan != "" {
		fields = append(fields, "planning: "+plan)
	}
	if fields != nil {
		out.WriteString("defaults: {" + strings.Join(fields, ", ") + "}\n")
	}
}

// planning writes where p differs from the defaults, as a mapping; "" if it
// does nowhere.
func (out *writer) planning(p *workflow.Planning, defaults workflow.Planning) string {
	if p == nil {
		p = &workflow.Planning{}
	}
	var fields []string
	add := func(name string, differs bool, value string) {
		if differs {
			fields = append(fields, name+": "+value)
		}
	}
	add("compute", p.Compute != defaults.Compute, formatDuration(p.Compute))
	add("output_bytes", p.OutputBytes != defaults.OutputBytes, formatBytes(p.OutputBytes))
	add("split_ratio", p.SplitRatio != defaults.SplitRatio, formatNumber(p.SplitRatio))
	add("containers", max(-1, p.Containers) != defaults.Containers, strconv.Itoa(max(0, p.Containers)))
	add("memory_used", p.MemoryUsed != defaults.MemoryUsed, units.Fraction(p.MemoryUsed).String())
	if fields == nil {
		return ""
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

func (out *writer) function(id workflow.FunctionID) {
	f := &out.w.Functions[id]
	var fields []string
	add := func(name, value, unless string) {
		if value != unless {
			fields = append(fields, strings.Replace(name+": "+value, ": \n", ":\n", 1))
		}
	}
	list := func(name string, items []string) {
		if len(items) > 0 {
			fields = append(fields, wrappedList("    ", name, items))
		}
	}
	if f.Kind == workflow.End {
		add("end", "true", "")
	}
	list("after", out.names(out.after(id)))
	add("join", f.Join.String(), workflow.JoinAll.String())
	if f.Foreach != nil {
		add("foreach", out.ref(*f.Foreach), "")
	}
	if f.Merge {
		add("merge", "true", "")
	}
	var inputs, global []string
	for _, in := range f.Inputs {
		if in.From == workflow.GlobalInput {
			global = append(global, formatBytes(float64(in.Size)))
		} else {
			inputs = append(inputs, out.ref(workflow.OutputRef{Function: in.From, Output: in.Output}))
		}
	}
	list("inputs", inputs)
	list("global_inputs", global)
	if f.Kind == workflow.Task {
		add("compute", durations().write(f.Compute), out.defaults.compute)
		add("cpu", formatNumber(f.CPU), out.defaults.cpu)
		add("memory", formatBytes(float64(f.Memory)), out.defaults.memory)
		add("max_containers", strconv.Itoa(f.MaxContainers), out.defaults.maxContainers)
	}
	add("switch", out.branches(f), "")
	add("outputs", writeOutputs(f.Outputs), "")
	add("planning", out.planning(f.Planning, out.defaults.planning), "")
	fmt.Fprintf(out, "  %s:", scalar(f.Name))
	if fields == nil {
		out.WriteString(" {}")
	}
	for _, field := range fields {
		out.WriteString("\n    " + field)
	}
	out.WriteString("\n")
}

func (out *writer) branches(f *workflow.Function) string {
	text := ""
	for _, b := range f.Branches {
		name := ""
		if b.Name != "" {
			name = "name: " + scalar(b.Name) + ", "
		}
		text += fmt.Sprintf("\n    - {%sto: %s, probability: %s}", name, flowList(out.names(b.To)), formatNumber(b.Probability))
	}
	return text
}

// writeOutputs writes outputs in a line if there is room, else in a line each.
func writeOutputs(outputs []workflow.Output) string {
	if len(outputs) == 0 {
		return ""
	}
	texts := make([]string, len(outputs))
	for i, o := range outputs {
		texts[i] = scalar(o.Name) + ": " + writeOutput(o)
	}
	if line := strings.Join(texts, ", "); len(line) <= lineWidth-20 {
		return "{" + line + "}"
	}
	return "\n      " + strings.Join(texts, "\n      ")
}

func writeOutput(o workflow.Output) string {
	size := sizes().write(o.Size)
	if !o.List && o.PostedAt == 1 && o.Size.Shape == workflow.ShapeConstant {
		return size
	}
	var fields []string
	if o.List {
		fields = append(fields, "items: "+counts().write(o.Items))
	}
	fields = append(fields, "size: "+size)
	if o.PostedAt != 1 {
		fields = append(fields, "posted_at: "+units.Fraction(o.PostedAt).String())
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// after returns the control predecessors that the file must name: none if
// they follow from the inputs, the foreach and the switches.
func (out *writer) after(id workflow.FunctionID) []workflow.FunctionID {
	f := &out.w.Functions[id]
	var must, implied []workflow.FunctionID
	for _, p := range f.After {
		if !slices.Contains(out.switches[id], p) && (f.Foreach == nil || p != f.Foreach.Function) {
			must = append(must, p)
		}
	}
	if len(out.switches[id]) > 0 {
		return must
	}
	for _, in := range f.Inputs {
		if in.From != workflow.GlobalInput && (f.Foreach == nil || in.From != f.Foreach.Function) {
			implied = append(implied, in.From)
		}
	}
	slices.Sort(implied)
	if slices.Equal(must, slices.Compact(implied)) {
		return nil
	}
	if len(must) == 0 { // only the foreach triggers it, whatever else it reads
		return []workflow.FunctionID{f.Foreach.Function}
	}
	return must
}

func (out *writer) names(ids []workflow.FunctionID) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = scalar(out.w.Functions[id].Name)
	}
	return names
}

func (out *writer) ref(o workflow.OutputRef) string {
	f := &out.w.Functions[o.Function]
	return scalar(f.Name + "." + f.Outputs[o.Output].Name)
}

// wrappedList writes a list in brackets, in several lines if it is long; if it
// is huge, each item gets a line, so that it can be read piece by piece. The
// first line is not indented.
func wrappedList(indent, name string, items []string) string {
	var text strings.Builder
	if len(items) > 1000 {
		text.WriteString(name + ":")
		for _, item := range items {
			text.WriteString("\n" + indent + "- " + item)
		}
		return text.String()
	}
	text.WriteString(name + ": [")
	column := len(indent) + text.Len()
	for i, item := range items {
		switch {
		case i == 0:
		case column+len(item) >= lineWidth:
			text.WriteString("\n" + indent + "  ")
			column = len(indent) + 2
		default:
			text.WriteString(" ")
			column++
		}
		if i < len(items)-1 {
			item += ","
		}
		text.WriteString(item)
		column += len(item)
	}
	text.WriteString("]")
	return text.String()
}

func flowList(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	notWords    = regexp.MustCompile(`^(?i:null|true|false|yes|no|on|off|y|n)$`)
)

// scalar writes a name so that YAML reads it as that name.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !notWords.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// sentence writes a text without quotes where YAML allows that.
func sentence(s string) string {
	for _, word := range strings.Fields(s) {
		if !plainScalar.MatchString(strings.TrimRight(word, ".,;")) {
			return strconv.Quote(s)
		}
	}
	if s != strings.Join(strings.Fields(s), " ") {
		return strconv.Quote(s)
	}
	return s
}
