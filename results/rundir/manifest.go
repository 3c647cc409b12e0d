package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"
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
	Backend  string   `json:"backend"`
	// Serves names what stood for each service.
	Serves  map[string]string `json:"serves"`
	Profile string            `json:"profile"`
	Seed    uint64            `json:"seed"`
	Axes    []string          `json:"axes,omitempty"`
	Points  []ManifestPoint   `json:"points"`
	Trials  int               `json:"trials"`
	// Done counts the trials whose results are here. Status is complete when
	// that is all of them, else partial.
	Done   int    `json:"done"`
	Status string `json:"status"`
	Tasks  bool   `json:"tasks,omitempty"`
	// Source is the text of the scenario file.
	Source string `json:"source"`
	Host   Host   `json:"host"`
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
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if m.Format != format {
		return nil, fmt.Errorf("%s: its format is %d, this version of flowtwin reads %d: run the scenario again", name, m.Format, format)
	}
	return m, nil
}

// write puts the manifest into its directory.
func (m *Manifest) write(dir string) error {
	m.Status = partial
	if m.Done == m.Trials*len(m.Points) {
		m.Status = complete
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, "manifest.json"), append(data, '\n'))
}

// WriteFile writes a file so that it is there as a whole or not at all.
func WriteFile(name string, data []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(name), ".writing-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // Fails, as it should, once it is renamed.
	if _, err := temporary.Write(data); err != nil {
		temporary.Close()
		return err
	}
	if err := temporary.Chmod(0o644); err != nil {
		temporary.Close()
		return err
	}
	if err := temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
