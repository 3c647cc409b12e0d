package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestTracesAreSortedByTime(t *testing.T) {
	for text, want := range map[string][]arrival{
		"time\n2\n0.5\n\n1e0\n": {{5e8, ""}, {1e9, ""}, {2e9, ""}},
		"\ufeffworkflow,note,time\r\na,\"x, y\", 1.5 \r\nb,,0\r\n": {{0, "b"}, {15e8, "a"}},
		"time,workflow\n1,b\n1,a\n0,c\n":                           {{0, "c"}, {1e9, "b"}, {1e9, "a"}}, // Equal times stay in the order of the file.
		"time\n":                                                   nil,
	} {
		got, err := readTrace("t.csv", []byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestATraceNamesItsFirstBrokenRowsOnly(t *testing.T) {
	_, err := readTrace("t.csv", []byte("time\n"+strings.Repeat("x\n", 1000)))
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != maxTraceErrors || !strings.HasPrefix(lines[19], `t.csv:21:1: "x" is not a time`) {
		t.Errorf("%d errors, the last is %s", len(lines), lines[len(lines)-1])
	}
}

func FuzzReadTrace(f *testing.F) {
	f.Add("time,workflow\n0.5,a\n0.25,b\n")
	f.Add("workflow,time\n\"a\nb\",1e3\n")
	f.Add("time\n-1\nNaN\n\"")
	f.Add("\ufefftime\r\n1,2\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := readTrace("t.csv", []byte(text))
		if err != nil {
			if all != nil || !strings.HasPrefix(err.Error(), "t.csv:") {
				t.Errorf("%v with the error %v", all, err)
			}
			return
		}
		if !slices.IsSortedFunc(all, func(a, b arrival) int { return int(min(max(a.at-b.at, -1), 1)) }) {
			t.Error("the times are not in order")
		}
		for _, a := range all {
			if a.at < 0 || a.at > int64(maxTime) {
				t.Errorf("an arrival at %d ns", a.at)
			}
		}
	})
}
