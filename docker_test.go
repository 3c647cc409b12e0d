package flowtwin_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/emu/docker"
	"github.com/flowtwin/flowtwin/emu/docker/daemon/daemontest"
	"github.com/flowtwin/flowtwin/emu/docker/images/imagestest"
	"github.com/flowtwin/flowtwin/emu/replay"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/sim"
)

// containers are a world of containers, which is gone with the test.
func containers(t *testing.T, o docker.Options) *docker.World {
	t.Helper()
	o.Images, o.NoPull, o.Compute = imagestest.Build(t, daemontest.Connect(t)), true, "sleep"
	o.Warn = func(text string) {
		// Others may keep the machine busy while caps are measured.
		if !strings.Contains(text, "does not hold to") {
			t.Error(text)
		}
	}
	w, err := docker.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Containers meet what the simulator does, to the byte and to the message, and
// what their engines were told has them ask for the same again.
func TestOnEngineContainersMeetTheSame(t *testing.T) {
	plan, record := parse(t, bothWorlds), t.TempDir()
	w := containers(t, docker.Options{Record: record})
	for point, preset := range []string{"mastersp", "faasflow", "dataflower"} {
		t.Run(preset, func(t *testing.T) {
			simulated, emulated := in(t, sim.World{}, plan, point), in(t, w, plan, point)
			latency := alike(t, simulated, emulated)
			t.Logf("all together took %d ms in containers, %d ms in the simulator", latency[1]/1e6, latency[0]/1e6)
			if len(simulated.tasks) != len(emulated.tasks) {
				t.Errorf("%d tasks in the simulator, %d in containers", len(simulated.tasks), len(emulated.tasks))
			}
		})
	}
	files, steps := 0, 0
	err := filepath.WalkDir(record, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		played, err := play(plan, path)
		steps += played.Steps
		if err != nil || played.Cut {
			t.Errorf("%s: %+v, %v", path, played, err)
		}
		return nil
	})
	// There are 36 invocations, whose tasks begin and end.
	if err != nil || files != 3*5 || steps < 1000 {
		t.Errorf("there are inputs of %d engines with %d steps, %v; want those of 5 in 3 trials", files, steps, err)
	}
	t.Logf("%d steps of %d engines were played again", steps, files)
}

func hopsOf(t *testing.T, limit time.Duration) *scenarios.Plan {
	t.Helper()
	plan, err := scenarios.Load(filepath.Join("examples", "hops", "scenario.yaml"), scenarios.Options{Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// In the scenario that measures hops, each function but the first is reached by
// one.
func TestScenarioOfHops(t *testing.T) {
	plan := hopsOf(t, 0)
	for point := range plan.Points {
		for _, i := range in(t, sim.World{}, plan, point).invocations {
			if i.Measured && i.Hops != 5 {
				t.Errorf("%s: invocation %d has %d hops, want 5", plan.Points[point].Scheduler, i.Number, i.Hops)
			}
		}
	}
}

// What it takes to trigger a function on another node is measured; docs/docker.md
// has figures.
func TestOnEngineHopsTakeLittle(t *testing.T) {
	plan := hopsOf(t, 6*time.Second)
	w := containers(t, docker.Options{})
	for point := range plan.Points {
		var took []float64
		for _, i := range in(t, w, plan, point).invocations {
			if i.Measured && i.Hops > 0 {
				took = append(took, i.HopOverhead())
			}
		}
		slices.Sort(took)
		if len(took) < 5 {
			t.Fatalf("%d invocations had hops between warm containers", len(took))
		}
		median := took[len(took)/2]
		t.Logf("%s: a hop takes %.2f ms, the median of %d invocations", plan.Points[point].Scheduler, median*1e3, len(took))
		// Generous: others may use the machine.
		if median <= 0 || median > 0.1 {
			t.Errorf("%s: a hop takes %v s", plan.Points[point].Scheduler, median)
		}
	}
}

// play tells a fresh engine what one in a container was told.
func play(plan *scenarios.Plan, path string) (replay.Result, error) {
	file, err := os.Open(path)
	if err != nil {
		return replay.Result{}, err
	}
	defer file.Close()
	r, err := replay.NewReader(file)
	if err != nil {
		return replay.Result{}, err
	}
	t := plan.Trial(r.Head.Point, r.Head.Trial)
	system, err := engine.NewSystem(t.Workflows, t.Cluster.Engine(), t.Scheduler, t.Profile.Rules())
	if err != nil {
		return replay.Result{}, err
	}
	return replay.Play(system, r)
}

// Containers that keep the reference's constants play the artefact, as one
// process does; what containers add must not blur that.
func TestOnEnginePacedMasterHasTheOverheadOfTheArtefact(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it takes most of a minute in real time, and proves nothing under the race detector")
	}
	w := containers(t, docker.Options{Pace: true})
	masterHasTheOverhead(t, w)
	t.Run("objects of their own", func(t *testing.T) { neverConflict(t, w) })
}
