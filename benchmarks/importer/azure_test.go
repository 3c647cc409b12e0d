package importer_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/importer"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// azureFiles writes files, and returns their paths in the order of the texts.
func azureFiles(t testing.TB, texts ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, text := range texts {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("f%d.csv", i)))
		if err := os.WriteFile(paths[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// arrivals imports files and returns the trace, its times by function, and how
// many of each were said to be written.
func arrivals(t *testing.T, o importer.AzureOptions, texts ...string) (*importer.Azure, map[string][]float64) {
	t.Helper()
	a, err := importer.ReadAzure(context.Background(), azureFiles(t, texts...), o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	written, err := a.WriteArrivals(context.Background(), &out)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || !slices.Equal(rows[0], []string{"time", "workflow"}) {
		t.Fatalf("%v, %v", rows, err)
	}
	times := map[string][]float64{}
	for _, row := range rows[1:] {
		at, err := strconv.ParseFloat(row[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		times[row[1]] = append(times[row[1]], at)
	}
	for i, f := range a.Functions {
		if slices.Sort(times[f.Name]); int64(len(times[f.Name])) != written[i] {
			t.Errorf("%s: %d of %d rows", f.Name, len(times[f.Name]), written[i])
		}
	}
	return a, times
}

const calls2021 = `app,func,end_timestamp,duration
aaaaaaaaaaaa,ffffffffffff,100.5,0.5
aaaaaaaaaaaa,gggggggggggg,50,10
aaaaaaaaaaaa,ffffffffffff,90,2
aaaaaaaaaaaa,ffffffffffff,3,5
`

func TestCallsOf2021BeginWhenTheyEndedLessTheirDuration(t *testing.T) {
	a, times := arrivals(t, importer.AzureOptions{}, calls2021)
	want := map[string][]float64{"aaaaaaaa-ffffffff": {88, 100}, "aaaaaaaa-gggggggg": {40}}
	if len(times) != 2 || !slices.Equal(times["aaaaaaaa-ffffffff"], want["aaaaaaaa-ffffffff"]) || !slices.Equal(times["aaaaaaaa-gggggggg"], want["aaaaaaaa-gggggggg"]) {
		t.Errorf("%v, want %v", times, want)
	}
	if a.Functions[0].Name != "aaaaaaaa-ffffffff" || a.Functions[0].Calls != 2 || a.Calls != 3 {
		t.Errorf("%+v: those called most come first", a.Functions)
	}
	if len(a.Notes) == 0 || !strings.Contains(a.Notes[0].Message, "calls that began before the trace did: 1; they are left out") {
		t.Errorf("the notes are %v", a.Notes)
	}
	f := a.Functions[0].Workflow.Functions[0]
	if f.CPU != 1 || math.Abs(f.Compute.Mean()/1e9-1.25) > 0.02 {
		t.Errorf("it computes %v", f.Compute)
	}
}

func TestPartOfATrace(t *testing.T) {
	a, times := arrivals(t, importer.AzureOptions{From: 40 * time.Second, For: 50 * time.Second, Functions: 1}, calls2021)
	if len(times) != 1 || !slices.Equal(times["aaaaaaaa-ffffffff"], []float64{48}) || a.Calls != 2 || a.Taken != 1 {
		t.Errorf("%v, %d of %d calls", times, a.Taken, a.Calls)
	}
}

func TestNamesStayApart(t *testing.T) {
	a, _ := arrivals(t, importer.AzureOptions{}, "app,func,end_timestamp,duration\n../../etc,12345678x,1,0\n../../etc,12345678y,1,0\n,,1,0\n")
	var names []string
	for _, f := range a.Functions {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"x-x", "etc-12345678", "etc-12345678-2"}) {
		t.Errorf("%v", names)
	}
}

// counts2019 is a day of three minutes.
const counts2019 = "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,600,0,3\no,a,g,timer,0,0,0\n"

func TestCountsOf2019(t *testing.T) {
	for placement := importer.Uniform; placement <= importer.Equidistant; placement++ {
		t.Run(placement.String(), func(t *testing.T) {
			o := importer.AzureOptions{Placement: placement, Shift: -1, Seed: 7}
			_, times := arrivals(t, o, counts2019, counts2019)
			all := times["a-f"]
			var minutes [6]float64
			gap := 0.0
			for i, at := range all {
				if at < 0 || at >= 360 {
					t.Fatalf("%g s is in neither day", at)
				}
				if minutes[int(at/60)]++; i > 0 && at < 60 {
					gap += (at - all[i-1]) * (at - all[i-1])
				}
			}
			if len(times) != 1 || minutes[1] != 0 || minutes[4] != 0 {
				t.Errorf("calls by the minute: %v of %d functions", minutes, len(times))
			}
			exact := minutes == [6]float64{600, 0, 3, 600, 0, 3}
			if exact != (placement != importer.Poisson) || math.Abs(minutes[0]-600) > 4*math.Sqrt(600) {
				t.Errorf("calls by the minute: %v", minutes)
			}
			// The mean square of gaps is twice that of their mean for random
			// instants, and the same for even ones.
			square := gap / minutes[0] * (minutes[0] / 60) * (minutes[0] / 60)
			want := 2.0
			if placement == importer.Equidistant {
				want = 1
			}
			if math.Abs(square-want) > 0.5 {
				t.Errorf("the mean square of gaps is %.2f of that of their mean, want %g", square, want)
			}
			if _, again := arrivals(t, o, counts2019, counts2019); !slices.Equal(again["a-f"], all) {
				t.Error("the same seed places them elsewhere")
			}
			o.From = 3 * time.Minute
			if _, second := arrivals(t, o, counts2019, counts2019); math.Abs(second["a-f"][0]-(all[int(minutes[0]+minutes[2])]-180)) > 2e-6 {
				t.Error("a part of the trace is placed elsewhere")
			}
		})
	}
}

func TestShift(t *testing.T) {
	o := importer.AzureOptions{Placement: importer.Equidistant, Shift: 0.25, From: 2 * time.Minute}
	if _, times := arrivals(t, o, counts2019); !slices.Equal(times["a-f"], []float64{5, 25, 45}) {
		t.Errorf("%v", times)
	}
}

// Times are written to the microsecond.
func TestNoCallIsRoundedIntoTheNextMinute(t *testing.T) {
	o := importer.AzureOptions{Placement: importer.Equidistant, Shift: 0.999999999}
	if _, times := arrivals(t, o, counts2019); times["a-f"][599] != 59.999999 {
		t.Errorf("the last call of the first minute is at %v", times["a-f"][599])
	}
}

func TestTheImportSaysWhereCallsArePlaced(t *testing.T) {
	for want, o := range map[string]importer.AzureOptions{
		"calls lie anywhere in their minute, as many as counted (placement uniform)":                                                    {},
		"calls lie in their minute by exponential gaps, as many as counted on average (placement poisson)":                              {Placement: importer.Poisson},
		"calls lie in their minute by even gaps, the first after 0.5 of one (placement equidistant)":                                    {Placement: importer.Equidistant, Shift: 0.5},
		"calls lie in their minute by even gaps, the first after a part of one that is drawn for each function (placement equidistant)": {Placement: importer.Equidistant, Shift: -1},
	} {
		says := func(text string) bool {
			a, _ := arrivals(t, o, text)
			return slices.ContainsFunc(a.Notes, func(n importer.Note) bool { return n.Message == want })
		}
		if !says(counts2019) || says(calls2021) {
			t.Errorf("not said of counts, or said of single calls: %s", want)
		}
	}
}

func TestHeaderWithBlanks(t *testing.T) {
	if _, times := arrivals(t, importer.AzureOptions{}, "app, func, end_timestamp, duration\na,f,3,1\n"); !slices.Equal(times["a-f"], []float64{2}) {
		t.Errorf("%v", times)
	}
}

func TestDurationsAndMemoryOf2019(t *testing.T) {
	a, _ := arrivals(t, importer.AzureOptions{},
		"HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100\n"+
			"o,a,f,120,9,1,999,100,100,100,200,300,300,1000\no,a,f,1,9,1,1,1,1,1,1,1,1,1\n",
		"HashOwner,HashApp,SampleCount,AverageAllocatedMb,AverageAllocatedMb_pct1\no,a,3,169.5,100\n", counts2019)
	f := a.Functions[0].Workflow.Functions[0]
	if f.Memory != 170<<20 {
		t.Errorf("the container has %d B", f.Memory)
	}
	d := f.Compute
	if d.Shape != workflow.ShapeEmpirical || len(d.Values) != 100 {
		t.Fatalf("it computes %v", d)
	}
	for q, want := range map[int]float64{0: 100e6, 10: 100e6, 37: 150e6, 62: 250e6, 90: 300e6, 99: 650e6} {
		if got := d.Values[q]; math.Abs(got-want) > 3e6 {
			t.Errorf("%d %%: %g ns, want %g", q, got, want)
		}
	}
}

func TestBrokenTraceIsOneErrorWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"an empty file":       {[]string{""}, "f0.csv:1:1: this is no header of a trace of Azure Functions"},
		"binary garbage":      {[]string{"\x7fELF\x00\xff"}, "f0.csv:1:1: this is no header"},
		"another table":       {[]string{"time,workflow\n1,x\n"}, "f0.csv:1:1: this is no header"},
		"no calls":            {[]string{"app,func,end_timestamp,duration\n"}, "there is no call in the part"},
		"a time that is none": {[]string{calls2021 + "a,b,soon,1\n"}, `f0.csv:6:5: "soon" is not a time in seconds`},
		"NaN":                 {[]string{calls2021 + "a,b,1,NaN\n"}, `f0.csv:6:7: "NaN" is not a duration in seconds`},
		"a missing column":    {[]string{calls2021 + "a,b,1\n"}, "f0.csv:6:1: the row's number of cells is 3, the header's 4: take the row out"},
		"a packed file":       {[]string{"Rar!\x1a\x07\x01\x00"}, "f0.csv:1:1: the file is packed (RAR): unpack it first, with unrar"},
		"a quote":             {[]string{calls2021 + "a,\"b,1\n"}, "f0.csv:"},
		"a count of -1":       {[]string{counts2019 + "o,a,h,http,1,-1,2\n"}, `f0.csv:4:14: "-1" is not a number of calls`},
		"both years":          {[]string{calls2021, counts2019}, "files of 2019 and of 2021 do not go together"},
		"durations alone":     {[]string{"HashOwner,HashApp,SampleCount,AverageAllocatedMb\n"}, "none of the files has calls"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := importer.ReadAzure(context.Background(), azureFiles(t, c.files...), importer.AzureOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %v, want %s", err, c.want)
			}
		})
	}
}

func TestCancelledImportEndsSoon(t *testing.T) {
	paths := azureFiles(t, counts2019)
	a, err := importer.ReadAzure(context.Background(), paths, importer.AzureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.WriteArrivals(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("writing: %v", err)
	}
	if _, err := importer.ReadAzure(ctx, paths, importer.AzureOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %v", err)
	}
}

// Whatever files say, they end in an error or in a trace with as many rows as
// it says.
func FuzzAzure(f *testing.F) {
	f.Add(calls2021, "", byte(0))
	f.Add("app,func,end_timestamp,duration\n\"a\",b,1e3,1e-3\n", "", byte(0))
	f.Add(counts2019, "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,percentile_Average_50\no,a,f,1,1,1,1,-1,5\n", byte(1))
	f.Add(counts2019, "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,3,169.5\n", byte(2))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, first, second string, placement byte) {
		paths := []string{filepath.Join(dir, "a.csv")}
		err := os.WriteFile(paths[0], []byte(first), 0o600)
		if second != "" {
			paths = append(paths, filepath.Join(dir, "b.csv"))
			err = cmp.Or(err, os.WriteFile(paths[1], []byte(second), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
		a, err := importer.ReadAzure(context.Background(), paths, importer.AzureOptions{Placement: importer.Placement(placement % 3), Shift: -1, Functions: 3})
		if err != nil {
			return
		}
		out := full{left: 1 << 20}
		written, err := a.WriteArrivals(context.Background(), &out)
		if err != nil {
			return
		}
		sum := int64(1)
		for _, n := range written {
			sum += n
		}
		if lines := int64(bytes.Count(out.Bytes(), []byte("\n"))); lines != sum {
			t.Fatalf("%d lines, %d were said to be", lines, sum)
		}
	})
}

// full takes so many bytes.
type full struct {
	bytes.Buffer
	left int
}

func (f *full) Write(data []byte) (int, error) {
	if f.left -= len(data); f.left < 0 {
		return 0, errors.New("full")
	}
	return f.Buffer.Write(data)
}

// benchmarkRows is a trace in the form of 2021: ids of 64 digits.
func benchmarkRows(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([]string, 400)
	for i := range ids {
		ids[i] = strings.Repeat(fmt.Sprintf("%016x", random.Uint64()), 4)
	}
	text := []byte("app,func,end_timestamp,duration\n")
	for range n {
		id := ids[random.IntN(len(ids))]
		text = fmt.Appendf(text, "%s,%s,%v,%.3f\n", id, id, random.Float64()*1.2e6, random.ExpFloat64())
	}
	return text
}

const benchmarkCount = 100_000

// BenchmarkAzure2021 is a whole import: the calls are read twice and written.
func BenchmarkAzure2021(b *testing.B) {
	paths := azureFiles(b, string(benchmarkRows(benchmarkCount)))
	for b.Loop() {
		a, err := importer.ReadAzure(context.Background(), paths, importer.AzureOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.WriteArrivals(context.Background(), io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchmarkCount*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkCSVAlone is the baseline: encoding/csv reads the same calls once.
func BenchmarkCSVAlone(b *testing.B) {
	text := benchmarkRows(benchmarkCount)
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(benchmarkCount*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
