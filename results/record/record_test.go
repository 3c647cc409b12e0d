package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
)

// The names of columns are what scripts rely on. Whoever changes one here
// changes the layout of run directories.
func TestHeadersAreWhatScriptsRelyOn(t *testing.T) {
	axes := []string{"load.rate"}
	for name, test := range map[string]struct {
		columns []string
		want    string
	}{
		"invocations.csv": {record.InvocationColumns(axes), "point,trial,scheduler,workflow,load.rate," +
			"invocation,client,measured,outcome,attempts,intended,sent,started,ended,latency," +
			"control,queue,cold_start,fetch,compute,put,transfer,hold_back,critical_time,fetch_time,put_time,hop_time,hops,tasks,cold_starts,messages,conflicts," +
			"bytes_remote_read,bytes_remote_written,bytes_local_read,bytes_local_written,bytes_resent,container_gb_s,cost\n"},
		"tasks.csv": {record.TaskColumns(axes), "point,trial,scheduler,workflow,load.rate," +
			"invocation,function,instance,try,node,container,cold,critical,outcome,queued,started,ended,fetch,compute,put,retry,conflicts,streamed,held,until,put_until,message_before,sync_before,transfer_before,message_after,sync_after\n"},
	} {
		if got := record.Header(test.columns); got != test.want {
			t.Errorf("the header of %s is\n%s want\n%s", name, got, test.want)
		}
	}
}

var (
	exampleKey = record.Key{Point: 2, Trial: 4, Scheduler: "faasflow", Workflow: "faasflow/video", Values: []string{"30/min", `a "b", c`}}

	exampleInvocation = record.Invocation{
		Number: 7, Client: -1, Measured: true, Outcome: engine.Completed, Attempts: 1,
		Intended: 1_000_000_000, Sent: 1_000_000_001, Started: 1_250_000_000, Ended: 3_000_000_010,
		Phases:       [record.Phases]engine.Time{1, 2, 0, 500_000_000, 1_500_000_000, 4, 2, 1},
		CriticalTime: 1_999_000_000, FetchTime: 600_000_000, PutTime: 60, HopTime: 900_000, Hops: 3, Tasks: 4, ColdStarts: 2, Messages: 11, Conflicts: 3,
		RemoteRead: 1000, RemoteWritten: 2000, LocalRead: 3000, LocalWritten: 4000, ResentBytes: 5,
		ContainerByteTime: 1.25e18, Cost: 0.0000125,
	}
)

func TestRowOfAnInvocation(t *testing.T) {
	want := `2,4,faasflow,faasflow/video,30/min,"a ""b"", c",` + // the point
		"7,-1,1,completed,1," +
		"1,1.000000001,1.25,3.00000001,2.00000001," + // intended, sent, started, ended, latency
		"0.000000001,0.000000002,0,0.5,1.5,0.000000004,0.000000002,0.000000001," + // the phases
		"1.999,0.6,0.00000006,0.0009,3,4,2,11,3,1000,2000,3000,4000,5,1.25,1.25e-05\n"
	if got := string(exampleInvocation.AppendRow(exampleKey.Append(nil))); got != want {
		t.Errorf("the row is\n%s want\n%s", got, want)
	}
}

func TestRowOfATask(t *testing.T) {
	task := record.Task{
		Number: 7, Path: workflow.Path{}.Item(3, 8).Item(0, 2), Try: 1, Container: 5, Cold: true, Outcome: engine.DataLost,
		Queued: 1_000_000_000, Started: 1_100_000_000, Ended: 2_000_000_000, Fetch: 100_000_000, Compute: 799_999_999, Put: 1, Streamed: 4096,
		Held: 50_000_000, Until: 1_900_000_000, Before: record.ControlTime{Message: 2, Transfer: 3},
	}
	key := record.Key{Scheduler: "mastersp", Workflow: "w"}
	want := "0,0,mastersp,w,7,resize,3/8 0/2,1,worker-2,5,1,0,data_lost,1,1.1,2,0.1,0.799999999,0.000000001,0,0,4096,0.05,1.9,0,0.000000002,0,0.000000003,0,0\n"
	if got := string(task.AppendRow(key.Append(nil), "resize", "worker-2")); got != want {
		t.Errorf("the row is\n%s want\n%s", got, want)
	}
}

// column returns a cell of a row of an invocation.
func column(row []byte, name string) string {
	for i, c := range record.InvocationColumns(nil) {
		if c == name {
			return strings.Split(strings.TrimSuffix(string(row), "\n"), ",")[i]
		}
	}
	return "there is no column " + name
}

// Times are decimal fractions, exact to the nanosecond: the number in the file
// times 10⁹ is the time, and it has no needless digit.
func TestTimesAreExactToTheNanosecond(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, ns engine.Time) {
		key := record.Key{}
		row := (&record.Invocation{Started: ns}).AppendRow(key.Append(nil))
		text := column(row, "started")
		read, ok := new(big.Rat).SetString(text)
		if !ok || read.Mul(read, big.NewRat(1e9, 1)).Cmp(new(big.Rat).SetInt64(ns)) != 0 {
			t.Fatalf("%d ns are written as %s", ns, text)
		}
		if strings.Contains(text, ".") && strings.HasSuffix(text, "0") || strings.HasSuffix(text, ".") {
			t.Fatalf("%d ns are written as %s, with needless digits", ns, text)
		}
	}
	for _, ns := range []engine.Time{0, 1, -1, 10, 999_999_999, 1e9, 1e9 + 1, 1.5e9, -2.5e9, 123_456_789_012_345_678, math.MaxInt64, math.MinInt64} {
		check(t, ns)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, rapid.Int64().Draw(t, "ns")) })
}

// drawKey draws the name of a row. A carriage return before a line feed is the
// one text that encoding/csv does not give back.
func drawKey(t *rapid.T, axes int) record.Key {
	text := rapid.StringMatching("[a-z/ .,\"\n;=äß-]{0,12}")
	return record.Key{
		Point: rapid.IntRange(0, 1e6).Draw(t, "point"), Trial: rapid.IntRange(0, 1e6).Draw(t, "trial"),
		Scheduler: text.Draw(t, "scheduler"), Workflow: text.Draw(t, "workflow"),
		Values: rapid.SliceOfN(text, axes, axes).Draw(t, "values"),
	}
}

// What is written is read again as it was.
func TestRoundTripOfInvocations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		time := rapid.Int64Range(-1e18, 1e18)
		count := rapid.IntRange(0, math.MaxInt32)
		size := rapid.Int64()
		axes := []string{"load.rate", "cluster.storage.cap"}[:rapid.IntRange(0, 2).Draw(t, "axes")]
		var keys []record.Key
		var all []record.Invocation
		file := []byte(record.Header(record.InvocationColumns(axes)))
		for range rapid.IntRange(0, 3).Draw(t, "rows") {
			i := record.Invocation{
				Number: rapid.Int64().Draw(t, "number"), Client: rapid.IntRange(-1, 1000).Draw(t, "client"), Measured: rapid.Bool().Draw(t, "measured"),
				Outcome:  rapid.SampledFrom([]engine.Outcome{engine.Completed, engine.Failed, engine.TimedOut}).Draw(t, "outcome"),
				Attempts: count.Draw(t, "attempts"), Intended: time.Draw(t, "intended"), Sent: time.Draw(t, "sent"),
				Started: time.Draw(t, "started"), Ended: time.Draw(t, "ended"),
				CriticalTime: time.Draw(t, "critical time"), FetchTime: time.Draw(t, "fetch time"), PutTime: time.Draw(t, "put time"),
				HopTime: time.Draw(t, "hop time"), Hops: count.Draw(t, "hops"),
				Tasks: count.Draw(t, "tasks"), ColdStarts: count.Draw(t, "cold starts"), Messages: count.Draw(t, "messages"), Conflicts: count.Draw(t, "conflicts"),
				RemoteRead: size.Draw(t, "remote read"), RemoteWritten: size.Draw(t, "remote written"),
				LocalRead: size.Draw(t, "local read"), LocalWritten: size.Draw(t, "local written"), ResentBytes: size.Draw(t, "resent"),
				Cost: rapid.Float64Range(0, 1e3).Draw(t, "cost"),
				// What the file holds: a whole number of byte·s.
				ContainerByteTime: float64(rapid.Int64Range(0, 1e15).Draw(t, "byte seconds")) * 1e9,
			}
			for p := range i.Phases {
				i.Phases[p] = time.Draw(t, "phase")
			}
			k := drawKey(t, len(axes))
			keys, all = append(keys, k), append(all, i)
			file = i.AppendRow(append(file, k.Append(nil)...))
		}
		r, gotAxes, err := record.NewReader("invocations.csv", bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(gotAxes) != fmt.Sprint(axes) {
			t.Fatalf("the axes are %v, want %v", gotAxes, axes)
		}
		var k record.Key
		var i record.Invocation
		for at := range all {
			if err := r.Next(&k, &i); err != nil {
				t.Fatal(err)
			}
			if i != all[at] {
				t.Fatalf("read %+v, want %+v", i, all[at])
			}
			if fmt.Sprintf("%+v", k) != fmt.Sprintf("%+v", keys[at]) {
				t.Fatalf("read key %#v, want %#v", k, keys[at])
			}
		}
		if err := r.Next(&k, &i); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last row comes %v", err)
		}
	})
}

// The container metric has the same value before it is written and after it
// is read, so that statistics of a run do not depend on where they are made.
func TestContainerTimeIsTheSameWhenReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := record.Invocation{ContainerByteTime: rapid.Float64Range(0, 1e24).Draw(t, "byte ns")}
		var k record.Key
		file := i.AppendRow(append([]byte(record.Header(record.InvocationColumns(nil))), k.Append(nil)...))
		r, _, err := record.NewReader("invocations.csv", bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var again record.Invocation
		if err := r.Next(&k, &again); err != nil {
			t.Fatal(err)
		}
		if got, want := again.ContainerGBSeconds(), i.ContainerGBSeconds(); got != want {
			t.Fatalf("read %v GB·s, written were %v", got, want)
		}
		if off := math.Abs(i.ContainerGBSeconds() - i.ContainerByteTime/1e18); off > 0.51e-9*max(1, i.ContainerByteTime/1e24) {
			t.Fatalf("%v byte·ns are %v GB·s", i.ContainerByteTime, i.ContainerGBSeconds())
		}
	})
}

func TestRoundTripOfTasks(t *testing.T) {
	task := record.Task{
		Number: 7, Path: workflow.Path{}.Item(3, 8), Try: 1, Container: 5, Cold: true, Outcome: engine.DataLost,
		Queued: 1, Started: 2, Ended: 12, Fetch: 3, Compute: 4, Put: 3,
		Retry: 2, Conflicts: 1, Before: record.ControlTime{Message: 5, Sync: 6}, After: record.ControlTime{Message: 7, Sync: 8},
	}
	file := []byte(record.Header(record.TaskColumns([]string{"x", "y"})))
	file = task.AppendRow(append(file, exampleKey.Append(nil)...), "a,b", "worker-2")
	r, axes, err := record.NewTaskReader("tasks.csv", bytes.NewReader(file))
	if err != nil || fmt.Sprint(axes) != "[x y]" {
		t.Fatal(axes, err)
	}
	var k record.Key
	var row record.TaskRow
	if err := r.Next(&k, &row); err != nil {
		t.Fatal(err)
	}
	want := record.TaskRow{Task: task, Function: "a,b", Instance: "3/8", Node: "worker-2"}
	want.Path = workflow.Path{}
	if row != want || fmt.Sprintf("%+v", k) != fmt.Sprintf("%+v", exampleKey) {
		t.Errorf("read %+v %#v, want %+v %#v", row, k, want, exampleKey)
	}
	if err := r.Next(&k, &row); !errors.Is(err, io.EOF) {
		t.Errorf("after the last row comes %v", err)
	}
}

func TestReaderSaysWhereARowIsWrong(t *testing.T) {
	header := record.Header(record.InvocationColumns(nil))
	key := record.Key{Scheduler: "s", Workflow: "w"}
	good := string(exampleInvocation.AppendRow(key.Append(nil)))
	change := func(column int, to string) string {
		cells := strings.Split(good, ",")
		cells[column-1] = to
		return strings.Join(cells, ",")
	}
	for _, test := range []struct{ name, file, want string }{
		{"nothing", "", "f.csv:1: the file is empty"},
		{"another table", record.Header(record.TaskColumns(nil)), "f.csv:1: these are not the columns of invocations.csv as this version writes them"},
		{"a short header", "point,trial\n", "f.csv:1: these are not the columns of invocations.csv as this version writes them"},
		{"half a row", header + good + good[:40], "f.csv:3: wrong number of fields"},
		{"an open quote", header + good + "0,0,\"s", `f.csv:3: extraneous or missing " in quoted-field`},
		{"a number that is none", header + good + good + change(5, "seven"), `f.csv:4: "seven" in column 5 is not a whole number`},
		{"a point beyond all", header + change(1, "3000000000"), `f.csv:2: "3000000000" in column 1 is not a number of up to 2147483647`},
		{"neither yes nor no", header + change(7, "2"), `f.csv:2: "2" in column 7 is not 0 or 1`},
		{"an unknown outcome", header + change(8, "data_lost"), `f.csv:2: "data_lost" in column 8 is not an outcome`},
		{"a time with ten digits", header + change(10, "1.0000000001"), `f.csv:2: "1.0000000001" in column 10 is not a time in seconds`},
		{"a time with a word", header + change(10, "1.x"), `f.csv:2: "1.x" in column 10 is not a time in seconds`},
		{"a time with two signs", header + change(10, "--1"), `f.csv:2: "--1" in column 10 is not a time in seconds`},
		{"a time beyond all", header + change(10, "9999999999"), `f.csv:2: "9999999999" in column 10 is not a time in seconds`},
		{"a latency of its own", header + change(14, "3"), `f.csv:2: "3" in column 14 is not the latency, ended - intended`},
		{"a cost that is none", header + strings.Replace(good, "1.25e-05", "NaN", 1), `f.csv:2: "NaN" in column 38 is not a number`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := "no error"
			if err := readAll(strings.NewReader(test.file)); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("the error is %q, want %q", got, test.want)
			}
		})
	}
}

// readAll reads a whole table of invocations and returns what was wrong.
func readAll(from io.Reader) error {
	r, _, err := record.NewReader("f.csv", from)
	if err != nil {
		return err
	}
	var k record.Key
	var i record.Invocation
	for {
		if err := r.Next(&k, &i); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Whatever is in a file, reading it ends with an error that says where or
// with records that are written as they were read.
func FuzzReader(f *testing.F) {
	header := record.Header(record.InvocationColumns([]string{"a"}))
	key := record.Key{Scheduler: "s", Workflow: "w", Values: []string{"30/min"}}
	row := string(exampleInvocation.AppendRow(key.Append(nil)))
	for _, seed := range []string{"", header, header + row, header + row + row[:30], "point\n", header + strings.ReplaceAll(row, "1", "9223372036")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		r, axes, err := record.NewReader("f.csv", strings.NewReader(file))
		if err != nil {
			wantPlace(t, err)
			return
		}
		var k record.Key
		var i record.Invocation
		for {
			err := r.Next(&k, &i)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				wantPlace(t, err)
				return
			}
			if len(k.Values) != len(axes) {
				t.Fatalf("%d values for %d axes", len(k.Values), len(axes))
			}
			again, _, err := record.NewReader("again", strings.NewReader(record.Header(record.InvocationColumns(axes))+string(i.AppendRow(k.Append(nil)))))
			if err != nil {
				return // The name of an axis has an end of line of another form.
			}
			var k2 record.Key
			var i2 record.Invocation
			if err := again.Next(&k2, &i2); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			i.ContainerByteTime, i2.ContainerByteTime = i.ContainerGBSeconds(), i2.ContainerGBSeconds()
			if i != i2 {
				t.Fatalf("read %+v, then %+v", i, i2)
			}
		}
	})
}

func FuzzTaskReader(f *testing.F) {
	header := record.Header(record.TaskColumns(nil))
	for _, seed := range []string{"", header, header + "0,0,mastersp,w,7,resize,3/8 0/2,1,worker-2,5,1,0,data_lost,1,1.1,2,0.1,0.799999999,0.000000001\n", header + "0,0,a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file string) {
		r, _, err := record.NewTaskReader("f.csv", strings.NewReader(file))
		var k record.Key
		var row record.TaskRow
		for err == nil {
			err = r.Next(&k, &row)
		}
		if !errors.Is(err, io.EOF) {
			wantPlace(t, err)
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
