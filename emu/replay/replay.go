package replay

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/flowtwin/flowtwin/emu/wire"
	"github.com/flowtwin/flowtwin/engine"
)

// Result is what playing a file has come to.
type Result struct {
	Steps   int
	Effects int64
	// Cut: the file ends in the middle of a step, as when the run was killed.
	Cut bool
}

// Difference is the error for effects that are not those of the run.
type Difference struct {
	// Step counts from 1. Event says what the engine was told, Was how many
	// things it then asked for in the run, Is what it asks for now.
	Step  int
	Event string
	Was   int
	Is    []string
}

// Error implements error.
func (d *Difference) Error() string {
	is := "nothing"
	if len(d.Is) > 0 {
		is = strings.Join(d.Is, "; ")
	}
	return fmt.Sprintf("step %d (%s) had %d effects in the run; now there are %d, and not the same: %s", d.Step, d.Event, d.Was, len(d.Is), is)
}

// Play tells a fresh engine what the file says, and compares what it asks for.
// s must be the engine's own system. The error is a *Difference if they
// differ.
func Play(s *engine.System, r *Reader) (Result, error) {
	var result Result
	if int(r.Head.Node) >= s.Cluster.Nodes() {
		return result, fmt.Errorf("it is of node %d, of a cluster of %d", r.Head.Node, s.Cluster.Nodes())
	}
	node := engine.NewNode(r.Head.Node, s)
	if r.Head.Restarted {
		node = engine.RestartNode(r.Head.Node, s)
	}
	p := player{system: s, node: node}
	for {
		var step Step
		err := r.Next(&step)
		switch {
		case errors.Is(err, io.EOF):
			return result, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			result.Cut = true
			return result, nil
		case err != nil:
			return result, fmt.Errorf("step %d: %w", result.Steps+1, err)
		}
		result.Steps++
		if err := p.play(&step); err != nil {
			var d *Difference
			if errors.As(err, &d) {
				d.Step = result.Steps
				return result, d
			}
			return result, fmt.Errorf("step %d: %w", result.Steps, err)
		}
		result.Effects += int64(step.Effects)
	}
}

// player is an engine that is played to.
type player struct {
	system  *engine.System
	node    *engine.Node
	now     engine.Time
	effects engine.Effects
	form    []byte
}

// play plays a step. What no engine would survive can only come from a file
// that somebody has changed.
func (p *player) play(s *Step) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("the engine does not survive this event, which no run can have told it: %v", broken)
		}
	}()
	if err := wire.Check(p.system, &s.Event.Message); err != nil {
		return fmt.Errorf("the event cannot have been told to an engine: %w", err)
	}
	if int(s.Event.Kind) >= engine.EventKinds || s.Time < p.now {
		return errors.New("its kind or its time cannot be right")
	}
	p.now = s.Time
	p.effects.Reset()
	p.node.Step(s.Time, s.Event, &p.effects)
	var digest uint64
	digest, p.form = digestOf(p.effects.List, p.form)
	if digest == s.Digest && len(p.effects.List) == s.Effects {
		return nil
	}
	d := &Difference{Event: p.system.DescribeEvent(&s.Event), Was: s.Effects}
	for i := range p.effects.List {
		d.Is = append(d.Is, p.system.DescribeEffect(&p.effects.List[i]))
	}
	return d
}
