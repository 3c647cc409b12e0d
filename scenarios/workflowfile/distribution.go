package workflowfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
	"github.com/google/jsonschema-go/jsonschema"
)

// What is larger is a slip of the pen. It keeps sums of times within int64.
const (
	maxDuration = 1e4 * 3600e9 // 10 000 h
	maxSize     = 1 << 50      // 1 PiB
	maxItems    = 1e6
)

// Duration is a time in a file, in ns: constant, or a distribution.
type Duration struct{ workflow.Distribution }

// A size of data and a number of items are constant or a distribution too.
type (
	size  struct{ workflow.Distribution }
	count struct{ workflow.Distribution }
)

// quantity is what a distribution is of.
type quantity struct {
	parse  func(text string) (float64, error)
	format func(v float64) string
	schema func() *jsonschema.Schema
	limit  float64
}

func durations() quantity {
	return quantity{units.ParseDuration, formatDuration, units.Duration(0).JSONSchema, maxDuration}
}

func sizes() quantity {
	return quantity{units.ParseBytes, formatBytes, units.Bytes(0).JSONSchema, maxSize}
}

func counts() quantity {
	number := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "number", Minimum: new(float64)} }
	return quantity{parseCount, formatNumber, number, maxItems}
}

func parseCount(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 {
		return 0, fmt.Errorf("%q is not a number of at least 0", text)
	}
	return v, nil
}

// formatNumber writes a number so that it reads back as exactly the same.
func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func formatDuration(ns float64) string {
	if ns != math.Trunc(ns) || ns >= 1<<63 {
		return formatNumber(ns) + "ns"
	}
	return units.Duration(ns).String()
}

func formatBytes(b float64) string {
	if b != math.Trunc(b) || b >= 1<<63 {
		return formatNumber(b)
	}
	text := units.Bytes(b).String()
	if plain := text[:len(text)-1]; plain == strconv.FormatFloat(b, 'f', 0, 64) {
		return plain // a bare number is a number of bytes
	}
	return text
}

// UnmarshalYAML reads a duration or a distribution of durations.
func (d *Duration) UnmarshalYAML(v yamlfile.Value) { d.Distribution = durations().read(v) }

// UnmarshalYAML reads a size or a distribution of sizes.
func (s *size) UnmarshalYAML(v yamlfile.Value) { s.Distribution = sizes().read(v) }

// UnmarshalYAML reads a number or a distribution of numbers.
func (c *count) UnmarshalYAML(v yamlfile.Value) { c.Distribution = counts().read(v) }

// JSONSchema describes all forms.
func (Duration) JSONSchema() *jsonschema.Schema { return durations().describe() }

// JSONSchema describes all forms.
func (size) JSONSchema() *jsonschema.Schema { return sizes().describe() }

// JSONSchema describes all forms.
func (count) JSONSchema() *jsonschema.Schema { return counts().describe() }

// shapes is a mapping with the name of a distribution as its only key.
type shapes struct {
	Uniform     yamlfile.Value `yaml:"uniform"`
	Exponential yamlfile.Value `yaml:"exponential"`
	Normal      yamlfile.Value `yaml:"normal"`
	Lognormal   yamlfile.Value `yaml:"lognormal"`
	Pareto      yamlfile.Value `yaml:"pareto"`
	Empirical   yamlfile.Value `yaml:"empirical"`
	ByItem      yamlfile.Value `yaml:"by_item"`
}

type meanAndSD struct {
	Mean yamlfile.Value `yaml:"mean,required"`
	SD   yamlfile.Value `yaml:"sd,required"`
}

type meanAndTail struct {
	Mean yamlfile.Value `yaml:"mean,required"`
	Tail float64        `yaml:"tail,required"`
}

// read reads a constant or a distribution, and reports what is wrong with it.
func (q quantity) read(v yamlfile.Value) workflow.Distribution {
	if v.Kind() != yamlfile.Mapping {
		return workflow.Constant(q.value(v))
	}
	var s shapes
	if !v.Decode(&s) {
		return workflow.Distribution{}
	}
	if len(v.Entries()) != 1 {
		v.Errorf("a distribution has one name, such as {exponential: …}, not %d", len(v.Entries()))
		return workflow.Distribution{}
	}
	absent := yamlfile.Value{}
	switch {
	case s.Uniform != absent:
		ends := q.list(s.Uniform)
		if len(ends) != 2 {
			s.Uniform.Errorf("the lower and the upper end are expected, as [1, 2]")
			return workflow.Distribution{}
		}
		return workflow.Distribution{Shape: workflow.ShapeUniform, A: ends[0], B: ends[1]}
	case s.Exponential != absent:
		return workflow.Exponential(q.value(s.Exponential))
	case s.Normal != absent:
		return q.spread(workflow.ShapeNormal, s.Normal)
	case s.Lognormal != absent:
		return q.spread(workflow.ShapeLognormal, s.Lognormal)
	case s.Pareto != absent:
		var p meanAndTail
		if !s.Pareto.Decode(&p) {
			return workflow.Distribution{}
		}
		return workflow.Distribution{Shape: workflow.ShapePareto, A: q.value(p.Mean), B: p.Tail}
	case s.Empirical != absent:
		return workflow.Distribution{Shape: workflow.ShapeEmpirical, Values: q.list(s.Empirical)}
	default:
		return q.byItem(s.ByItem)
	}
}

// byItem reads a value for each item, or a distribution.
func (q quantity) byItem(v yamlfile.Value) workflow.Distribution {
	isDistribution := func(item yamlfile.Value) bool { return item.Kind() == yamlfile.Mapping }
	if v.Kind() != yamlfile.List || !slices.ContainsFunc(v.Items(), isDistribution) {
		return workflow.Distribution{Shape: workflow.ShapeByItem, Values: q.list(v)}
	}
	d := workflow.Distribution{Shape: workflow.ShapeEachItem}
	for _, item := range v.Items() {
		of := q.read(item)
		if of.Shape == workflow.ShapeByItem || of.Shape == workflow.ShapeEachItem {
			item.Errorf("a distribution by item holds no other by item")
		}
		d.Items = append(d.Items, of)
	}
	return d
}

func (q quantity) spread(shape workflow.Shape, v yamlfile.Value) workflow.Distribution {
	var p meanAndSD
	if !v.Decode(&p) {
		return workflow.Distribution{}
	}
	return workflow.Distribution{Shape: shape, A: q.value(p.Mean), B: q.value(p.SD)}
}

func (q quantity) list(v yamlfile.Value) []float64 {
	if v.Kind() != yamlfile.List {
		v.Errorf("a list is expected, not %v", v.Kind())
		return nil
	}
	values := make([]float64, len(v.Items()))
	for i, item := range v.Items() {
		values[i] = q.value(item)
	}
	return values
}

func (q quantity) value(v yamlfile.Value) float64 {
	if v.Kind() != yamlfile.Scalar {
		v.Errorf("a single value is expected, not %v", v.Kind())
		return 0
	}
	x, err := q.parse(v.Text())
	switch {
	case err != nil:
		v.Errorf("%v", err)
	case x > q.limit:
		v.Errorf("%s is more than %s", v.Text(), q.format(q.limit))
	default:
		return x
	}
	return 0
}

func (q quantity) describe() *jsonschema.Schema {
	list := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "array", Items: q.schema()} }
	object := func(properties map[string]*jsonschema.Schema, required ...string) *jsonschema.Schema {
		return &jsonschema.Schema{
			Type: "object", Properties: properties, Required: required, PropertyOrder: required,
			AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
		}
	}
	about := func(description string, s *jsonschema.Schema) *jsonschema.Schema {
		s.Description = description
		return s
	}
	mean := func() *jsonschema.Schema { return about("Mean.", q.schema()) }
	spread := func() *jsonschema.Schema {
		return object(map[string]*jsonschema.Schema{"mean": mean(), "sd": about("Standard deviation.", q.schema())}, "mean", "sd")
	}
	tail := &jsonschema.Schema{Type: "number", Description: "Tail index, above 1: the smaller, the heavier the tail."}
	one, two := 1, 2
	ofAnItem := []string{"uniform", "exponential", "normal", "lognormal", "pareto", "empirical"}
	item := &jsonschema.Schema{Type: "object", PropertyNames: oneOf(ofAnItem), MinProperties: &one, MaxProperties: &one}
	names := object(map[string]*jsonschema.Schema{
		"uniform":     {Type: "array", Items: q.schema(), MinItems: &two, MaxItems: &two, Description: "Between a lower and an upper end."},
		"exponential": about("Of the given mean.", q.schema()),
		"normal":      about("Cut off at 0.", spread()),
		"lognormal":   about("Of the given mean and standard deviation (of the values, not of their logarithms).", spread()),
		"pareto":      about("Heavy-tailed.", object(map[string]*jsonschema.Schema{"mean": mean(), "tail": tail}, "mean", "tail")),
		"empirical":   about("One of the given values, each as likely.", list()),
		"by_item": {
			Type: "array", Items: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{q.schema(), item}},
			Description: "The n-th value, or distribution, for the n-th item of the foreach.",
		},
	})
	names.PropertyOrder = append(ofAnItem, "by_item")
	names.MinProperties, names.MaxProperties = &one, &one
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{q.schema(), names}}
}

// oneOf describes a text that is one of several.
func oneOf(texts []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, text := range texts {
		s.Enum = append(s.Enum, text)
	}
	return s
}

// write is the opposite of read.
func (q quantity) write(d workflow.Distribution) string {
	switch d.Shape {
	case workflow.ShapeConstant:
		return q.format(d.A)
	case workflow.ShapeUniform:
		return fmt.Sprintf("{uniform: [%s, %s]}", q.format(d.A), q.format(d.B))
	case workflow.ShapeExponential:
		return fmt.Sprintf("{exponential: %s}", q.format(d.A))
	case workflow.ShapeNormal, workflow.ShapeLognormal:
		return fmt.Sprintf("{%v: {mean: %s, sd: %s}}", d.Shape, q.format(d.A), q.format(d.B))
	case workflow.ShapePareto:
		return fmt.Sprintf("{pareto: {mean: %s, tail: %s}}", q.format(d.A), formatNumber(d.B))
	case workflow.ShapeEachItem:
		items := make([]string, len(d.Items))
		for i, item := range d.Items {
			items[i] = q.write(item)
		}
		return fmt.Sprintf("{%v: %s}", d.Shape, flowList(items))
	default:
		values := make([]string, len(d.Values))
		for i, v := range d.Values {
			values[i] = q.format(v)
		}
		return fmt.Sprintf("{%v: %s}", d.Shape, flowList(values))
	}
}
