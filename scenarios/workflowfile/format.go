package workflowfile

import (
	"fmt"

	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
	"github.com/google/jsonschema-go/jsonschema"
)

// file is a workflow file. The doc tags end up in the JSON Schema.
type file struct {
	Name        string     `yaml:"name,required" doc:"Name of the workflow."`
	Description string     `yaml:"description" doc:"What it does, in a line."`
	Start       []string   `yaml:"start" doc:"The functions it starts with. If given, any other function without predecessors is an error."`
	Defaults    defaults   `yaml:"defaults" doc:"What holds for each function that says nothing else."`
	Functions   []function `yaml:"functions,required" doc:"The functions by name. Their order matters to schedulers that break ties by it."`
}

type defaults struct {
	resources
	Planning planning `yaml:"planning" doc:"What a partitioner is told of each function where that differs from what the function does."`
}

// resources is what a function of kind task needs to run.
type resources struct {
	Compute       *Duration    `yaml:"compute" doc:"Time that one instance takes on cores of its own, with all inputs at hand (default 0)."`
	CPU           *float64     `yaml:"cpu" doc:"Cores it keeps busy meanwhile; 0 means that it only waits (default 1)."`
	Memory        *units.Bytes `yaml:"memory" doc:"What one container reserves (default 256MiB)."`
	MaxContainers *int         `yaml:"max_containers" doc:"Cap on the containers of the function on one worker; 0 means no cap (default 0)."`
}

type function struct {
	Name string `yaml:",key"`
	resources
	After        []string      `yaml:"after" doc:"Functions that trigger it without handing data on. If given, or if a switch leads here, exactly those trigger it, and inputs do not."`
	Join         join          `yaml:"join" doc:"Whether it waits for all that trigger it, or runs after the first (default all)."`
	Inputs       []string      `yaml:"inputs" doc:"Outputs it reads before it computes, as function.output."`
	GlobalInputs []units.Bytes `yaml:"global_inputs" doc:"Sizes of the data that it reads and the workflow is given."`
	Outputs      []output      `yaml:"outputs" doc:"Data it posts, by name."`
	Foreach      string        `yaml:"foreach" doc:"The list, as function.output, for each of whose items it runs once."`
	Merge        bool          `yaml:"merge" doc:"Whether it closes the foreach that its predecessors are in: it waits for all instances."`
	Switch       []branch      `yaml:"switch" doc:"Makes it a switch: exactly one of these branches is taken."`
	End          bool          `yaml:"end" doc:"Makes it an end, which does nothing."`
	Planning     planning      `yaml:"planning" doc:"What a partitioner is told of it where that differs from what it does."`
}

// output is an output in long form; its short form is just the size.
type output struct {
	Name     string          `yaml:",key"`
	Size     size            `yaml:"size,required" doc:"Size of the datum, or of each item of a list."`
	Items    *count          `yaml:"items" doc:"Makes it a list for a foreach, of this length."`
	PostedAt *units.Fraction `yaml:"posted_at" doc:"When it is posted, as a fraction of the compute time (default 100%)."`
}

// UnmarshalYAML reads either form.
func (o *output) UnmarshalYAML(v yamlfile.Value) {
	if v.Kind() == yamlfile.Scalar {
		v.Decode(&o.Size)
		return
	}
	type long output
	v.Decode((*long)(o))
}

// JSONSchema describes both forms.
func (output) JSONSchema() *jsonschema.Schema {
	type long output
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{units.Bytes(0).JSONSchema(), yamlfile.Schema(long{})}}
}

type branch struct {
	Name        string         `yaml:"name" doc:"What the branch is called in reports."`
	To          []string       `yaml:"to,required" doc:"The functions it triggers."`
	Probability units.Fraction `yaml:"probability,required" doc:"How likely it is. The probabilities of a switch add up to 1."`
}

// join says which of several functions triggers another.
type join struct{ workflow.Join }

func joins() []workflow.Join { return []workflow.Join{workflow.JoinAll, workflow.JoinFirst} }

func (j *join) UnmarshalText(text []byte) error {
	for _, known := range joins() {
		if string(text) == known.String() {
			j.Join = known
			return nil
		}
	}
	return fmt.Errorf("there is no join %q: write %v or %v", text, joins()[0], joins()[1])
}

func (join) JSONSchema() *jsonschema.Schema {
	var names []string
	for _, known := range joins() {
		names = append(names, known.String())
	}
	return oneOf(names)
}

type planning struct {
	Compute     *nanoseconds    `yaml:"compute" doc:"Compute time."`
	OutputBytes *byteCount      `yaml:"output_bytes" doc:"Sum over all outputs."`
	SplitRatio  *float64        `yaml:"split_ratio" doc:"Expected number of instances in a foreach."`
	Containers  *int            `yaml:"containers" doc:"Expected number of containers that run at a time; 0 means that it needs none."`
	MemoryUsed  *units.Fraction `yaml:"memory_used" doc:"Fraction of a container's memory used at the peak."`
}

// nanoseconds is a duration that may have a fraction of a nanosecond.
type nanoseconds float64

func (n *nanoseconds) UnmarshalText(text []byte) (err error) {
	v, err := units.ParseDuration(string(text))
	*n = nanoseconds(v)
	return err
}

func (nanoseconds) JSONSchema() *jsonschema.Schema { return units.Duration(0).JSONSchema() }

// byteCount is a size that may have a fraction of a byte.
type byteCount float64

func (b *byteCount) UnmarshalText(text []byte) error {
	v, err := units.ParseBytes(string(text))
	*b = byteCount(v)
	return err
}

func (byteCount) JSONSchema() *jsonschema.Schema { return units.Bytes(0).JSONSchema() }

// Schema returns the JSON Schema (draft 2020-12) of workflow files.
func Schema() *jsonschema.Schema {
	s := yamlfile.Schema(file{})
	s.Schema = yamlfile.Draft
	s.Title = "flowtwin workflow"
	s.Description = "A workflow of serverless functions."
	return s
}
