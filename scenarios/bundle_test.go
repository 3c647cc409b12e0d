package scenarios_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/scenarios"
)

// Another process, which has none of the files, makes the same trial.
func TestBundlesMakeTheSameTrials(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"test.yaml": "name: test\nworkflows: [own.yaml, faasflow/wordcount]\ncluster: {workers: 2}\nload: {arrivals: poisson, rate: 1/s, duration: 10s}\n" +
			"schedulers: [mastersp, dataflower]\naxes: {load.rate: [1/s, 2/s]}\nprofile: ideal\ntrials: 2\n",
		"own.yaml": "name: own\nfunctions:\n  one: {compute: 1s, outputs: {data: 10}}\n  two: {inputs: [one.data], compute: 1s}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	plan, err := scenarios.Load(filepath.Join(dir, "test.yaml"), scenarios.Options{Settings: []string{"seed=3"}, Limit: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for point := range plan.Points {
		want := plan.Trial(point, 1)
		got, err := want.Bundle().Trial(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Seed != want.Seed || !reflect.DeepEqual(got.Workflows, want.Workflows) || !reflect.DeepEqual(got.Loads, want.Loads) ||
			!reflect.DeepEqual(got.Cluster, want.Cluster) || got.Scheduler.Name != want.Scheduler.Name || !reflect.DeepEqual(got.Profile, want.Profile) {
			t.Errorf("the trial of point %d is another one", point)
		}
	}
}

// What comes from elsewhere may name a trial that there is not.
func TestBundlesOfNoTrial(t *testing.T) {
	plan, err := scenarios.Load("quickstart", scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*scenarios.Bundle){
		func(b *scenarios.Bundle) { b.Point = -1 }, func(b *scenarios.Bundle) { b.Point = len(plan.Points) },
		func(b *scenarios.Bundle) { b.Number = -1 }, func(b *scenarios.Bundle) { b.Number = plan.Trials },
		func(b *scenarios.Bundle) { b.Source = b.Source[:20] },
	} {
		b := plan.Trial(0, 0).Bundle()
		change(b)
		if _, err := b.Trial(nil); err == nil {
			t.Errorf("point %d, trial %d of %d bytes is one", b.Point, b.Number, len(b.Source))
		}
	}
}
