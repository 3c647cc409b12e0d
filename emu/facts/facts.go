// Package facts says what the emulator's functions do where nothing real says
// it: how much they write, how long their lists are, how long they compute,
// which branch a switch takes. The numbers are drawn as the simulator draws
// them, by the same names, so both worlds meet the same.
package facts

import (
	"math"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/draw"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/scenarios"
)

// Facts are those of one trial.
type Facts struct {
	workflows []*workflow.Workflow
	draws     draw.Source
	start     workflow.Distribution
	slowdown  float64
}

// New returns the facts of a trial.
func New(t *scenarios.Trial) *Facts {
	c := &t.Profile.Container
	return &Facts{t.Workflows, draw.New(t.Seed), c.ColdStart.Distribution, c.Slowdown}
}

// Instance is a run of a function instance. Number is the invocation's among
// those of its workflow, by which every scheduler meets the same.
type Instance struct {
	engine.Subject
	Number int64
	Try    uint16
}

func (i *Instance) about(try uint16) draw.Subject {
	return draw.Subject{
		Workflow: uint64(i.Invocation.Workflow), Function: i.Function, Invocation: uint64(i.Number),
		Try: uint64(try) + uint64(i.Invocation.Attempt)<<32,
	}
}

func (f *Facts) function(i *Instance) *workflow.Function {
	return &f.workflows[i.Invocation.Workflow].Functions[i.Function]
}

// Size returns the bytes of an output of the instance, or of an item of it if
// it is a list: path is then the item's.
func (f *Facts) Size(i *Instance, output int32, path workflow.Path) int64 {
	return int64(f.output(&f.function(i).Outputs[output].Size, draw.Size, i, output, path))
}

// Items returns the length of a list that the instance posts.
func (f *Facts) Items(i *Instance, output int32) uint32 {
	return uint32(f.output(&f.function(i).Outputs[output].Items, draw.Items, i, output, i.Path))
}

func (f *Facts) output(d *workflow.Distribution, p draw.Purpose, i *Instance, output int32, path workflow.Path) float64 {
	about := i.about(0)
	about.Output = output
	return math.Round(f.draws.Value(d, p, about, path))
}

// Compute returns how long the instance computes.
func (f *Facts) Compute(i *Instance) engine.Time {
	return nanoseconds(f.draws.Value(&f.function(i).Compute, draw.ComputeTime, i.about(i.Try), i.Path))
}

// ColdStart returns how long it takes to start a container for the instance
// while others are starting on its node.
func (f *Facts) ColdStart(i *Instance, others int) engine.Time {
	time := f.draws.Value(&f.start, draw.ColdStart, i.about(i.Try), i.Path)
	return nanoseconds(time * (1 + f.slowdown*float64(others)))
}

// Branch returns the branch that a switch takes.
func (f *Facts) Branch(i *Instance) int {
	return f.function(i).Choose(f.draws.Uniform(draw.Branch, i.about(0), i.Path))
}

func nanoseconds(t float64) engine.Time {
	return engine.Time(max(0, min(t, math.MaxInt64/4)) + 0.5)
}
