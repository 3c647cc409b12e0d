package scenarios

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/placement"
	"github.com/flowtwin/flowtwin/engine/schedulers"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios/load"
	"github.com/flowtwin/flowtwin/scenarios/profile"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
	"github.com/flowtwin/flowtwin/scenarios/yamlfile"
)

// loader keeps what several points share.
type loader struct {
	dir       string
	registry  *schedulers.Registry
	workflows map[string]loaded
	traces    map[string][]arrival
}

type loaded struct {
	workflow *workflow.Workflow
	err      error
}

// builder makes trials of one combination of axis values. What is wrong goes
// to the document.
type builder struct {
	*loader
	doc      *yamlfile.Document
	scenario *Scenario

	// The parts that do not depend on the scheduler, made with the first.
	made  bool
	parts Trial
	names []string
}

// Limits beyond which a run would not end within anyone's patience.
const (
	maxWorkers = 10_000
	maxTrials  = 100_000
	// maxInstances bounds the function instances of one invocation,
	// maxInvocations the arrivals of a trial.
	maxInstances   = 20_000_000
	maxInvocations = 1_000_000_000
	// maxArtefactPartition bounds the functions that FaaSFlow's own partition
	// is given: it takes the square of their number.
	maxArtefactPartition = 5_000
)

// trial makes the trial of one scheduler.
func (b *builder) trial(scheduler int) (Trial, []string) {
	if !b.made {
		b.made = true
		b.common()
	}
	t := b.parts
	t.Scheduler = b.scheduler(scheduler)
	return t, b.names
}

// common makes what all schedulers meet.
func (b *builder) common() {
	s := b.scenario
	if s.Trials < 1 || s.Trials > maxTrials {
		b.doc.Errorf("trials", "%d trials: it must be between 1 and %d", s.Trials, maxTrials)
	}
	b.profile()
	b.cluster()
	b.workflowsAndLoads()
	b.faults()
}

// profile loads the profile and replaces what the scenario overrides.
func (b *builder) profile() {
	s := b.scenario
	name := s.Profile
	if isFile(name) {
		name = b.path(name)
	}
	var overrides []profile.Override
	collectOverrides(s.Overrides, "", &overrides)
	p, err := profile.Load(name, overrides)
	if err != nil {
		b.doc.Errorf("profile", "%v", err)
		p = &profile.Profile{}
	}
	if s.Timeout > 0 {
		p.Invocation.Timeout = s.Timeout
	}
	b.parts.Profile = p
}

// collectOverrides lists the leaves of a mapping with their paths.
func collectOverrides(v yamlfile.Value, path string, into *[]profile.Override) {
	if v == (yamlfile.Value{}) {
		return
	}
	if v.Kind() != yamlfile.Mapping {
		*into = append(*into, profile.Override{Path: path, Value: v})
		return
	}
	for _, e := range v.Entries() {
		collectOverrides(e.Value, yamlfile.Join(path, e.Key), into)
	}
}

func (b *builder) cluster() {
	use := &b.scenario.Cluster
	link := b.parts.Profile.Network.Link
	if use.Link != nil {
		link = *use.Link
	}
	usual := Machine{Cores: orElse(use.Cores, 8), Memory: orElse(use.Memory, 32<<30), Link: link}
	groups := use.Workers.Groups
	if len(groups) == 0 {
		count := 7
		if use.Workers.Set {
			count = use.Workers.Count
		}
		groups = []WorkerGroup{{Count: &count}}
	}
	c := &b.parts.Cluster
	for i, g := range groups {
		path := "cluster.workers"
		if len(use.Workers.Groups) > 0 {
			path = fmt.Sprintf("cluster.workers[%d].count", i)
		}
		count := 1
		if g.Count != nil {
			count = *g.Count
		}
		if count < 1 || len(c.Workers)+count > maxWorkers {
			b.doc.Errorf(path, "%d workers: a cluster has between 1 and %d", count, maxWorkers)
			continue
		}
		m := Machine{Cores: orElse(g.Cores, usual.Cores), Memory: orElse(g.Memory, usual.Memory), Link: usual.Link}
		if g.Link != nil {
			m.Link = *g.Link
		}
		if m.Cores < 0 {
			b.doc.Errorf("cluster.cores", "%v cores: it must be above 0", m.Cores)
		}
		for range count {
			c.Workers = append(c.Workers, m)
		}
	}
	c.Gateway = b.machine("cluster.gateway", use.Gateway, link)
	c.Storage = b.machine("cluster.storage", use.Storage.MachineUse, link)
	c.StorageCap = use.Storage.Cap
	if c.HostCores = use.HostCores; c.HostCores < 0 {
		b.doc.Errorf("cluster.host_cores", "%v cores: it must be at least 0", c.HostCores)
	}
}

// machine is the gateway's or the storage node's, which the paper's testbed
// has as one machine of 16 cores.
func (b *builder) machine(path string, use MachineUse, link units.Bandwidth) Machine {
	m := Machine{Cores: orElse(use.Cores, 16), Memory: orElse(use.Memory, 64<<30), Link: link}
	if use.Link != nil {
		m.Link = *use.Link
	}
	if m.Cores < 0 {
		b.doc.Errorf(path+".cores", "%v cores: it must be above 0", m.Cores)
	}
	return m
}

func orElse[T comparable](value, usual T) T {
	var zero T
	if value == zero {
		return usual
	}
	return value
}

func (b *builder) workflowsAndLoads() {
	s := b.scenario
	if len(s.Workflows) == 0 {
		b.doc.Errorf("workflows", "name at least one workflow; see flowtwin list workflows")
	}
	clients := 0
	for i, use := range s.Workflows {
		path := fmt.Sprintf("workflows[%d]", i)
		w, err := b.workflow(use)
		if err != nil {
			b.doc.Errorf(path, "%v", err)
			continue
		}
		name := use.Name
		switch {
		case name != "":
		case use.Use != "" && !isFile(use.Use):
			name = use.Use
		default:
			name = w.Name
		}
		if slices.Contains(b.names, name) {
			b.doc.Errorf(path, "there are two workflows called %s: give one a name of its own", name)
		}
		if !b.fits(path, w) {
			continue
		}
		l, where := s.Load, "load"
		if use.Load != (yamlfile.Value{}) {
			use.Load.Decode(&l)
			where = path + ".load"
		}
		named := *w // Which others may use under another name.
		named.Name = name
		b.names = append(b.names, name)
		b.parts.Workflows = append(b.parts.Workflows, &named)
		b.parts.Loads = append(b.parts.Loads, b.load(where, &l, name, clients))
		clients += l.Clients
	}
}

// fits reports whether an invocation of the workflow is of a size that can be
// run.
func (b *builder) fits(path string, w *workflow.Workflow) bool {
	instances := 0.0
	for f := range w.Functions {
		instances += w.Instances(w.Functions[f].Scope)
	}
	if instances > maxInstances {
		b.doc.Errorf(path, "an invocation has about %.3g function instances, more than %d: use smaller lists", instances, maxInstances)
		return false
	}
	return true
}

func isFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func (l *loader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.dir, name)
}

// workflow returns what a scenario names, made once.
func (l *loader) workflow(use WorkflowUse) (*workflow.Workflow, error) {
	key := use.Use + "\x00" + use.Generate + "\x00" + strconv.Itoa(use.Functions)
	if have, ok := l.workflows[key]; ok {
		return have.workflow, have.err
	}
	var have loaded
	switch {
	case use.Generate != "":
		have.workflow, have.err = benchmarks.Generate(use.Generate, use.Functions)
	case isFile(use.Use):
		have.workflow, have.err = workflowfile.Read(l.path(use.Use))
	default:
		have.workflow, have.err = benchmarks.Lookup(use.Use)
	}
	l.workflows[key] = have
	return have.workflow, have.err
}

// load turns what a scenario says of the load on a workflow into a plan.
// clients is the number of closed-loop clients before this workflow's.
func (b *builder) load(path string, use *LoadUse, workflow string, clients int) load.Plan {
	p := load.Plan{
		Clients: use.Clients, First: int64(use.Stagger) * int64(clients), Stagger: int64(use.Stagger),
		Until: int64(use.Duration), AtLeast: use.AtLeast, Limit: use.Limit, Warmup: int64(use.Warmup), WarmupCount: use.WarmupCount,
	}
	wrong := func(key, format string, args ...any) { b.doc.Errorf(path+"."+key, format, args...) }
	switch {
	case use.Limit < 0:
		wrong("limit", "%d: it must be at least 1", use.Limit)
	case use.AtLeast < 0:
		wrong("at_least", "%d: it must be at least 0", use.AtLeast)
	case use.WarmupCount < 0:
		wrong("warmup_count", "%d: it must be at least 0", use.WarmupCount)
	case use.Clients < 0:
		wrong("clients", "%d: it must be at least 1", use.Clients)
	case use.Clients > 0 && use.Arrivals != "":
		wrong("arrivals", "a load with clients is a closed loop, one with arrivals an open one: choose")
	case use.Clients == 0 && use.Arrivals == "":
		wrong("arrivals", "say clients, for a closed loop, or arrivals: constant, poisson or trace")
	case use.Duration == 0 && use.Limit == 0 && use.Arrivals != "trace":
		wrong("duration", "say when the load ends: duration, or limit (a number of invocations)")
	case use.Duration > 0 && use.Warmup >= use.Duration:
		wrong("warmup", "a warm-up of %s leaves nothing of a duration of %s", use.Warmup, use.Duration)
	}
	if p.Until == 0 {
		p.Until = math.MaxInt64
	}
	if use.Clients > 0 {
		if use.Rate != 0 || use.Burst != nil || use.Ramp != nil || use.Trace != "" {
			wrong("clients", "rate, burst, ramp and trace belong to an open loop: clients send when they are answered")
		}
		return p
	}
	switch use.Arrivals {
	case "constant":
		p.Process.Spacing = load.Constant
	case "poisson":
		p.Process.Spacing = load.Poisson
	case "trace":
		p.Process.Trace = b.trace(path, use, workflow)
		return p
	case "":
		return p
	default:
		wrong("arrivals", "%q is no kind of arrivals: there are constant, poisson and trace", use.Arrivals)
		return p
	}
	b.steps(path, use, &p)
	return p
}

// steps fills in the rates of an open loop.
func (b *builder) steps(path string, use *LoadUse, p *load.Plan) {
	wrong := func(key, format string, args ...any) { b.doc.Errorf(path+"."+key, format, args...) }
	if use.Rate <= 0 {
		wrong("rate", "a load with arrivals needs a rate above 0, such as 60/min")
		return
	}
	rate := load.Step{Rate: float64(use.Rate)}
	steps := &p.Process.Steps
	switch burst := use.Burst; {
	case burst != nil && use.Ramp != nil:
		wrong("burst", "a load has a burst or a ramp, not both")
	case burst != nil && burst.For <= 0:
		wrong("burst.for", "a burst must last for longer than 0")
	case burst != nil && burst.Every > 0 && burst.Every < burst.At+burst.For:
		wrong("burst.every", "bursts that begin %s into each period and last for %s do not fit into %s", burst.At, burst.For, burst.Every)
	case burst != nil:
		*steps = append(*steps, load.Step{Rate: rate.Rate, For: int64(burst.At)}, load.Step{Rate: float64(burst.Rate), For: int64(burst.For)})
		if burst.Every > 0 {
			rate.For = int64(burst.Every - burst.At - burst.For)
			p.Process.Repeat = true
		}
	}
	for i, step := range use.Ramp {
		if step.For <= 0 {
			wrong(fmt.Sprintf("ramp[%d].for", i), "a step must last for longer than 0")
		}
		*steps = append(*steps, load.Step{Rate: float64(step.Rate), For: int64(step.For)})
	}
	*steps = append(*steps, rate)
	if expected := p.Expected(); p.Limit == 0 && expected > maxInvocations {
		wrong("rate", "that makes about %.3g invocations of each workflow, more than %d: lower the rate or the duration", expected, maxInvocations)
	}
}

// scheduler makes a scheduler from what the scenario says of it.
func (b *builder) scheduler(index int) engine.Scheduler {
	use := b.scenario.Schedulers[index]
	if use.Preset != "" {
		preset, err := b.registry.Preset(use.Preset)
		if err != nil {
			use.value.Errorf("%v", err)
			return engine.Scheduler{}
		}
		use.Control = orElse(use.Control, preset.Control)
		use.Placement = orElse(use.Placement, preset.Placement)
		use.Data = orElse(use.Data, preset.Data)
	}
	registry := b.registry
	if use.Placement == "explicit" {
		registry = b.explicit(&use)
	}
	s, err := registry.Make(use.Control, use.Placement, use.Data)
	if err != nil {
		use.value.Errorf("%v", err)
		return engine.Scheduler{}
	}
	if use.Name != "" {
		s.Name = use.Name
	}
	for i := range index {
		if b.schedulerName(i) == s.Name {
			use.value.Errorf("there are two schedulers called %s: give one a name of its own", s.Name)
		}
	}
	if use.Placement == "explicit" {
		if _, err := s.Placement.Place(b.parts.Workflows, b.parts.Cluster.Engine().Capacity); err != nil {
			use.value.Errorf("%v", err)
		}
	}
	b.partition(index, &use, &s)
	b.checkPartition(&use, s.Placement)
	return s
}

// partition gives FaaSFlow's partition the parameters that the scenario names.
func (b *builder) partition(index int, use *SchedulerUse, s *engine.Scheduler) {
	if use.Partition == (PartitionUse{}) {
		return
	}
	p := placement.ArtefactParameters()
	if v := use.Partition.Containers; v != nil {
		p.WorkerContainers = *v
	}
	if v := use.Partition.Headroom; v != nil {
		p.Headroom = *v
	}
	if v := use.Partition.GroupLimit; v != nil {
		p.GroupLimit = *v
	}
	if v := use.Partition.Bandwidth; v > 0 {
		p.NetworkBandwidth = float64(v)
	}
	path := fmt.Sprintf("schedulers[%d].partition", index)
	if err := p.Check(); err != nil {
		b.doc.Errorf(path, "%v", err)
	}
	switch s.Placement.(type) {
	case placement.FaaSFlow:
		s.Placement = placement.FaaSFlow{Parameters: p}
	case placement.FaaSFlowImproved:
		s.Placement = placement.FaaSFlowImproved{Parameters: p}
	default:
		b.doc.Errorf(path, "these are parameters of the placements faasflow and faasflow-improved")
	}
}

// schedulerName is what scheduler would call an earlier entry.
func (b *builder) schedulerName(index int) string {
	use := b.scenario.Schedulers[index]
	if use.Name != "" {
		return use.Name
	}
	if use.Preset != "" && use.Control == "" && use.Placement == "" && use.Data == "" {
		return use.Preset
	}
	return use.Control + "+" + use.Placement + "+" + use.Data
}

// explicit adds the placement by the table that the scenario gives.
func (b *builder) explicit(use *SchedulerUse) *schedulers.Registry {
	table := placement.Explicit{}
	for w, functions := range use.Table {
		table[w] = map[string]int{}
		for f, worker := range functions {
			table[w][f] = worker - 1
		}
	}
	registry := *b.registry
	registry.Placements = append(slices.Clone(registry.Placements), schedulers.Placement{Name: "explicit", Placer: table})
	return &registry
}

// checkPartition refuses what FaaSFlow's own partition would not come to an
// end with.
func (b *builder) checkPartition(use *SchedulerUse, p placement.Placer) {
	if _, artefact := p.(placement.FaaSFlow); !artefact {
		return
	}
	for i, w := range b.parts.Workflows {
		if len(w.Functions) > maxArtefactPartition {
			use.value.Errorf("FaaSFlow's partition as in the artefact takes the square of the number of functions; "+
				"%s has %d, more than %d: use placement faasflow-improved", b.names[i], len(w.Functions), maxArtefactPartition)
		}
	}
}

// faults turns what the scenario says of faults into what a world plays.
func (b *builder) faults() {
	for i, use := range b.scenario.Faults {
		path := fmt.Sprintf("faults[%d]", i)
		f := Fault{At: engine.Time(use.At), For: engine.Time(use.For)}
		kinds := 0
		set := func(value string, kind FaultKind, node func(string) engine.NodeID) {
			if value != "" {
				kinds++
				f.Kind = kind
				f.Node = node(value)
			}
		}
		worker := func(name string) engine.NodeID { return b.node(path, name, true) }
		set(use.Kill, Kill, worker)
		set(use.Pause, Pause, worker)
		set(use.Partition, Partition, worker)
		set(use.SlowLink, SlowLink, func(name string) engine.NodeID { return b.node(path, name, false) })
		set(use.StopService, StopService, func(name string) engine.NodeID {
			if name == "store" {
				return StorageNode
			}
			return b.node(path, name, true)
		})
		set(use.Crash, CrashFunction, func(name string) engine.NodeID {
			b.crash(path, name, &f)
			return 0
		})
		if kinds != 1 {
			b.doc.Errorf(path, "a fault is one of kill, pause, partition, slow_link, stop_service, crash_function: there are %d", kinds)
			continue
		}
		if f.Factor = orElse(use.Factor, 10); f.Factor < 1 {
			b.doc.Errorf(path+".factor", "%v: it must be at least 1", f.Factor)
		}
		for _, name := range use.From {
			f.Peers = append(f.Peers, b.node(path+".from", name, false))
		}
		b.parts.Faults = append(b.parts.Faults, f)
	}
}

// node returns a node by its name.
func (b *builder) node(path, name string, workerOnly bool) engine.NodeID {
	cluster := b.parts.Cluster.Engine()
	for id := range engine.NodeID(cluster.Nodes()) {
		if cluster.NodeName(id) == name && (!workerOnly || id >= FirstWorker) {
			return id
		}
	}
	others := ", gateway or storage"
	if workerOnly {
		others = ""
	}
	b.doc.Errorf(path, "there is no node %q that this can happen to: there are worker-1 to worker-%d%s", name, len(b.parts.Cluster.Workers), others)
	return 0
}

// crash finds a function named as workflow:function.
func (b *builder) crash(path, name string, f *Fault) {
	wf, function, _ := strings.Cut(name, ":")
	at := slices.Index(b.names, wf)
	if at < 0 {
		b.doc.Errorf(path+".crash_function", "name it as workflow:function, with one of the workflows %s", strings.Join(b.names, ", "))
		return
	}
	id, ok := b.parts.Workflows[at].Function(function)
	if !ok {
		b.doc.Errorf(path+".crash_function", "%s has no function %q", wf, function)
	}
	f.Workflow, f.Function = at, id
}
