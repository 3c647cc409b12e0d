package scenarios

import (
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// Scenario is a scenario file.
type Scenario struct {
	Name       string          `yaml:"name,required" doc:"Name of the scenario, and of its run directory."`
	Title      string          `yaml:"title" doc:"One line that says what the scenario shows."`
	Workflows  []WorkflowUse   `yaml:"workflows,required" doc:"The workflows that run together. To run them one after the other, make an axis of them."`
	Cluster    ClusterUse      `yaml:"cluster" doc:"The machines."`
	Load       LoadUse         `yaml:"load,required" doc:"Who asks for invocations, and when. It holds for each workflow."`
	Schedulers []SchedulerUse  `yaml:"schedulers,required" doc:"The schedulers to compare: presets, control+placement+data, or the three choices."`
	Axes       []AxisUse       `yaml:"axes" doc:"What is varied: every combination of the values is a point."`
	Trials     int             `yaml:"trials" doc:"How often each point is run, each time with another seed. Five or more give intervals over trials. Default 1."`
	Seed       uint64          `yaml:"seed" doc:"What all random draws derive from. Default 1."`
	Timeout    *units.Duration `yaml:"timeout" doc:"When clients give up an invocation (0: never). Default: the profile's."`
	Profile    string          `yaml:"profile" doc:"What things cost: a profile's name, or a file (ending in .yaml). Default ideal."`
	Overrides  yamlfile.Value  `yaml:"overrides" doc:"Constants of the profile to replace, such as {store: {get: 2ms}}."`
	Faults     []FaultUse      `yaml:"faults" doc:"What goes wrong, and when."`
	Figures    []FigureUse     `yaml:"figures" doc:"The figures to draw."`
	Tasks      bool            `yaml:"tasks" doc:"Whether to write tasks.csv, a row for each function instance. The gantt figure needs it."`
}

// WorkflowUse names a workflow: a built-in one, a file, or a generator and a
// size.
type WorkflowUse struct {
	Use       string         `yaml:"use" doc:"A built-in workflow, such as faasflow/genome, or a file (ending in .yaml)."`
	Generate  string         `yaml:"generate" doc:"A workflow to generate: cycles, epigenomics, genome or soykb."`
	Functions int            `yaml:"functions" doc:"The number of functions to generate, from 10 to 1000000."`
	Name      string         `yaml:"name" doc:"What to call it in results. Default: what it is used by."`
	Load      yamlfile.Value `yaml:"load" doc:"Where the load on this workflow differs from that on all."`
}

// ClusterUse is the machines. What it leaves out is as in the FaaSFlow paper:
// 7 workers of 8 cores and 32 GiB.
type ClusterUse struct {
	Workers   WorkersUse       `yaml:"workers" doc:"The number of workers, or a list of groups of equal ones. Default 7."`
	Cores     *float64         `yaml:"cores" doc:"Cores of each worker. Default 8."`
	Memory    *units.Bytes     `yaml:"memory" doc:"Memory of each worker. Default 32GiB."`
	Link      *units.Bandwidth `yaml:"link" doc:"Bandwidth of each node's link, each way: the payload that fits through. Default: the profile's."`
	Storage   StorageUse       `yaml:"storage" doc:"The storage node, where the master of MasterSP runs too."`
	Gateway   MachineUse       `yaml:"gateway" doc:"The gateway."`
	HostCores float64          `yaml:"host_cores" doc:"If all nodes share the cores of one machine, as emulated ones do: how many."`
}

// MachineUse is where a machine differs from the others.
type MachineUse struct {
	Cores  *float64         `yaml:"cores" doc:"Cores. Default: the cluster's for workers, 16 for others."`
	Memory *units.Bytes     `yaml:"memory" doc:"Memory. Default: the cluster's for workers, 64GiB for others."`
	Link   *units.Bandwidth `yaml:"link" doc:"Bandwidth of the link, each way. Default: the cluster's."`
}

// StorageUse is the storage node.
type StorageUse struct {
	MachineUse
	Cap units.Bandwidth `yaml:"cap" doc:"Caps the bytes on the wire to and from its services, each way. Of these, 1448 in 1514 are payload."`
}

// WorkersUse is a number of workers, or groups of equal ones.
type WorkersUse struct {
	Set    bool
	Count  int
	Groups []WorkerGroup
}

// WorkerGroup is workers that are alike.
type WorkerGroup struct {
	Count *int `yaml:"count" doc:"How many. Default 1."`
	MachineUse
}

// LoadUse is the load on a workflow. With clients it is a closed loop, with
// arrivals an open one.
type LoadUse struct {
	Clients     int            `yaml:"clients" doc:"Closed loop: clients of each workflow, which send their next invocation when the last has ended."`
	Stagger     units.Duration `yaml:"stagger" doc:"Closed loop: how much later each further client starts, counted over all workflows."`
	Arrivals    string         `yaml:"arrivals" doc:"Open loop: constant, poisson or trace."`
	Rate        units.Rate     `yaml:"rate" doc:"Open loop: arrivals per time, such as 60/min."`
	Burst       *BurstUse      `yaml:"burst" doc:"Open loop: a time of another rate."`
	Ramp        []RampStep     `yaml:"ramp" doc:"Open loop: steps of other rates before the rate itself is reached."`
	Trace       string         `yaml:"trace" doc:"Open loop: a CSV file of arrival times (column time in seconds; a column workflow is optional)."`
	Duration    units.Duration `yaml:"duration" doc:"When no more invocations are sent; clients count it from their own start."`
	AtLeast     int64          `yaml:"at_least" doc:"Closed loop: invocations that each client sends at least, even after the duration."`
	Limit       int64          `yaml:"limit" doc:"How many invocations of each workflow are sent at most."`
	Warmup      units.Duration `yaml:"warmup" doc:"Leaves out of the statistics what was sent before."`
	WarmupCount int64          `yaml:"warmup_count" doc:"Leaves the first so many invocations of each workflow out of the statistics."`
}

// BurstUse is a time of another rate.
type BurstUse struct {
	At    units.Duration `yaml:"at" doc:"When it begins."`
	For   units.Duration `yaml:"for,required" doc:"How long it lasts."`
	Rate  units.Rate     `yaml:"rate,required" doc:"Arrivals per time while it does."`
	Every units.Duration `yaml:"every" doc:"The time from one burst to the next. Default: there is only one."`
}

// RampStep is one step on the way to the rate.
type RampStep struct {
	Rate  *units.Rate     `yaml:"rate" doc:"Arrivals per time."`
	Share *units.Fraction `yaml:"share" doc:"The same as a part of the rate that the ramp leads to."`
	For   units.Duration  `yaml:"for,required" doc:"How long it lasts."`
}

// SchedulerUse is a preset, or three choices.
type SchedulerUse struct {
	Name      string                    `yaml:"name" doc:"What to call it in results. Default: the preset, or the choices joined by +."`
	Preset    string                    `yaml:"preset" doc:"A preset."`
	Control   string                    `yaml:"control" doc:"Who triggers functions. Default: the preset's."`
	Placement string                    `yaml:"placement" doc:"Where functions run. Default: the preset's."`
	Data      string                    `yaml:"data" doc:"Where data go. Default: the preset's."`
	Table     map[string]map[string]int `yaml:"table" doc:"With placement explicit: for each workflow, the worker of each function, counted from 1."`

	Partition PartitionUse `yaml:"partition" doc:"Where FaaSFlow's partition is to have other parameters than the artefact's."`
}

// PartitionUse is parameters of FaaSFlow's partition.
type PartitionUse struct {
	Containers *float64        `yaml:"containers" doc:"Containers that fit on a worker of 32 GiB. Default 120."`
	Headroom   *float64        `yaml:"headroom" doc:"Fraction of them that may be planned for. Default 0.8."`
	GroupLimit *int            `yaml:"group_limit" doc:"Most functions in a group; 0 for no limit. Default 100."`
	Bandwidth  units.Bandwidth `yaml:"bandwidth" doc:"What turns the bytes of an edge into time. Default 6553600B/s."`
}

// AxisUse is something that is varied: a path into the scenario with a list of
// values, or a name with labelled sets of values for several paths.
type AxisUse struct {
	Name   string `yaml:",key"`
	Values []AxisValue

	value yamlfile.Value
}

// AxisValue is one value of an axis: a label, and what it sets.
type AxisValue struct {
	Label string
	Sets  []AxisSet
}

// AxisSet gives the value at a path.
type AxisSet struct {
	Path  string
	Value yamlfile.Value
}

// FaultUse is a fault: a time, and one of the things that can go wrong.
type FaultUse struct {
	At          units.Duration `yaml:"at,required" doc:"When it happens."`
	For         units.Duration `yaml:"for" doc:"How long it lasts. Default: to the end."`
	Kill        string         `yaml:"kill" doc:"A worker that stops with all that is on it, and comes back empty."`
	Pause       string         `yaml:"pause" doc:"A worker that stands still."`
	Partition   string         `yaml:"partition" doc:"A worker that is cut off, from all nodes or those in from."`
	From        []string       `yaml:"from" doc:"What a partition cuts the worker off from: gateway, storage, worker-1 and so on."`
	SlowLink    string         `yaml:"slow_link" doc:"A node whose link gets slower."`
	Factor      *float64       `yaml:"factor" doc:"How many times slower. Default 10."`
	StopService string         `yaml:"stop_service" doc:"A service that stops: store, or a worker, for the memory on it, which is lost."`
	Crash       string         `yaml:"crash_function" doc:"A function (as workflow:function) one of whose running containers dies."`
}

// FigureUse is a figure: its kind, and what it shows if that is not the usual.
type FigureUse struct {
	Kind   string `yaml:"kind,required" json:"kind" doc:"What kind of figure."`
	Metric string `yaml:"metric" json:"metric,omitempty" doc:"The metric shown. Default: latency."`
	X      string `yaml:"x" json:"x,omitempty" doc:"The axis drawn along. Default: the first that has numbers."`
	Panels string `yaml:"panels" json:"panels,omitempty" doc:"The axis that has a panel for each of its values. Default: all is in one."`
	Log    bool   `yaml:"log" json:"log,omitempty" doc:"Whether the y axis is logarithmic."`
}
