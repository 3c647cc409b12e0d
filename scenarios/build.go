package scenarios

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

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
	workflows map[string]*loaded
	traces    map[string]trace
	files     map[string]file
	given     map[string][]byte // files that need not be read, by the name in the scenario
	machines  int               // of all clusters
}

func newLoader(dir string, registry *schedulers.Registry) *loader {
	return &loader{
		dir: dir, registry: registry, workflows: map[string]*loaded{}, traces: map[string]trace{}, files: map[string]file{},
	}
}

// file is what is in a file that a scenario names.
type file struct {
	path   string
	digest [sha256.Size]byte
	data   []byte
	err    error
}

// read returns a file that the scenario names, read once.
func (l *loader) read(name string) file {
	if have, ok := l.files[name]; ok {
		return have
	}
	f := file{path: name}
	if !filepath.IsAbs(name) {
		f.path = filepath.Join(l.dir, name)
	}
	if given, ok := l.given[name]; ok {
		f.data = given
	} else {
		f.data, f.err = yamlfile.ReadFile(f.path)
	}
	f.digest = sha256.Sum256(f.data)
	l.files[name] = f
	return f
}

// loaded is a workflow that a scenario names.
type loaded struct {
	workflow *workflow.Workflow
	err      error
	// instances is how many function instances an invocation has, critical its
	// critical path in ns.
	instances, critical float64
}

// builder makes trials of one combination of axis values. What is wrong goes
// to the document.
type builder struct {
	*loader
	doc      *yamlfile.Document
	scenario *Scenario

	// The parts that do not depend on the scheduler, made with the first.
	made       bool
	parts      Trial
	names      []string // of the workflows
	expected   []float64
	tasks      float64 // of all invocations expected
	schedulers []string
}

// Limits beyond which a run would not end within anyone's patience, or would
// fill any disk.
const (
	maxWorkers = 10_000
	// maxMachines bounds the workers of all points together.
	maxMachines = 10_000_000
	maxCores    = 1_000_000
	maxTrials   = 100_000
	maxClients  = 1_000_000
	// maxInstances bounds the function instances of one invocation,
	// maxInvocations the arrivals of a trial.
	maxInstances   = 20_000_000
	maxInvocations = 1_000_000_000
	// maxArtefactPartition bounds the functions that FaaSFlow's own partition
	// is given: it takes the square of their number.
	maxArtefactPartition = 5_000
	// maxTime bounds all times, so that sums of them stay within an int64.
	maxTime = 10 * 365 * 24 * units.Hour
	// maxFactor bounds how much slower a link gets.
	maxFactor = 1_000_000
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
	b.profile()
	b.cluster()
	b.workflowsAndLoads()
	b.faults()
}

// time checks that a time is one that a run can have.
func (b *builder) time(path string, d units.Duration) {
	if d > maxTime {
		b.doc.Errorf(path, "%s: times end at %s", d, maxTime)
	}
}

// profile loads the profile and replaces what the scenario overrides.
func (b *builder) profile() {
	s := b.scenario
	var p *profile.Profile
	var err error
	if isFile(s.Profile) {
		f := b.read(s.Profile)
		if err = f.err; err == nil {
			p, err = profile.Parse(f.path, f.data, s.Overrides)
		}
	} else {
		p, err = profile.Load(s.Profile, s.Overrides)
	}
	if err != nil {
		b.doc.Include("profile", err)
		p = &profile.Profile{}
	}
	if s.Timeout != nil {
		b.time("timeout", *s.Timeout)
		p.Invocation.Timeout = *s.Timeout
	}
	b.parts.Profile = p
}

func (b *builder) cluster() {
	use := &b.scenario.Cluster
	link := b.parts.Profile.Network.Link
	if use.Link != nil {
		link = *use.Link
	}
	usual := b.machine("cluster", MachineUse{use.Cores, use.Memory, nil}, Machine{Cores: 8, Memory: 32 << 30, Link: link})
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
		path, count := "cluster.workers", 1
		if g.Count != nil {
			count = *g.Count
		}
		if len(use.Workers.Groups) > 0 {
			path = fmt.Sprintf("cluster.workers[%d]", i)
		}
		m := b.machine(path, g.MachineUse, usual)
		if count < 1 || count > maxWorkers-len(c.Workers) {
			if g.Count != nil && len(use.Workers.Groups) > 0 {
				path += ".count"
			}
			b.doc.Errorf(path, "%d workers: a cluster has between 1 and %d", count, maxWorkers)
			continue
		}
		for range count {
			c.Workers = append(c.Workers, m)
		}
	}
	if b.machines += len(c.Workers); b.machines > maxMachines {
		b.doc.Errorf("cluster.workers", "the points have more than %d workers in all: vary less at a time", maxMachines)
	}
	// In the paper's testbed one machine of 16 cores is both.
	big := Machine{Cores: 16, Memory: 64 << 30, Link: link}
	c.Gateway = b.machine("cluster.gateway", use.Gateway, big)
	c.Storage = b.machine("cluster.storage", use.Storage.MachineUse, big)
	c.StorageCap = use.Storage.Cap
	if c.HostCores = use.HostCores; c.HostCores < 0 || c.HostCores > maxCores {
		b.doc.Errorf("cluster.host_cores", "%v cores: it must be between 0 (nothing is shared) and %d", c.HostCores, maxCores)
	}
}

// machine is the usual one, where the scenario does not say otherwise.
func (b *builder) machine(path string, use MachineUse, usual Machine) Machine {
	m := usual
	if use.Cores != nil {
		m.Cores = *use.Cores
	}
	if use.Memory != nil {
		m.Memory = *use.Memory
	}
	if use.Link != nil {
		m.Link = *use.Link
	}
	if use.Cores != nil && !(m.Cores > 0 && m.Cores <= maxCores) {
		b.doc.Errorf(path+".cores", "%v cores: it must be above 0 and at most %d", m.Cores, maxCores)
	}
	if use.Memory != nil && m.Memory == 0 {
		b.doc.Errorf(path+".memory", "a machine needs some memory")
	}
	return m
}

func (b *builder) workflowsAndLoads() {
	s := b.scenario
	if len(s.Workflows) == 0 {
		b.doc.Errorf("workflows", "name at least one workflow; see flowtwin list workflows")
	}
	clients := 0
	for i, use := range s.Workflows {
		path := fmt.Sprintf("workflows[%d]", i)
		have := b.workflow(use)
		if have.err != nil {
			b.doc.Include(path, have.err)
			continue
		}
		name := use.Name
		switch {
		case name != "":
		case use.Use != "" && !isFile(use.Use):
			name = use.Use
		default:
			name = have.workflow.Name
		}
		if slices.Contains(b.names, name) {
			b.doc.Errorf(path, "there are two workflows called %s: give one a name of its own", name)
		}
		b.name(path+".name", name)
		if have.instances > maxInstances {
			b.doc.Errorf(path, "an invocation has about %.3g function instances, more than %d: use smaller lists", have.instances, maxInstances)
			continue
		}
		l, where := s.Load, "load"
		if use.Load != (yamlfile.Value{}) {
			where = path + ".load"
			if !use.Load.Decode(&l) {
				continue
			}
		}
		named := *have.workflow // Which others may use under another name.
		named.Name = name
		b.names = append(b.names, name)
		b.parts.Workflows = append(b.parts.Workflows, &named)
		plan := b.load(where, &l, name, clients)
		b.parts.Loads = append(b.parts.Loads, plan)
		clients += l.Clients
		invocations := expectedInvocations(&plan, have.critical)
		b.expected = append(b.expected, invocations)
		b.tasks += invocations * have.instances
	}
}

// name checks what ends up in tables, figures and names of files.
func (b *builder) name(path, name string) {
	if strings.ContainsFunc(name, unicode.IsControl) {
		b.doc.Errorf(path, "%q: a name has no control characters", name)
	}
}

func isFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// workflow returns what a scenario names, made once.
func (l *loader) workflow(use WorkflowUse) *loaded {
	key := use.Use + "\x00" + use.Generate + "\x00" + strconv.Itoa(use.Functions)
	if have, ok := l.workflows[key]; ok {
		return have
	}
	have := &loaded{}
	l.workflows[key] = have
	switch {
	case use.Generate != "":
		have.workflow, have.err = benchmarks.Generate(use.Generate, use.Functions)
	case isFile(use.Use):
		f := l.read(use.Use)
		if have.err = f.err; have.err == nil {
			have.workflow, have.err = workflowfile.Parse(f.path, f.data)
		}
	default:
		have.workflow, have.err = benchmarks.Lookup(use.Use)
	}
	if have.err == nil {
		for i := range have.workflow.Functions {
			have.instances += have.workflow.Instances(have.workflow.Functions[i].Scope)
		}
		_, have.critical = have.workflow.CriticalPath()
	}
	return have
}

// load turns what a scenario says of the load on a workflow into a plan.
// clients is the number of closed-loop clients before this workflow's.
func (b *builder) load(path string, use *LoadUse, workflow string, clients int) load.Plan {
	p := load.Plan{
		Clients: use.Clients, First: int64(use.Stagger) * int64(clients), Stagger: int64(use.Stagger),
		Until: int64(use.Duration), AtLeast: use.AtLeast, Limit: use.Limit, Warmup: int64(use.Warmup), WarmupCount: use.WarmupCount,
	}
	wrong := func(key, format string, args ...any) { b.doc.Errorf(path+"."+key, format, args...) }
	missing := func(format string, args ...any) { b.doc.Errorf(path, format, args...) }
	b.counts(path, use)
	b.time(path+".duration", use.Duration)
	b.time(path+".warmup", use.Warmup)
	lastStart := float64(use.Stagger) * float64(max(clients+use.Clients-1, 0))
	switch {
	case lastStart > float64(maxTime):
		wrong("stagger", "the last client would start after %.3g s: times end at %s", lastStart/1e9, maxTime)
	case use.Duration > 0 && float64(use.Warmup) >= lastStart+float64(use.Duration):
		wrong("warmup", "a warm-up of %s leaves nothing of a load that ends after %s", use.Warmup, units.Duration(lastStart)+use.Duration)
	}
	if use.Limit > 0 && use.WarmupCount >= use.Limit {
		wrong("warmup_count", "a warm-up of %d leaves nothing of a limit of %d", use.WarmupCount, use.Limit)
	}
	if use.Duration == 0 && use.Limit == 0 && use.Arrivals != "trace" {
		missing("say when the load ends: duration, or limit (a number of invocations)")
	}
	if p.Until == 0 {
		p.Until = math.MaxInt64
		p.AtLeast = p.Limit // Nothing but the limit ends a closed loop.
	}
	open := use.Rate != 0 || use.Burst != nil || use.Ramp != nil
	switch {
	case use.Clients > 0 && use.Arrivals != "":
		wrong("arrivals", "a load with clients is a closed loop, one with arrivals an open one: choose")
	case use.Clients > 0 && (open || use.Trace != ""):
		wrong("clients", "rate, burst, ramp and trace belong to an open loop: clients send when they are answered")
	case use.Clients == 0 && use.Arrivals == "":
		missing("say clients, for a closed loop, or arrivals: constant, poisson or trace")
	case use.Clients == 0 && (use.Stagger > 0 || use.AtLeast > 0):
		missing("stagger and at_least belong to a closed loop: say clients")
	case use.Arrivals == "trace" && open:
		wrong("trace", "rate, burst and ramp belong to arrivals that are constant or poisson: a trace has its own times")
	case use.Arrivals != "trace" && use.Trace != "":
		wrong("trace", "a trace is used with arrivals: trace")
	}
	switch use.Arrivals {
	case "":
	case "constant", "poisson":
		if use.Arrivals == "poisson" {
			p.Process.Spacing = load.Poisson
		}
		b.steps(path, use, &p)
	case "trace":
		p.Process.Trace = b.trace(path, use, workflow)
	default:
		wrong("arrivals", "%q is no kind of arrivals: there are constant, poisson and trace", use.Arrivals)
	}
	return p
}

// counts checks the numbers of a load.
func (b *builder) counts(path string, use *LoadUse) {
	for _, c := range []struct {
		key     string
		n, most int64
		zero    string
	}{
		{"clients", int64(use.Clients), maxClients, " (none)"}, {"limit", use.Limit, maxInvocations, " (no limit)"},
		{"at_least", use.AtLeast, maxInvocations, ""}, {"warmup_count", use.WarmupCount, maxInvocations, ""},
	} {
		if c.n < 0 || c.n > c.most {
			b.doc.Errorf(path+"."+c.key, "%d: it must be between 0%s and %d", c.n, c.zero, c.most)
		}
	}
}

// steps fills in the rates of an open loop.
func (b *builder) steps(path string, use *LoadUse, p *load.Plan) {
	wrong := func(key, format string, args ...any) { b.doc.Errorf(path+"."+key, format, args...) }
	if use.Rate <= 0 {
		wrong("rate", "a load with arrivals needs a rate above 0, such as 60/min")
	}
	rate := load.Step{Rate: float64(use.Rate)}
	steps := &p.Process.Steps
	if burst := use.Burst; burst != nil {
		b.time(path+".burst.at", burst.At)
		b.time(path+".burst.for", burst.For)
		b.time(path+".burst.every", burst.Every)
		switch {
		case use.Ramp != nil:
			wrong("burst", "a load has a burst or a ramp, not both")
		case burst.For == 0:
			wrong("burst.for", "a burst must last for longer than 0")
		case burst.Every > 0 && burst.At+burst.For > burst.Every:
			wrong("burst.every", "bursts that begin %s into each period and last for %s do not fit into %s", burst.At, burst.For, burst.Every)
		}
		*steps = append(*steps, load.Step{Rate: rate.Rate, For: int64(burst.At)}, load.Step{Rate: float64(burst.Rate), For: int64(burst.For)})
		if burst.Every > 0 {
			rate.For = int64(burst.Every - burst.At - burst.For)
			p.Process.Repeat = true
		}
	}
	total := 0.0
	for i, step := range use.Ramp {
		if step.For == 0 {
			wrong(fmt.Sprintf("ramp[%d].for", i), "a step must last for longer than 0")
		}
		if total += float64(step.For); total > float64(maxTime) {
			wrong(fmt.Sprintf("ramp[%d].for", i), "the ramp ends after %.3g s: times end at %s", total/1e9, maxTime)
			break
		}
		s := load.Step{For: int64(step.For)}
		switch {
		case (step.Rate == nil) == (step.Share == nil):
			wrong(fmt.Sprintf("ramp[%d]", i), "say rate, such as 15/min, or share, such as 25%% of the load's rate")
		case step.Rate != nil:
			s.Rate = float64(*step.Rate)
		default:
			s.Rate = float64(*step.Share) * rate.Rate
		}
		*steps = append(*steps, s)
	}
	*steps = append(*steps, rate)
	if expected := p.Expected(); p.Until < math.MaxInt64 && p.Limit == 0 && expected > maxInvocations {
		wrong("rate", "that makes about %.3g invocations of each workflow, more than %d: lower the rate or the duration", expected, maxInvocations)
	} else if p.Process.Repeat && use.Rate > 0 && expected == 0 {
		wrong("burst.rate", "with bursts of rate 0 and nothing between them there are no arrivals")
	}
}

// scheduler makes a scheduler from what the scenario says of it.
func (b *builder) scheduler(index int) engine.Scheduler {
	use := b.scenario.Schedulers[index]
	path := fmt.Sprintf("schedulers[%d]", index)
	if use.Preset != "" {
		preset, err := b.registry.Preset(use.Preset)
		if err != nil {
			b.doc.Errorf(path, "%v", err)
			return engine.Scheduler{}
		}
		use.Control = cmp.Or(use.Control, preset.Control)
		use.Placement = cmp.Or(use.Placement, preset.Placement)
		use.Data = cmp.Or(use.Data, preset.Data)
	}
	registry := b.registry
	switch {
	case use.Placement == "explicit":
		registry = b.explicit(&use)
	case use.Table != nil:
		b.doc.Errorf(path+".table", "a table belongs to placement: explicit")
	}
	s, err := registry.Make(use.Control, use.Placement, use.Data)
	if err != nil {
		b.doc.Errorf(path, "%v", err)
		return engine.Scheduler{}
	}
	if use.Name != "" {
		s.Name = use.Name
		b.name(path+".name", s.Name)
	}
	if slices.Contains(b.schedulers, s.Name) {
		b.doc.Errorf(path, "there are two schedulers called %s: give one a name of its own", s.Name)
	}
	b.schedulers = append(b.schedulers, s.Name)
	if use.Placement == "explicit" && b.doc.Err() == nil {
		if _, err := s.Placement.Place(b.parts.Workflows, b.parts.Cluster.Engine().Capacity); err != nil {
			for problem := range strings.Lines(err.Error()) {
				b.doc.Errorf(path+".table", "%s", strings.TrimSpace(problem))
			}
		}
	}
	b.partition(index, &use, &s)
	b.checkPartition(path, s.Placement)
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
func (b *builder) checkPartition(path string, p placement.Placer) {
	if _, artefact := p.(placement.FaaSFlow); !artefact {
		return
	}
	for i, w := range b.parts.Workflows {
		if len(w.Functions) > maxArtefactPartition {
			b.doc.Errorf(path, "FaaSFlow's partition as in the artefact takes the square of the number of functions; "+
				"%s has %d, more than %d: use placement faasflow-improved", b.names[i], len(w.Functions), maxArtefactPartition)
		}
	}
}

// faults turns what the scenario says of faults into what a world plays.
func (b *builder) faults() {
	for i, use := range b.scenario.Faults {
		path := fmt.Sprintf("faults[%d]", i)
		b.time(path+".at", use.At)
		b.time(path+".for", use.For)
		f := Fault{At: engine.Time(use.At), For: engine.Time(use.For)}
		kinds := 0
		// is takes note of a kind, if it is the fault's.
		is := func(name string, kind FaultKind) bool {
			if name != "" {
				kinds++
				f.Kind = kind
			}
			return name != ""
		}
		if is(use.Kill, Kill) {
			f.Node = b.node(path+".kill", use.Kill, "")
		}
		if is(use.Pause, Pause) {
			f.Node = b.node(path+".pause", use.Pause, "")
		}
		if is(use.Partition, Partition) {
			f.Node = b.node(path+".partition", use.Partition, "")
		}
		if is(use.SlowLink, SlowLink) {
			f.Node = b.node(path+".slow_link", use.SlowLink, "gateway, storage")
		}
		if is(use.StopService, StopService) {
			if f.Node = StorageNode; use.StopService != "store" {
				f.Node = b.node(path+".stop_service", use.StopService, "store")
			}
		}
		if is(use.Crash, CrashFunction) {
			b.crash(path+".crash_function", use.Crash, &f)
		}
		if kinds != 1 {
			b.doc.Errorf(path, "a fault is one of kill, pause, partition, slow_link, stop_service, crash_function: there are %d", kinds)
			continue
		}
		if len(use.From) > 0 && f.Kind != Partition {
			b.doc.Errorf(path+".from", "from says what a partition cuts off from: this is none")
		}
		if use.Factor != nil && f.Kind != SlowLink {
			b.doc.Errorf(path+".factor", "factor says how slow a slow_link is: this is none")
		}
		if f.Factor = 10; use.Factor != nil {
			f.Factor = *use.Factor
		}
		if f.Factor < 1 || f.Factor > maxFactor {
			b.doc.Errorf(path+".factor", "%v: it must be between 1 and %d", f.Factor, maxFactor)
		}
		for j, name := range use.From {
			f.Peers = append(f.Peers, b.node(fmt.Sprintf("%s.from[%d]", path, j), name, "gateway, storage"))
		}
		b.parts.Faults = append(b.parts.Faults, f)
	}
}

// node returns a worker by its name, or one of the others.
func (b *builder) node(path, name, others string) engine.NodeID {
	cluster := b.parts.Cluster.Engine()
	for id := range engine.NodeID(cluster.Nodes()) {
		if cluster.NodeName(id) == name && (id >= FirstWorker || strings.Contains(others, name)) {
			return id
		}
	}
	if n := len(b.parts.Cluster.Workers); n > 0 { // Else that is what is wrong.
		if others != "" {
			others += " and "
		}
		b.doc.Errorf(path, "there is no %q that this can happen to: there are %sworker-1 to worker-%d", name, others, n)
	}
	return 0
}

// crash finds a function named as workflow:function.
func (b *builder) crash(path, name string, f *Fault) {
	at, function := -1, ""
	for i, w := range b.names {
		if rest, ok := strings.CutPrefix(name, w+":"); ok {
			at, function = i, rest
		}
	}
	switch {
	case at < 0 && len(b.names) < len(b.scenario.Workflows): // It may be one that could not be read.
	case at < 0:
		b.doc.Errorf(path, "%q: name it as workflow:function, with one of the workflows %s", name, strings.Join(b.names, ", "))
	default:
		w := b.parts.Workflows[at]
		id, ok := w.Function(function)
		switch {
		case !ok:
			b.doc.Errorf(path, "%s has no function %q", b.names[at], function)
		case w.Functions[id].Kind != workflow.Task:
			b.doc.Errorf(path, "%s is a function of kind %v, which has no container", function, w.Functions[id].Kind)
		}
		f.Workflow, f.Function = at, id
	}
}
