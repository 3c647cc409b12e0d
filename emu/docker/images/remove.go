package images

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Remove removes all images that Build has made, and returns their names. The
// error says which are left, because a container uses them.
func Remove(ctx context.Context, c client.ImageAPIClient) ([]string, error) {
	all, err := c.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelKind))})
	if err != nil {
		return nil, fmt.Errorf("listing images of flowtwin's own: %w", err)
	}
	var removed []string
	var failed error
	for _, i := range all {
		names := i.RepoTags
		if len(names) == 0 {
			names = []string{i.ID}
		}
		for _, name := range names {
			_, err := c.ImageRemove(ctx, name, image.RemoveOptions{PruneChildren: true})
			switch {
			case err == nil:
				removed = append(removed, name)
			case !errdefs.IsNotFound(err):
				failed = errors.Join(failed, fmt.Errorf("removing the image %s: %w", name, err))
			}
		}
	}
	return removed, failed
}
