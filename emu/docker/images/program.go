package images

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// ContainerFlag is the first argument of a program of the user's own in the
// image that BuildProgram makes of it; what it is to be follows, as flowtwin
// would be told. It is a flag so that a program that does not look for it
// refuses to start, rather than do what it does outside of containers.
const ContainerFlag = "-flowtwin.container"

// programs is the repository of images of programs of the users' own: nobody
// takes one for a flowtwin.
const programs = "flowtwin/program"

// LabelProgram names the Go program that is in the image of a node in place of
// flowtwin.
const LabelProgram = "flowtwin.program"

// BuildProgram makes a node's image of a Go program that uses flowtwin as a
// library, such as a test, with the libraries that it needs, unless it is there.
// Images of the same program that have not been built or used of late are
// removed: whoever changes his test all day long does not fill his disk.
func BuildProgram(ctx context.Context, c client.APIClient, program string, progress func(string)) (Made, error) {
	b, end, err := newBuilder(ctx, c, progress)
	if err != nil {
		return Made{}, err
	}
	defer end()
	start := time.Now()
	r, err := b.program(ctx, program)
	if err != nil {
		return Made{}, fmt.Errorf("building an image of %s: %w", program, err)
	}
	made, err := b.ensure(ctx, Node, programs+":"+r.tag, r)
	if err == nil && made.New {
		const recent = 10 * time.Minute // Another test of it may have built one, and not used it yet.
		err = b.removeOlder(ctx, r.program, recent)
	}
	made.Took = time.Since(start)
	return made, err
}

// program is an image of a Go program.
func (b *builder) program(ctx context.Context, name string) (recipe, error) {
	p, err := inspectFile(name)
	if err != nil || p.arch != b.arch {
		return recipe{}, fmt.Errorf("it is no program for linux/%s, which the Docker engine's containers run: run it on such a machine", b.arch)
	}
	info, err := buildinfo.ReadFile(name)
	if err != nil {
		return recipe{}, fmt.Errorf("it is no Go program: %w", err)
	}
	needs, err := libraries(ctx, name)
	if err != nil {
		return recipe{}, err
	}
	changes := []string{fmt.Sprintf("ENTRYPOINT [%q, %q]", "/program", ContainerFlag), "ENV PATH=/ TMPDIR=/tmp"}
	hash, err := sum(changes, append([]string{name}, needs...)...)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		tag: hash[:12], hash: hash, program: info.Path, inside: info.Path, serves: info.Path, changes: changes,
		files: func(ctx context.Context) (archive, error) {
			a := archive{}
			a.addFile("/program", name, 0o755)
			a.mkdir("/tmp", 0o1777)
			return a, a.addLibraries(ctx, name)
		},
	}, nil
}

// removeOlder removes images of a program that have been built before a while,
// and are not used.
func (b *builder) removeOlder(ctx context.Context, program string, recent time.Duration) error {
	all, err := b.client.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelProgram+"="+program))})
	if err != nil {
		return fmt.Errorf("looking for older images of %s: %w", program, err)
	}
	for _, i := range all {
		if time.Since(time.Unix(i.Created, 0)) < recent {
			continue
		}
		_, err := b.client.ImageRemove(ctx, i.ID, image.RemoveOptions{PruneChildren: true})
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
			return fmt.Errorf("removing an older image of %s: %w", program, err)
		}
	}
	return nil
}
