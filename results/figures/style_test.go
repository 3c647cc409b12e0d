package figures

import (
	"fmt"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestTheFirstFourSeriesDifferInGrey(t *testing.T) {
	for i := range 4 {
		for j := range i {
			a, b := luma(palette(i).color), luma(palette(j).color)
			if d := a - b; d*d < 30*30 {
				t.Errorf("series %d and %d: grey levels %d and %d", i, j, a, b)
			}
		}
	}
}

func TestTwelveSeriesAllLookDifferentWithoutColour(t *testing.T) {
	lines, bars := map[string]int{}, map[string]int{}
	for i := range 12 {
		l := palette(i)
		line, bar := fmt.Sprint(l.dash, l.marker), fmt.Sprint(l.hatch, luma(l.color))
		if j, ok := lines[line]; ok {
			t.Errorf("lines %d and %d look alike", i, j)
		}
		if j, ok := bars[bar]; ok {
			t.Errorf("bars %d and %d look alike", i, j)
		}
		lines[line], bars[bar] = i, i
	}
}

func TestASeriesKeepsItsLook(t *testing.T) {
	for _, c := range []struct {
		name  string
		names []named
		want  map[string]int
	}{
		{"in order", []named{{"a", 0}, {"b", 0}}, map[string]int{"a": 0, "b": 1}},
		{"published shares it", []named{{"a", 0}, {"a", 0}, {"b", 0}}, map[string]int{"a": 0, "b": 1}},
		{"pinned", []named{{"faasflow", 2}, {"dataflower", 3}}, map[string]int{"faasflow": 1, "dataflower": 2}},
		{"others go around a pinned one", []named{{"a", 0}, {"b", 1}, {"c", 0}}, map[string]int{"a": 1, "b": 0, "c": 2}},
		{"the first pin of a name counts", []named{{"a", 3}, {"a", 4}}, map[string]int{"a": 2}},
	} {
		got := newLooks(c.names)
		for name, slot := range c.want {
			if got.slots[name] != slot {
				t.Errorf("%s: %s has slot %d, want %d", c.name, name, got.slots[name], slot)
			}
		}
	}
}

func TestPhasesOfFlowtwinLookDifferentAndUnknownOnesToo(t *testing.T) {
	phases := []string{"queue", "cold start", "fetch", "compute", "put", "scheduling", "other", "another", "third"}
	seen := map[string]string{}
	for name, l := range phaseLooks(phases) {
		key := fmt.Sprint(l.color, l.hatch)
		if seen[key] != "" {
			t.Errorf("%s looks like %s", name, seen[key])
		}
		seen[key] = name
	}
	if a, b := phaseLooks([]string{"cold_start"})["cold_start"], phaseLooks(phases)["cold start"]; a.color != b.color || a.hatch != b.hatch {
		t.Error("cold_start and cold start look different")
	}
}

func TestHatchingStaysWithinItsBar(t *testing.T) {
	r := box(10.3, 20.7, 22, 61)
	for h := plain; h <= dotted; h++ {
		lines := hatching(h, r)
		if (len(lines) == 0) != (h == plain) {
			t.Errorf("hatch %d has %d lines", h, len(lines))
		}
		for _, l := range lines {
			for _, pt := range l {
				if pt.X < r.Min.X-1e-6 || pt.X > r.Max.X+1e-6 || pt.Y < r.Min.Y-1e-6 || pt.Y > r.Max.Y+1e-6 {
					t.Errorf("hatch %d reaches %v", h, pt)
				}
			}
		}
	}
}

func TestClipCutsALineIntoPieces(t *testing.T) {
	area := box(0, 0, 10, 10)
	// In from the left, out at the top, back in from the right.
	got := clip(area, []vg.Point{{X: -5, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 15}, {X: 15, Y: 15}, {X: 15, Y: 5}, {X: 8, Y: 5}})
	want := [][]vg.Point{{{X: 0, Y: 5}, {X: 5, Y: 5}, {X: 5, Y: 10}}, {{X: 10, Y: 5}, {X: 8, Y: 5}}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
