package exporter

import (
	"strings"
	"testing"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// What tasks.csv has as an instance is a path, or is refused.
func FuzzInstance(f *testing.F) {
	for _, seed := range []string{"", "3/8", "3/8 0/2", "8/8", "-1/2", "0/0", "0", "a/b", strings.Repeat("0/1 ", workflow.MaxNesting+1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, ok := parsePath(text)
		if !ok {
			return
		}
		if path.Depth() != len(strings.Fields(text)) {
			t.Fatalf("%q has %d levels", text, path.Depth())
		}
		for i := range path.Depth() {
			if l := path.Level(i); l.Index >= l.Of {
				t.Fatalf("%q is item %d of %d", text, l.Index, l.Of)
			}
		}
	})
}
