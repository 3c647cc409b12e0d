// Package profile holds what things cost on a platform, and which quirks of
// the papers' artefacts it has.
//
// A constant of a profile says where it comes from: read from an artefact or
// a measurement, fitted to published results, or a first estimate.
package profile

import (
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/pool"
	"github.com/flowtwin/flowtwin/scenarios/units"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// Profile is the constants of a platform. The zero value of each means: costs
// nothing, or is as good as it can be.
type Profile struct {
	Name        string     `yaml:"name" doc:"Name of the profile."`
	Description string     `yaml:"description" doc:"What platform it describes, in a line."`
	Engine      Engine     `yaml:"engine" doc:"What the engine of a node takes, which handles one event at a time."`
	Network     Network    `yaml:"network" doc:"Messages and links."`
	Store       Store      `yaml:"store" doc:"The remote store on the storage node."`
	Memory      Memory     `yaml:"memory" doc:"The data store in each node's memory."`
	Broker      Broker     `yaml:"broker" doc:"The broker on the storage node, and the data logic units of containers that stream to it."`
	Disk        Disk       `yaml:"disk" doc:"Each node's disk, where streamed data arrive."`
	Pressure    Pressure   `yaml:"pressure" doc:"DataFlower's pressure-aware scaling: a container that posts faster than it sends takes no other task for a while."`
	Container   Container  `yaml:"container" doc:"Function containers."`
	Invocation  Invocation `yaml:"invocation" doc:"Time-outs, retries and what happens when nodes are lost."`
	CouchDB     CouchDB    `yaml:"couchdb" doc:"Quirks of how the database is used."`
	MasterSP    MasterSP   `yaml:"mastersp" doc:"Quirk of the master."`
	Gateway     Gateway    `yaml:"gateway" doc:"Quirks of the gateway."`
	Dispatch    Dispatch   `yaml:"dispatch" doc:"Quirks of how queues and data are looked at."`
	Pool        Pool       `yaml:"pool" doc:"Quirks of container pools."`
	Price       Price      `yaml:"price" doc:"What a provider would charge."`
	Sources     []Source   `yaml:"sources" doc:"Where the constants come from, by path."`
}

// Engine is the cost of the engine, which is a single server.
type Engine struct {
	Event    units.Duration `yaml:"event" emu:"paced, measured" doc:"Handling an event of the node itself, such as the end of a task."`
	Receive  units.Duration `yaml:"receive" emu:"paced, measured" doc:"Handling a message."`
	Send     units.Duration `yaml:"send" emu:"paced, measured" doc:"Sending a message, for each."`
	Probe    units.Duration `yaml:"probe" emu:"paced, measured" doc:"Answering a probe, in place of receive and send."`
	Document units.Duration `yaml:"document" emu:"paced, measured" doc:"Having the database perform an operation, for each: the client's part."`
}

// Network is what links and messages are like unless the cluster says.
type Network struct {
	Message units.Duration  `yaml:"message" emu:"paced, measured" doc:"Time that a control message takes between two nodes."`
	Link    units.Bandwidth `yaml:"link" emu:"paced" doc:"Bandwidth of a node's link, each way, unless the cluster says otherwise."`
}

// Store is the remote store: what operations take besides the transfer.
type Store struct {
	Get       units.Duration  `yaml:"get" emu:"paced, measured" doc:"Reading an object, before the first byte."`
	Put       units.Duration  `yaml:"put" emu:"paced, measured" doc:"Writing an object, before the first byte."`
	Missing   units.Duration  `yaml:"missing" emu:"paced, measured" doc:"Looking for an object that is not there."`
	Lookups   int             `yaml:"lookups" emu:"rule" doc:"How often a missing object is looked for."`
	Documents Documents       `yaml:"documents" doc:"Operations on small documents."`
	Servers   int             `yaml:"servers" emu:"paced, not applied" doc:"Operations that the store works on at a time (0: any number)."`
	Busy      units.Duration  `yaml:"busy" emu:"paced, not applied" doc:"How long an operation keeps one of the servers busy."`
	Stream    units.Bandwidth `yaml:"stream" emu:"paced, not applied" doc:"Most that a single transfer gets."`
	Read      units.Bandwidth `yaml:"read" emu:"not applied" doc:"Most that all reads together get from the store itself."`
	Write     units.Bandwidth `yaml:"write" emu:"not applied" doc:"Most that all writes together get."`
}

// Documents are database operations of control planes.
type Documents struct {
	Placement units.Duration `yaml:"placement" emu:"paced, measured" doc:"The gateway's look-up of a function's worker."`
	Addresses units.Duration `yaml:"addresses" emu:"paced, measured" doc:"The master's look-up of the workers' addresses."`
	Timing    units.Duration `yaml:"timing" emu:"paced, measured" doc:"Saving how long a function took."`
	List      units.Duration `yaml:"list" emu:"paced, measured" doc:"Reading the list that a foreach iterates over."`
	Request   units.Duration `yaml:"request" emu:"paced, measured" doc:"Making the empty document of an invocation."`
	Revision  units.Duration `yaml:"revision" emu:"paced, measured" doc:"Reading the revision of the document that guards an invocation's outputs."`
	Log       units.Duration `yaml:"log" emu:"paced, measured" doc:"Saving a log document."`
}

// Memory is the data store in each node's memory.
type Memory struct {
	Bandwidth units.Bandwidth `yaml:"bandwidth" emu:"not applied" doc:"What all transfers on a node share."`
	Get       units.Duration  `yaml:"get" emu:"paced, measured" doc:"Reading an object, before the first byte."`
	Put       units.Duration  `yaml:"put" emu:"paced, measured" doc:"Writing an object, before the first byte."`
	Lookup    units.Duration  `yaml:"lookup" emu:"paced, not applied" doc:"Looking whether an object is there, before every fetch."`
	Lifetime  units.Duration  `yaml:"lifetime" emu:"rule" doc:"How long data that are also streamed stay in memory before they are moved to disk (0: until the invocation ends)."`
}

// Broker is what carries streamed data from one node to others.
type Broker struct {
	Chunk         units.Bytes    `yaml:"chunk" emu:"rule" doc:"Size of the chunks that data are sent in (0: each in one)."`
	Inline        units.Bytes    `yaml:"inline" emu:"rule" doc:"Data up to this size travel in the message that announces them (0: none)."`
	Append        units.Duration `yaml:"append" emu:"paced, measured" doc:"Time from the last byte of a chunk at the broker until it can be fetched."`
	Get           units.Duration `yaml:"get" emu:"paced, measured" doc:"Asking for a chunk, before its first byte."`
	EarlyStart    bool           `yaml:"early_start" emu:"rule" doc:"A function starts with the first chunk of its last input, and waits for the rest inside. The paper's starts when all of it is there."`
	FIFOUnit      bool           `yaml:"fifo_unit" emu:"rule" doc:"Quirk: a container sends what it posts in order, each as a whole, instead of a chunk of each in turn."`
	ConsumerSetup units.Duration `yaml:"consumer_setup" emu:"paced, measured" doc:"Quirk: a consumer is set up for each datum."`
}

// Disk is a node's disk, as far as it is read by containers.
type Disk struct {
	Bandwidth units.Bandwidth `yaml:"bandwidth" emu:"not applied" doc:"What all reads on a node share."`
	Get       units.Duration  `yaml:"get" emu:"paced, measured" doc:"Asking for a datum; one after the other."`
}

// Pressure is the rule that holds back containers: after a task that has left
// B bytes to its container's data unit and run for T, the container takes no
// other for B / (rate × cores) - T.
type Pressure struct {
	Enabled bool            `yaml:"enabled" emu:"rule" doc:"Whether containers are held back."`
	Rate    units.Bandwidth `yaml:"rate" emu:"rule" doc:"What a container is taken to send, for each core of its function."`
	Least   units.Duration  `yaml:"least" emu:"rule" doc:"Shorter times are ignored."`
}

// Container is what starting and keeping containers takes.
type Container struct {
	ColdStart  workflowfile.Duration `yaml:"cold_start" emu:"measured" doc:"Time from the decision to start a container until it can run a function."`
	Slowdown   float64               `yaml:"slowdown" emu:"measured" doc:"Fraction by which each other start under way on the node lengthens a start."`
	KeepAlive  units.Duration        `yaml:"keep_alive" emu:"rule" doc:"How long an idle container is kept (0: for ever)."`
	CheckEvery units.Duration        `yaml:"check_every" emu:"rule" doc:"How often idle containers are looked through (0: just in time)."`
	Start      units.Duration        `yaml:"start" emu:"paced, measured" doc:"Time from the decision to run a task until its container has begun."`
	Cleanup    units.Duration        `yaml:"cleanup" emu:"paced, measured" doc:"Time from the last output of a task until its container has ended it."`
	Notify     units.Duration        `yaml:"notify" emu:"paced, measured" doc:"Time until a node learns what one of its containers has posted."`
	Egress     units.Bandwidth       `yaml:"egress" emu:"not applied" doc:"Quirk: what a container can send, for each core of its function, on the wire (unlimited: what the node can)."`
	CPUPeriod  units.Duration        `yaml:"cpu_period" emu:"not applied" doc:"Quirk: a function of less than a core gets its share at the begin of each such period (0: evenly)."`
	Memory     units.Bytes           `yaml:"memory" emu:"rule" doc:"Memory of a container whose function does not say."`
}

// Invocation says what becomes of invocations that meet trouble.
type Invocation struct {
	Timeout     units.Duration `yaml:"timeout" emu:"rule" doc:"When an invocation is given up (0: never)."`
	TaskRetries int            `yaml:"task_retries" emu:"rule" doc:"How often a failed task is run again."`
	Attempts    int            `yaml:"attempts" emu:"rule" doc:"How often an invocation is begun when a node or its data are lost."`
	Detect      units.Duration `yaml:"detect" emu:"rule" doc:"How long until a peer that does not answer counts as lost."`
}

// The quirks are oddities of an artefact, in groups by the part that has them.

// CouchDB holds the quirks of how the artefact uses its database.
type CouchDB struct {
	OneDocumentPerRequest bool `yaml:"one_document_per_request" emu:"rule" doc:"All stored outputs of an invocation are parts of one document: concurrent puts conflict, and are sent again in full."`
	TimingDocuments       bool `yaml:"timing_documents" emu:"rule" doc:"How long a function took is saved before its successors are triggered."`
	ListDocuments         bool `yaml:"list_documents" emu:"rule" doc:"The list that a foreach iterates over is saved in, and read from, the database."`
	LogDocuments          bool `yaml:"log_documents" emu:"rule" doc:"A log document is saved for each key fetched or put."`
}

// MasterSP holds the quirk of the master.
type MasterSP struct {
	ProbeAllWorkers bool `yaml:"probe_all_workers" emu:"rule" doc:"The master asks all workers for their state before it triggers a function."`
}

// Gateway holds the quirks of the gateway.
type Gateway struct {
	PlacementQuery      bool `yaml:"placement_query" emu:"rule" doc:"It looks up the worker of each start function in the database."`
	RequestDocument     bool `yaml:"request_document" emu:"rule" doc:"It makes a document for each invocation before anyone is told of it."`
	MissingGlobalInputs bool `yaml:"missing_global_inputs" emu:"rule" doc:"It never uploads global inputs: reading one is a look-up in vain."`
	RunOnAfterTimeout   bool `yaml:"run_on_after_timeout" emu:"rule" doc:"An invocation goes on when its client has given up."`
}

// Dispatch holds the quirks of how queues and data are looked at.
type Dispatch struct {
	Tick        units.Duration `yaml:"tick" emu:"rule" doc:"Queued tasks are looked at only on a grid of this length, one at a time for each function (0: at once)."`
	MatchTick   units.Duration `yaml:"match_tick" emu:"rule" doc:"Announced data are matched with their readers on a grid of this length, one at a time on each node (0: at once)."`
	CountAtEnd  bool           `yaml:"count_at_end" emu:"rule" doc:"How many items a foreach has is known only when the function that posts them has ended."`
	ForeachRace bool           `yaml:"foreach_race" emu:"rule" doc:"An instance in a foreach runs when its item is there, with whatever other inputs are."`
}

// Pool holds the quirks of container pools.
type Pool struct {
	CapOffByOne   bool `yaml:"cap_off_by_one" emu:"rule" doc:"A function gets one container more than its cap."`
	DeadlockAtCap bool `yaml:"deadlock_at_cap" emu:"rule" doc:"Asking for a container at the cap stops the function on that worker for good."`
	BindColdStart bool `yaml:"bind_cold_start" emu:"rule" doc:"A task that a container is being started for does not take one that falls idle before."`
}

// Price is what a provider would charge.
type Price struct {
	GBSecond float64 `yaml:"gb_second" emu:"rule" doc:"For each GB of container memory and second of run time (GB: 10^9 bytes)."`
	Task     float64 `yaml:"task" emu:"rule" doc:"For each function instance."`
}

// Source says where a constant comes from. One of its texts is set.
type Source struct {
	Path     string `yaml:",key"`
	Read     string `yaml:"read" doc:"What the constant was read from."`
	Measured string `yaml:"measured" doc:"What was measured."`
	Fitted   string `yaml:"fitted" doc:"The published results that it was fitted to."`
	Estimate string `yaml:"estimate" doc:"Why this first estimate."`
}

// Rules returns what the engine itself obeys.
func (p *Profile) Rules() engine.Rules {
	return engine.Rules{
		Pool: pool.Rules{
			KeepAlive: int64(p.Container.KeepAlive), CheckEvery: int64(p.Container.CheckEvery),
			CapOffByOne: p.Pool.CapOffByOne, DeadlockAtCap: p.Pool.DeadlockAtCap,
		},
		Timeout:     engine.Time(p.Invocation.Timeout),
		TaskRetries: p.Invocation.TaskRetries,
		Attempts:    max(p.Invocation.Attempts, 1),

		DispatchTick:          engine.Time(p.Dispatch.Tick),
		BindColdStart:         p.Pool.BindColdStart,
		ProbeAllWorkers:       p.MasterSP.ProbeAllWorkers,
		PlacementQuery:        p.Gateway.PlacementQuery,
		TimingDocuments:       p.CouchDB.TimingDocuments,
		ListDocuments:         p.CouchDB.ListDocuments,
		OneDocumentPerRequest: p.CouchDB.OneDocumentPerRequest,
		LogDocuments:          p.CouchDB.LogDocuments,
		MissingGlobalInputs:   p.Gateway.MissingGlobalInputs,
		RunOnAfterTimeout:     p.Gateway.RunOnAfterTimeout,

		Inline:          int64(p.Broker.Inline),
		EarlyStart:      p.Broker.EarlyStart,
		Pressure:        p.pressure(),
		MemoryLifetime:  engine.Time(p.Memory.Lifetime),
		RequestDocument: p.Gateway.RequestDocument,
		MatchTick:       engine.Time(p.Dispatch.MatchTick),
		CountAtEnd:      p.Dispatch.CountAtEnd,
		ForeachRace:     p.Dispatch.ForeachRace,
	}
}

func (p *Profile) pressure() engine.Pressure {
	if !p.Pressure.Enabled {
		return engine.Pressure{}
	}
	return engine.Pressure{Rate: float64(p.Pressure.Rate), Least: engine.Time(p.Pressure.Least)}
}
