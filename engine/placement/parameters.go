package placement

import (
	"fmt"
	"math"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Parameters are the constants of FaaSFlow's partition. The artefact's values
// (tag v1.1) are those of ArtefactParameters; each field says where they are
// from.
type Parameters struct {
	// NetworkBandwidth, in bytes per second, turns the bytes of an edge into
	// seconds. config.py: a quarter of 25 MiB/s.
	NetworkBandwidth float64
	// MemoryRatio is how many times faster an edge is inside a group.
	// config.py, NET_MEM_BANDWIDTH_RATIO: 15.
	MemoryRatio float64
	// GroupLimit is the most functions that a group may have; 0 means no
	// limit. config.py: 100.
	GroupLimit int

	// WorkerContainers is how many containers fit on a worker that has
	// WorkerMemory bytes; a worker with other memory has proportionally more
	// or fewer. node_info.yaml, scale_limit: 120, on machines of 32 GiB.
	WorkerContainers float64
	WorkerMemory     int64
	// Headroom is the fraction of those containers that may be planned for.
	// grouping.py: 0.8.
	Headroom float64

	// ContainerMemory in bytes. config.py, CONTAINER_MEM: 256 MiB.
	ContainerMemory float64
	// ReservedMemory is the fraction of a container's memory that is not used
	// for data. config.py, RESERVED_MEM_PERCENTAGE: 0.2.
	ReservedMemory float64

	// Containers is how many containers of a function are expected to run at a
	// time if its workflow.Planning is silent. function_info.yaml, scale: 3
	// throughout.
	Containers int
	// MemoryUsed is the fraction of its container's memory that a function
	// uses if its Planning is silent. function_info.yaml, mem_usage: 0.25
	// throughout.
	MemoryUsed float64
	// VirtualCompute, in ns, is what a switch or an end counts for on a path
	// if its Planning is silent. It is the artefact's default runtime: 1 s.
	VirtualCompute float64
}

// ArtefactParameters returns the constants of the FaaSFlow artefact.
func ArtefactParameters() Parameters {
	return Parameters{
		NetworkBandwidth: 25 * (1 << 20) / 4,
		MemoryRatio:      15,
		GroupLimit:       100,
		WorkerContainers: 120,
		WorkerMemory:     32 << 30,
		Headroom:         0.8,
		ContainerMemory:  256 << 20,
		ReservedMemory:   0.2,
		Containers:       3,
		MemoryUsed:       0.25,
		VirtualCompute:   1e9,
	}
}

// Check returns an error that says which parameter is out of range, or nil.
func (p Parameters) Check() error {
	for _, field := range []struct {
		name        string
		value, from float64
		above       bool // the value must be above from, not equal
		to          float64
	}{
		{"network bandwidth", p.NetworkBandwidth, 0, true, math.MaxFloat64},
		{"memory ratio", p.MemoryRatio, 0, true, math.MaxFloat64},
		{"group limit", float64(p.GroupLimit), 0, false, math.MaxFloat64},
		{"containers per worker", p.WorkerContainers, 0, true, math.MaxFloat64},
		{"memory per worker", float64(p.WorkerMemory), 0, true, math.MaxFloat64},
		{"headroom", p.Headroom, 0, true, 1},
		{"container memory", p.ContainerMemory, 0, false, math.MaxFloat64},
		{"reserved memory", p.ReservedMemory, 0, false, 1},
		{"containers per function", float64(p.Containers), 0, false, math.MaxFloat64},
		{"memory used", p.MemoryUsed, 0, false, 1},
		{"compute time of virtual functions", p.VirtualCompute, 0, false, math.MaxFloat64},
	} {
		if !(field.value >= field.from && field.value <= field.to) || field.above && field.value == field.from {
			return fmt.Errorf("placement parameters: %s is %v, out of range", field.name, field.value)
		}
	}
	return nil
}

// capacity is how many containers may be planned for on a worker.
func (p Parameters) capacity(w Worker) float64 {
	scale := 1.0
	if w.Memory > 0 {
		scale = float64(w.Memory) / float64(p.WorkerMemory)
	}
	return p.WorkerContainers * scale * p.Headroom
}

// planned is what the partition sees of a function.
type planned struct {
	compute     float64 // s
	bytes       float64 // of all outputs
	containers  float64
	reclaimable float64 // bytes of memory that data may use
}

// plan follows the function's Planning where it says something.
func (p Parameters) plan(w *workflow.Workflow, id workflow.FunctionID) planned {
	f := &w.Functions[id]
	told := workflow.Planning{}
	if f.Planning != nil {
		told = *f.Planning
	}
	if told.Compute == 0 {
		told.Compute = f.Compute.Mean()
		if f.Kind != workflow.Task {
			told.Compute = p.VirtualCompute
		}
	}
	if told.OutputBytes == 0 {
		told.OutputBytes = w.OutputBytes(id)
	}
	if told.Containers == 0 {
		told.Containers = p.Containers
	}
	if told.MemoryUsed == 0 {
		told.MemoryUsed = p.MemoryUsed
	}
	if told.SplitRatio == 0 {
		told.SplitRatio = splitRatio(w, f)
	}
	seen := planned{
		compute:    told.Compute / 1e9,
		bytes:      told.OutputBytes,
		containers: max(0, float64(told.Containers)),
	}
	// The artefact tells a virtual node by its name: a switch is one, an end
	// is not.
	if f.Kind != workflow.Switch {
		seen.reclaimable = (1 - p.ReservedMemory - told.MemoryUsed) * p.ContainerMemory * told.SplitRatio
	}
	return seen
}

// splitRatio is the expected fan-out of a function that opens a foreach, 1 for
// others.
func splitRatio(w *workflow.Workflow, f *workflow.Function) float64 {
	if f.Foreach == nil {
		return 1
	}
	return w.Functions[f.Foreach.Function].Outputs[f.Foreach.Output].Items.Mean()
}
