package cluster

import (
	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/docker/images"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Backend is where a cluster is.
type Backend string

// The back ends. Docker's nodes and functions are containers with real services;
// those of Local are goroutines of this process with embedded ones, which takes
// nothing but Go.
const (
	Docker Backend = "docker"
	Local  Backend = "local"
)

// Option says how a cluster is to be.
type Option func(*options)

type options struct {
	backend   Backend
	workers   int
	images    map[images.Kind]string
	noPull    bool
	noBuild   bool
	pace      bool
	compute   string
	functions function.Bodies
	scenarios scenarios.Options
	log       func(string)
}

func optionsOf(all []Option) *options {
	o := &options{backend: Docker, compute: "sleep", images: map[images.Kind]string{}, functions: bodies.Shipped{}, log: func(string) {}}
	for _, set := range all {
		set(o)
	}
	return o
}

// planner makes trials with the schedulers that the options know.
func (o *options) planner() scenarios.Planner {
	return func(b *scenarios.Bundle) (*scenarios.Trial, error) { return b.Trial(o.scenarios.Schedulers) }
}

// WithBackend says where the cluster is to be: on Docker, unless it is said.
func WithBackend(b Backend) Option { return func(o *options) { o.backend = b } }

// WithWorkers has Run bring up so many workers, and scenarios run on them,
// however many they name. By default each scenario has as many as it says, and
// they are brought up when the first one needs them.
func WithWorkers(n int) Option { return func(o *options) { o.workers = n } }

// WithFunctions says what functions really do, and has them do that: [Functions]
// are bodies by name. Give the same to Main.
func WithFunctions(b function.Bodies) Option {
	return func(o *options) { o.functions, o.compute = b, "real" }
}

// WithScenarioOptions says how scenarios are read: above all, which schedulers
// they can name. Give the same to Main.
func WithScenarioOptions(s scenarios.Options) Option { return func(o *options) { o.scenarios = s } }

// WithCompute says what functions do: sleep or spin as long as the workflow says
// that they compute, or real. The default is sleep, and real after WithFunctions.
func WithCompute(name string) Option { return func(o *options) { o.compute = name } }

// WithPace makes the platform as slow as a scenario's profile says.
func WithPace() Option { return func(o *options) { o.pace = true } }

// WithImage names the image for one kind of containers, in place of the one that
// is taken by default.
func WithImage(kind images.Kind, name string) Option {
	return func(o *options) { o.images[kind] = name }
}

// WithoutPulling has no image taken from a registry.
func WithoutPulling() Option { return func(o *options) { o.noPull = true } }

// WithoutBuilding has no images of Redis and Kafka built where there are none.
func WithoutBuilding() Option { return func(o *options) { o.noBuild = true } }

// WithLog has what takes a while, and what went wrong in a scenario, told: give
// it the t.Log of a test by a function of a line.
func WithLog(log func(text string)) Option { return func(o *options) { o.log = log } }
