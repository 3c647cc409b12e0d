package images

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Options say which images may serve.
type Options struct {
	// Names are images that the user has chosen, by kind.
	Names map[Kind]string
	// NoPull forbids to pull images.
	NoPull bool
	// Patience is how long a registry may take to answer; 0 stands for 10 s.
	Patience time.Duration
}

// Image is one that serves.
type Image struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	ID   string `json:"id"`
	// Served names what serves, for a manifest.
	Served string `json:"serves"`
	// Inside says what it was made of, if it is one of ours.
	Inside string `json:"inside,omitempty"`
	Size   int64  `json:"size"` // bytes
	// Flowtwin: the image is flowtwin itself, so that a CouchDB of it is started
	// as its subcommand couchserver.
	Flowtwin bool `json:"flowtwin"`
}

// ErrMissing: there is no image of a kind and none can be had.
var ErrMissing = errors.New("no image")

// Resolve finds the image that serves for each of the kinds: the one that the
// user has named, else the official one if it is there, else ours if it is
// there, else the official one from its registry. For a node it is ours, of
// the program that runs; where the user has named one, it serves as the CouchDB
// too. It is an error if one is missing, and says how to get
// it. Progress, if not nil, is told what takes time, a line each.
func Resolve(ctx context.Context, c client.ImageAPIClient, kinds []Kind, o Options, progress func(string)) (map[Kind]Image, error) {
	if progress == nil {
		progress = func(string) {}
	}
	for kind := range o.Names {
		if _, err := ParseKind(string(kind)); err != nil {
			return nil, err
		}
	}
	found := map[Kind]Image{}
	for _, kind := range kinds {
		i, err := resolve(ctx, c, kind, o, progress)
		if err != nil {
			return nil, err
		}
		found[kind] = i
	}
	return found, nil
}

func resolve(ctx context.Context, c client.ImageAPIClient, kind Kind, o Options, progress func(string)) (Image, error) {
	if name := o.Names[kind]; name != "" {
		i, ok, err := look(ctx, c, kind, name)
		if err == nil && !ok {
			if o.NoPull {
				return Image{}, fmt.Errorf("%w %s, which was named for %s, is here: docker pull %s", ErrMissing, name, kind, name)
			}
			if err := pull(ctx, c, name, o.Patience, progress); err != nil {
				return Image{}, fmt.Errorf("%w %s, which was named for %s, is here, and it cannot be pulled: %w", ErrMissing, name, kind, err)
			}
			i, _, err = look(ctx, c, kind, name)
		}
		return i, err
	}
	official := kind.Official()
	if official != "" {
		if i, ok, err := look(ctx, c, kind, official); err != nil || ok {
			return i, err
		}
	}
	name, err := ours(ctx, c, kind, o.Names[Node])
	if err != nil {
		return Image{}, err
	}
	if name != "" {
		if i, ok, err := look(ctx, c, kind, name); err != nil || ok && (kind != CouchDB || i.Flowtwin) {
			return i, err
		}
	}
	build := kind
	if kind == CouchDB {
		build = Node
	}
	if official == "" {
		return Image{}, fmt.Errorf("%w of this flowtwin: make it with flowtwin images build %s", ErrMissing, build)
	}
	if o.NoPull {
		return Image{}, fmt.Errorf("%w for %s: make one with flowtwin images build %s, or docker pull %s", ErrMissing, kind, build, official)
	}
	if err := pull(ctx, c, official, o.Patience, progress); err != nil {
		return Image{}, fmt.Errorf("%w for %s: make one with flowtwin images build %s (%s cannot be pulled: %w)", ErrMissing, kind, build, official, err)
	}
	i, _, err := look(ctx, c, kind, official)
	return i, err
}

// look describes an image, if it is there.
func look(ctx context.Context, c client.ImageAPIClient, kind Kind, name string) (Image, bool, error) {
	there, err := c.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return Image{}, false, nil
	}
	if err != nil {
		return Image{}, false, fmt.Errorf("looking for the image %s: %w", name, err)
	}
	i := Image{Kind: kind, Name: name, ID: there.ID, Size: there.Size}
	var labels map[string]string
	if there.Config != nil {
		labels = there.Config.Labels
	}
	i.Flowtwin = labels[LabelKind] == string(Node)
	i.Inside = labels[LabelInside]
	switch {
	case i.Flowtwin && kind == CouchDB:
		i.Served = "flowtwin couchserver, CouchDB protocol"
	case labels[LabelServes] != "":
		i.Served = labels[LabelServes]
	case name == kind.Official():
		i.Served = kind.product() + " " + officialVersion(name)
	default:
		// What somebody else's image serves only the service itself can tell.
		i.Served = "what was named as " + kind.product()
	}
	i.Served += " (image " + name + ")"
	return i, true, nil
}

// officialVersion is the version in the tag of an official image.
func officialVersion(name string) string {
	_, tag, _ := strings.Cut(name, ":")
	version, _, _ := strings.Cut(tag, "-")
	return version
}

// ours is the name of our newest image of a kind that fits, "" without one.
func ours(ctx context.Context, c client.ImageAPIClient, kind Kind, node string) (string, error) {
	recipe := ""
	if kind == CouchDB {
		if node != "" {
			return node, nil
		}
		kind = Node
	}
	label := LabelKind + "=" + string(kind)
	if kind == Node {
		self, isFlowtwin, err := running()
		if err != nil {
			return "", err
		}
		// A program that only uses flowtwin as a library cannot tell which
		// image is of the same source: Build can, and makes that the newest.
		if isFlowtwin {
			if recipe, err = sum(nil, self); err != nil {
				return "", err
			}
			label = LabelRecipe + "=" + recipe
		}
	}
	all, err := c.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return "", fmt.Errorf("looking for images of flowtwin's own: %w", err)
	}
	slices.SortStableFunc(all, func(a, b image.Summary) int { return int(min(max(b.Created-a.Created, -1), 1)) })
	for _, i := range all {
		for _, name := range i.RepoTags {
			repository, tag, _ := strings.Cut(name, ":")
			if repository == kind.repository() && (kind != Kafka || tag == KafkaVersion) {
				return name, nil
			}
		}
	}
	return "", nil
}

// pull gets an image from its registry. The registry has to answer soon; then
// it may take as long as it does.
func pull(ctx context.Context, c client.ImageAPIClient, name string, patience time.Duration, progress func(string)) error {
	if patience <= 0 {
		patience = 10 * time.Second
	}
	silent := fmt.Errorf("its registry has not answered for %s", patience)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(patience, func() { cancel(silent) })
	defer timer.Stop()
	progress("looking for " + name + " in its registry")
	failed := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return errors.New(firstLine(err.Error()))
	}
	answer, err := c.ImagePull(ctx, name, image.PullOptions{})
	if err != nil {
		return failed(err)
	}
	defer answer.Close()
	begun := false
	err = follow(answer, func(string) {
		timer.Stop()
		if !begun {
			begun = true
			progress("pulling " + name)
		}
	})
	if err != nil {
		return failed(err)
	}
	return nil
}

// Available is a kind, with what would serve and what could.
type Available struct {
	Kind Kind `json:"kind"`
	// Serves is the image that would serve without asking a registry, nil if
	// there is none.
	Serves   *Image `json:"serves"`
	Official string `json:"official,omitempty"`
	// Build is the kind to build to have one.
	Build Kind `json:"build"`
}

// List says for each kind which image would serve. It pulls nothing.
func List(ctx context.Context, c client.ImageAPIClient) ([]Available, error) {
	var all []Available
	for _, kind := range Kinds() {
		a := Available{Kind: kind, Official: kind.Official(), Build: kind}
		if kind == CouchDB {
			a.Build = Node
		}
		i, err := resolve(ctx, c, kind, Options{NoPull: true}, nil)
		switch {
		case err == nil:
			a.Serves = &i
		case !errors.Is(err, ErrMissing):
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}
