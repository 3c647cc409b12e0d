package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
)

// program's package, of which a node's image is made.
const command = "github.com/flowtwin/flowtwin/cmd/flowtwin"

// node is an image of the flowtwin program and nothing else. The program that
// runs is taken if it can be, so that all of a cluster are the same.
func (b *builder) node(ctx context.Context) (recipe, error) {
	self, isFlowtwin, err := running()
	if err != nil {
		return recipe{}, err
	}
	var p program
	fits := false
	if isFlowtwin && runtime.GOOS == "linux" {
		if p, err = inspectFile(self); err != nil {
			return recipe{}, err
		}
		fits = p.arch == b.arch
	}
	switch {
	case fits && p.static():
		return b.nodeOf(self, "", "this program", nil)
	case b.canCompile(ctx):
		if fits {
			// What it is compiled from is taken to be what runs: else each
			// look at the image would have to compile.
			return b.nodeOf(self, "", "this program, compiled as a static one", b.compile)
		}
		at, err := b.compile(ctx)
		if err != nil {
			return recipe{}, err
		}
		return b.nodeOf(at, "", "flowtwin, compiled as a static program", nil)
	case fits:
		return b.nodeOf(self, self, "this program with the libraries that it needs", nil)
	}
	return recipe{}, fmt.Errorf("it needs flowtwin as a program for linux/%s, and there are neither it nor Go and flowtwin's source to compile it from: "+
		"run it with go run %s, or install Go (https://go.dev/doc/install)", b.arch, command)
}

// running is the program that runs, and whether it is flowtwin itself and not
// another that uses it as a library, such as a test.
func running() (string, bool, error) {
	self, err := os.Executable()
	if err != nil {
		return "", false, fmt.Errorf("finding this program: %w", err)
	}
	info, ok := debug.ReadBuildInfo()
	return self, ok && info.Path == command, nil
}

// nodeOf returns the recipe of a node's image that is known by a program, and
// holds it or what is made in its place.
func (b *builder) nodeOf(program, withLibraries, inside string, make func(context.Context) (string, error)) (recipe, error) {
	hash, err := sum(nil, program)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		tag: hash[:12], hash: hash, inside: inside, serves: "flowtwin",
		changes: []string{`ENTRYPOINT ["/flowtwin"]`, "ENV PATH=/ TMPDIR=/tmp"},
		files: func(ctx context.Context) (archive, error) {
			a := archive{}
			if make != nil {
				if program, err = make(ctx); err != nil {
					return nil, err
				}
			}
			a.addFile("/flowtwin", program, 0o755)
			a.mkdir("/tmp", 0o1777)
			if withLibraries != "" {
				return a, a.addLibraries(ctx, withLibraries)
			}
			return a, nil
		},
	}, nil
}

// canCompile reports whether there is a Go command, and flowtwin's source in
// or below the module of the working directory.
func (b *builder) canCompile(ctx context.Context) bool {
	tool, err := exec.LookPath("go")
	return err == nil && exec.CommandContext(ctx, tool, "list", command).Run() == nil
}

// compile makes a static program.
func (b *builder) compile(ctx context.Context) (string, error) {
	b.progress("compiling flowtwin as a static program")
	at := filepath.Join(b.temp, "flowtwin")
	c := run(ctx, "go", "build", "-trimpath", "-o", at, command)
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.arch)
	if err := output(c); err != nil {
		return "", err
	}
	p, err := inspectFile(at)
	if err == nil && !p.static() {
		err = fmt.Errorf("the compiled flowtwin is not static, it asks for %s", p.interpreter)
	}
	return at, err
}
