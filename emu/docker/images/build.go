package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/flowtwin/flowtwin/emu/docker/sweep"
)

// Made is an image of ours that is there after Build.
type Made struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Inside says what it is made of.
	Inside string `json:"inside"`
	Size   int64  `json:"size"` // bytes
	// New: it was not there before.
	New bool `json:"new"`
	// Took is how long it has taken to build it, or to see that it is there.
	Took time.Duration `json:"took_ns"`
}

// recipe is all that an image is made of.
type recipe struct {
	tag string
	// hash is of all that goes into the image, and known before the work that
	// takes time is done.
	hash string
	// inside and serves are the words of the labels.
	inside, serves string
	// program is the path of a Go program that is not flowtwin, "" if the image
	// is of none.
	program string
	// changes are instructions of a Dockerfile.
	changes []string
	// files makes the image's contents.
	files func(context.Context) (archive, error)
}

// builder makes recipes.
type builder struct {
	client   client.APIClient
	arch     string // the engine's
	temp     string // a directory that is removed afterwards
	progress func(string)
}

// Build makes our image of a kind on the engine of a client, unless it is
// there with the same content. Programs that are missing are installed with
// apt-get where that is possible; the error names what is missing otherwise.
// Progress, if not nil, is told what takes time, a line each.
func Build(ctx context.Context, c client.APIClient, kind Kind, progress func(string)) (Made, error) {
	start := time.Now()
	made, err := build(ctx, c, kind, progress)
	if err != nil && ctx.Err() != nil {
		// What a command says that was interrupted is of no interest.
		err = fmt.Errorf("building the image %s: %w", kind, ctx.Err())
	}
	made.Took = time.Since(start)
	return made, err
}

func build(ctx context.Context, c client.APIClient, kind Kind, progress func(string)) (Made, error) {
	b, end, err := newBuilder(ctx, c, progress)
	if err != nil {
		return Made{}, err
	}
	defer end()
	var r recipe
	switch kind {
	case Node:
		r, err = b.node(ctx)
	case Redis:
		r, err = b.redis(ctx)
	case Kafka:
		r, err = b.kafka(ctx)
	case CouchDB:
		err = fmt.Errorf("there is no image of ours for couchdb: the node's serves in its place (flowtwin images build node)")
	default:
		_, err = ParseKind(string(kind))
	}
	if err != nil {
		return Made{}, fmt.Errorf("building the image %s: %w", kind, err)
	}
	return b.ensure(ctx, kind, kind.repository()+":"+r.tag, r)
}

// newBuilder returns a builder, and what ends its work.
func newBuilder(ctx context.Context, c client.APIClient, progress func(string)) (*builder, func(), error) {
	if progress == nil {
		progress = func(string) {}
	}
	version, err := c.ServerVersion(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("asking the Docker engine for its version: %w", err)
	}
	temp, err := sweep.MakeTemp("images")
	if err != nil {
		return nil, nil, err
	}
	return &builder{c, version.Arch, temp, progress}, func() { os.RemoveAll(temp) }, nil
}

// ensure makes an image of a recipe, unless it is there.
func (b *builder) ensure(ctx context.Context, kind Kind, name string, r recipe) (Made, error) {
	made := Made{Kind: kind, Name: name, Inside: r.inside}
	there, err := b.client.ImageInspect(ctx, made.Name)
	if err != nil && !errdefs.IsNotFound(err) {
		return Made{}, fmt.Errorf("looking for the image %s: %w", made.Name, err)
	}
	if err != nil || there.Config == nil || there.Config.Labels[LabelRecipe] != r.hash {
		b.progress(fmt.Sprintf("%s: building it of %s", made.Name, r.inside))
		if err := b.make(ctx, kind, made.Name, r); err != nil {
			return Made{}, fmt.Errorf("building the image %s: %w", made.Name, err)
		}
		made.New = true
		if there, err = b.client.ImageInspect(ctx, made.Name); err != nil {
			return Made{}, fmt.Errorf("looking for the image %s: %w", made.Name, err)
		}
	}
	made.Size = there.Size
	return made, nil
}

func (b *builder) make(ctx context.Context, kind Kind, name string, r recipe) error {
	files, err := r.files(ctx)
	if err != nil {
		return err
	}
	labels := map[string]string{LabelKind: string(kind), LabelInside: r.inside, LabelServes: r.serves, LabelRecipe: r.hash}
	if r.program != "" {
		labels[LabelProgram] = r.program
	}
	if _, err := b.load(ctx, name, files, r.changes, labels); err != nil {
		return err
	}
	return b.removeReplaced(ctx, kind, name)
}

// load makes an image of files, and returns its identifier. Without a name it
// has none.
func (b *builder) load(ctx context.Context, name string, files archive, changes []string, labels map[string]string) (string, error) {
	data, err := files.tar()
	if err != nil {
		return "", err
	}
	changes = append([]string(nil), changes...)
	for key, value := range labels {
		// Quoting is that of a shell with double quotes, not of Go.
		changes = append(changes, fmt.Sprintf(`LABEL %s="%s"`, key, strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", " ").Replace(value)))
	}
	answer, err := b.client.ImageImport(ctx, image.ImportSource{Source: bytes.NewReader(data), SourceName: "-"}, name, image.ImportOptions{Changes: changes})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	last := ""
	if err := follow(answer, func(status string) { last = status }); err != nil {
		return "", err
	}
	return last, nil
}

// kept is how long images of programs that were flowtwin once are kept.
const kept = 24 * time.Hour

// removeReplaced removes images of ours that a newer one has taken the name
// from, and those of nodes that are old, because each change of flowtwin makes
// another. One that a container still uses stays.
func (b *builder) removeReplaced(ctx context.Context, kind Kind, name string) error {
	all, err := b.client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelKind+"="+string(kind)))})
	if err != nil {
		return fmt.Errorf("looking for the image's predecessors: %w", err)
	}
	for _, i := range all {
		nameless := !slices.ContainsFunc(i.RepoTags, func(tag string) bool { return tag != "<none>:<none>" })
		old := kind == Node && len(i.RepoTags) == 1 && i.RepoTags[0] != name && strings.HasPrefix(i.RepoTags[0], kind.repository()+":") &&
			time.Since(time.Unix(i.Created, 0)) > kept
		if !nameless && !old {
			continue
		}
		if _, err := b.client.ImageRemove(ctx, i.ID, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
			return fmt.Errorf("removing the image's predecessor: %w", err)
		}
	}
	return nil
}

// follow reads an engine's messages about its work to their end. An error of
// the work is among them.
func follow(r io.Reader, status func(string)) error {
	d := json.NewDecoder(r)
	for {
		var m struct {
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the Docker engine's messages: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		}
		status(m.Status)
	}
}

// local reports an error if programs of this machine do not run on the engine.
func (b *builder) local() error {
	if runtime.GOOS == "linux" && runtime.GOARCH == b.arch {
		return nil
	}
	return fmt.Errorf("it is made of programs of this machine, which is %s/%s, and the engine's is linux/%s: pull the official image there instead",
		runtime.GOOS, runtime.GOARCH, b.arch)
}

// sum is a hash of strings and files, in this order.
func sum(texts []string, names ...string) (string, error) {
	h := sha256.New()
	for _, text := range texts {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		n, err := io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, ":%d", n)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
