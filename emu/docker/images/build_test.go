package images

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// attic is an engine with images of former programs.
type attic struct {
	client.APIClient
	images  []image.Summary
	removed []string
}

func (a *attic) ImageList(context.Context, image.ListOptions) ([]image.Summary, error) {
	return a.images, nil
}

func (a *attic) ImageRemove(_ context.Context, id string, o image.RemoveOptions) ([]image.DeleteResponse, error) {
	a.removed = append(a.removed, id)
	if id == "in use" {
		return nil, errdefs.ErrConflict
	}
	if o.Force {
		return nil, errdefs.ErrInvalidArgument
	}
	return nil, nil
}

// A new image of a node has those removed that have lost their name, and those
// of yesterday; not the ones that another flowtwin may be about to use, nor
// what somebody has given a name of their own.
func TestImagesOfFormerProgramsAreRemoved(t *testing.T) {
	now, old := time.Now().Unix(), time.Now().Add(-25*time.Hour).Unix()
	a := &attic{images: []image.Summary{
		{ID: "nameless", Created: now},
		{ID: "nameless to old engines", RepoTags: []string{"<none>:<none>"}, Created: now},
		{ID: "new", RepoTags: []string{"flowtwin/node:new"}, Created: old}, // Built again of the same.
		{ID: "recent", RepoTags: []string{"flowtwin/node:recent"}, Created: now},
		{ID: "in use", RepoTags: []string{"flowtwin/node:used"}, Created: old},
		{ID: "old", RepoTags: []string{"flowtwin/node:old"}, Created: old},
		{ID: "named", RepoTags: []string{"flowtwin/node:named", "mine/node:1"}, Created: old},
		{ID: "mine", RepoTags: []string{"mine/node:2"}, Created: old},
	}}
	b := &builder{client: a}
	if err := b.removeReplaced(t.Context(), Node, "flowtwin/node:new"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"nameless", "nameless to old engines", "in use", "old"}; !slices.Equal(a.removed, want) {
		t.Errorf("asked to remove %q, want %q", a.removed, want)
	}
	a.removed = nil
	if err := b.removeReplaced(t.Context(), Kafka, "flowtwin/kafka:3.9.1"); err != nil || len(a.removed) != 2 {
		t.Errorf("of another kind, %q was removed, %v; want what has no name", a.removed, err)
	}
}
