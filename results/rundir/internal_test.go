package rundir

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
	"github.com/flowtwin/flowtwin/scenarios/load"
)

func TestSpoolGivesRowsBackInOrder(t *testing.T) {
	for _, size := range []int{0, 100, spoolMemory + 100, 3 * spoolMemory} {
		s := spool{dir: t.TempDir()}
		var want []byte
		for i := 0; len(want) < size; i++ {
			row := fmt.Appendf(nil, "%d,%s\n", i, strings.Repeat("x", 1000))
			s.write(row)
			want = append(want, row...)
		}
		if s.buffer.Len() > spoolMemory+2000 {
			t.Errorf("%d bytes are kept in memory", s.buffer.Len())
		}
		var got bytes.Buffer
		n, err := s.drain(&got)
		if err != nil || n != int64(len(want)) || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d of %d bytes came back, %v", n, len(want), err)
		}
		if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
			t.Errorf("%v was left, %v", left, err)
		}
	}
}

func TestSpoolTellsOfAFileThatItCannotWrite(t *testing.T) {
	s := spool{dir: "/nowhere/at/all"}
	for range 3 {
		s.write(make([]byte, spoolMemory))
	}
	if _, err := s.drain(&bytes.Buffer{}); err == nil {
		t.Error("rows were lost without an error")
	}
}

// Whatever trials.csv holds, reading it gives trials in order or says where
// it is wrong.
func FuzzTrials(f *testing.F) {
	m := &Manifest{
		Trials: 2, Axes: []string{"a"},
		Points: []ManifestPoint{{"mastersp", []string{"1"}, []string{"v", "w"}}, {"faasflow", []string{"1"}, []string{"v", "w"}}},
	}
	file := record.Header(trialColumns(m.Axes))
	f.Add(file)
	for i := range 8 {
		key := record.Key{Point: i / 4, Trial: i / 2 % 2, Scheduler: "s", Workflow: m.Points[0].Workflows[i%2], Values: []string{"1"}}
		file += string(key.Append(nil)) + fmt.Sprintf("3,2,2,0,0,1,12.5,-1,30000000000,%d,%d\n", 400+100*(i/2), 7*(i/2))
		f.Add(file)
	}
	f.Add(strings.ReplaceAll(file, "3,2", "x"))
	f.Add(file[:len(file)-20])
	f.Fuzz(func(t *testing.T, text string) {
		done, err := parseTrials("f.csv", []byte(text), m)
		if err != nil {
			wantPlace(t, err)
			return
		}
		if len(done) > m.total() {
			t.Fatalf("%d trials of %d", len(done), m.total())
		}
		before := doneTrial{}
		for _, d := range done {
			if len(d.tallies) != 2 || d.trials <= before.trials || d.trials > int64(len(text)) || d.invocations < before.invocations || d.tasks < before.tasks {
				t.Fatalf("after %+v comes %+v", before, d)
			}
			before = d
		}
	})
}

func FuzzManifest(f *testing.F) {
	for _, seed := range []string{
		"", "{", "null", "[]", `{"format": 1}`, "{\n\"format\": 2}", `{"format": 1, "trials": -1}`,
		`{"format": 1, "trials": 2, "axes": ["a"], "points": [{"scheduler": "s", "values": ["1"], "workflows": ["w"]}], "figures": [{"kind": "cdf"}], "done": 7}`,
		`{"format": 1, "trials": 4611686018427387904, "points": [{"workflows": ["w"]}, {"workflows": ["w"]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest("f.csv", data)
		if err != nil {
			wantPlace(t, err)
			return
		}
		if m.Format != format || m.Trials < 1 || m.total() < 0 {
			t.Fatalf("%+v was let through", m)
		}
	})
}

func wantPlace(t *testing.T, err error) {
	t.Helper()
	var line int
	if n, _ := fmt.Sscanf(err.Error(), "f.csv:%d: ", &line); n != 1 || line < 1 {
		t.Fatalf("the error does not say where: %v", err)
	}
}

// Throughput counts from the time when the load has begun and the warm-up is
// over, until its end.
func TestWindow(t *testing.T) {
	for _, test := range []struct {
		plan     load.Plan
		from, to int64
	}{
		{load.Plan{Until: math.MaxInt64}, 0, 0},
		{load.Plan{Until: 60}, 0, 60},
		{load.Plan{Until: 60, Warmup: 10}, 10, 60},
		{load.Plan{First: 35, Until: 60}, 35, 95}, // a client counts from its own start
		{load.Plan{First: 35, Until: 60, Warmup: 10}, 35, 95},
		{load.Plan{First: 5, Until: 60, Warmup: 10}, 10, 65},
		{load.Plan{Until: 60, WarmupCount: 3}, -1, 60},
	} {
		from, to := window(&scenarios.Trial{Loads: []load.Plan{test.plan}}, 0)
		if from != test.from || to != test.to {
			t.Errorf("%+v: from %d to %d, want %d to %d", test.plan, from, to, test.from, test.to)
		}
	}
}
