// Package imagestest has the images that tests of clusters need.
package imagestest

import (
	"testing"

	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/images"
)

// Build builds the images that a cluster of this source needs, as far as they
// are not there, and returns their names by kind. They stay, as those of flowtwin
// images build do: other tests may use them at the same time.
func Build(t *testing.T, c *client.Client) map[images.Kind]string {
	t.Helper()
	names := map[images.Kind]string{}
	for _, kind := range [...]images.Kind{images.Node, images.Redis, images.Kafka} {
		made, err := images.Build(t.Context(), c, kind, func(text string) { t.Log(text) })
		if err != nil {
			t.Fatal(err)
		}
		names[kind] = made.Name
	}
	names[images.CouchDB] = names[images.Node]
	return names
}
