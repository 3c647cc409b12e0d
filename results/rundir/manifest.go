package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/profile"
)

// Manifest says what a run directory holds. All of it but Host follows from
// the scenario and the program.
type Manifest struct {
	// Format is the version of the directory's layout.
	Format   int      `json:"format"`
	Scenario string   `json:"scenario"`
	Title    string   `json:"title,omitempty"`
	Hash     string   `json:"hash"`
	Settings []string `json:"settings,omitempty"`
	// Limit is when trials stopped sending load, if before the scenario says
	// so.
	Limit   string `json:"limit,omitempty"`
	Backend string `json:"backend"`
	// Serves names what stood for each service.
	Serves map[string]string `json:"serves"`
	// Measured says what the back end has measured of itself, if it has.
	Measured map[string]string `json:"measured,omitempty"`
	Profile  string            `json:"profile"`
	// Constants says what the world made of the profile's constants; nil if it
	// obeyed all, as the simulator does.
	Constants *Constants      `json:"constants,omitempty"`
	Seed      uint64          `json:"seed"`
	Axes      []string        `json:"axes,omitempty"`
	Points    []ManifestPoint `json:"points"`
	Trials    int             `json:"trials"`
	// Done counts the trials whose results are here. Status is complete when
	// that is all of them, else partial.
	Done   int    `json:"done"`
	Status string `json:"status"`
	Tasks  bool   `json:"tasks,omitempty"`
	// Figures are those that the scenario asks for.
	Figures []scenarios.FigureUse `json:"figures,omitempty"`
	// Source is the text of the scenario file.
	Source string `json:"source"`
	Host   Host   `json:"host"`
}

// Constants lists the constants of a profile, by path, as the emulator has them:
// those that something was held to, those that stood for a real thing that took
// its own time, and those that it did nothing about. The rest are rules, which
// hold in all worlds.
type Constants struct {
	// Pace is whether the run was to be as slow as the profile says.
	Pace       bool     `json:"pace"`
	Paced      []string `json:"paced"`
	Measured   []string `json:"measured"`
	NotApplied []string `json:"not_applied"`
}

// NewConstants sorts the constants of a profile.
func NewConstants(pace bool, all []profile.Constant) *Constants {
	c := &Constants{Pace: pace, Paced: []string{}, Measured: []string{}, NotApplied: []string{}}
	for _, one := range all {
		switch one.Treatment {
		case profile.Paced:
			c.Paced = append(c.Paced, one.Path)
		case profile.Measured:
			c.Measured = append(c.Measured, one.Path)
		case profile.NotApplied:
			c.NotApplied = append(c.NotApplied, one.Path)
		}
	}
	return c
}

// ManifestPoint is a point of the scenario.
type ManifestPoint struct {
	Scheduler string   `json:"scheduler"`
	Values    []string `json:"values,omitempty"`
	Workflows []string `json:"workflows"`
}

// Host is where and when a run took place: the part of a manifest that
// differs between runs of the same scenario.
type Host struct {
	Version     string    `json:"version"`
	Go          string    `json:"go"`
	System      string    `json:"system"`
	Processors  int       `json:"processors"`
	Command     []string  `json:"command"`
	Directory   string    `json:"directory"`
	Started     time.Time `json:"started"`
	WallSeconds float64   `json:"wall_seconds"`
}

const (
	format   = 1
	complete = "complete"
	partial  = "partial"
)

func thisHost(dir string) Host {
	host := Host{
		Version: "unknown", Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Processors: runtime.GOMAXPROCS(0), Command: os.Args, Directory: dir, Started: time.Now().UTC(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		host.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				host.Version = s.Value
			}
		}
	}
	return host
}

// ReadManifest reads the manifest of a run directory.
func ReadManifest(dir string) (*Manifest, error) {
	name := filepath.Join(dir, "manifest.json")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("%s: there is no such run directory", dir)
		}
		return nil, fmt.Errorf("%s is not a run directory: it has no manifest.json", dir)
	}
	if err != nil {
		return nil, err
	}
	return parseManifest(name, data)
}

// parseManifest reads the text of a manifest and checks what others rely on.
func parseManifest(name string, data []byte) (*Manifest, error) {
	// at is the place of an error: by its offset, or by the field it is in.
	at := func(offset int64) string {
		return fmt.Sprintf("%s:%d", name, 1+bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte("\n")))
	}
	in := func(field string) string { return at(int64(bytes.Index(data, []byte(strconv.Quote(field))))) }
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			return nil, fmt.Errorf("%s: %w", at(syntax.Offset), err)
		case errors.As(err, &kind):
			return nil, fmt.Errorf("%s: %w", at(kind.Offset), err)
		default:
			return nil, fmt.Errorf("%s: %w", at(0), err)
		}
	}
	if m.Format != format {
		return nil, fmt.Errorf("%s: its format is %d, this version of flowtwin reads %d: run the scenario again", in("format"), m.Format, format)
	}
	if m.Trials < 1 || m.Trials > math.MaxInt32 {
		return nil, fmt.Errorf("%s: there cannot be %d trials", in("trials"), m.Trials)
	}
	for i, p := range m.Points {
		if len(p.Workflows) == 0 || len(p.Values) != len(m.Axes) {
			return nil, fmt.Errorf("%s: point %d has %d workflows, and %d values for %d axes", in("points"), i, len(p.Workflows), len(p.Values), len(m.Axes))
		}
	}
	m.setDone(m.Done)
	return m, nil
}

// setDone sets how many trials are here.
func (m *Manifest) setDone(done int) {
	m.Done, m.Status = done, partial
	if done == m.total() {
		m.Status = complete
	}
}

// total is the number of trials of all points.
func (m *Manifest) total() int { return m.Trials * len(m.Points) }

// write puts the manifest into its directory.
func (m *Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, "manifest.json"), append(data, '\n'))
}

// temporary begins the names of files that are not there for good.
const temporary = ".writing-"

// WriteFile writes a file so that it is there as a whole or not at all.
func WriteFile(name string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), temporary+"*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	defer os.Remove(file.Name()) // Fails, as it should, once it is renamed.
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return fmt.Errorf("%s cannot be written: %w", name, err)
	}
	return os.Rename(file.Name(), name)
}
