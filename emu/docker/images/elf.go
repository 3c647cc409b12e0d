package images

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// program is what an ELF file says of itself.
type program struct {
	// arch is the processor by the name that Go and Docker give it, "" for one
	// that flowtwin does not run on.
	arch string
	// interpreter is the dynamic loader that it asks for, "" if it is static.
	interpreter string
	// dynamic: it needs libraries.
	dynamic bool
}

// static reports whether the program runs without any other file.
func (p program) static() bool { return p.interpreter == "" && !p.dynamic }

// inspect reads the headers of an ELF file.
func inspect(r io.ReaderAt) (p program, err error) {
	// The standard library's reader has panicked on broken files before.
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("it is a broken ELF file: %v", broken)
		}
	}()
	f, err := elf.NewFile(r)
	if err != nil {
		return program{}, err
	}
	defer f.Close()
	switch f.Machine {
	case elf.EM_X86_64:
		p.arch = "amd64"
	case elf.EM_AARCH64:
		p.arch = "arm64"
	}
	for _, s := range f.Progs {
		if s.Type != elf.PT_INTERP {
			continue
		}
		if s.Filesz > 4096 {
			return program{}, errors.New("the name of its loader is too long")
		}
		name := make([]byte, s.Filesz)
		if _, err := s.ReadAt(name, 0); err != nil {
			return program{}, fmt.Errorf("the name of its loader cannot be read: %w", err)
		}
		p.interpreter, _, _ = strings.Cut(string(name), "\x00")
	}
	libraries, err := f.ImportedLibraries()
	p.dynamic = len(libraries) > 0
	return p, err
}

func inspectFile(name string) (program, error) {
	f, err := os.Open(name)
	if err != nil {
		return program{}, err
	}
	defer f.Close()
	p, err := inspect(f)
	if err != nil {
		return program{}, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// loaders are where the dynamic loader of each processor is, for libraries,
// which do not name it.
var loaders = map[string]string{"amd64": "/lib64/ld-linux-x86-64.so.2", "arm64": "/lib/ld-linux-aarch64.so.1"}

// libraries returns the paths of all libraries that an ELF file needs, and of
// its loader, by asking the loader, as ldd does.
func libraries(ctx context.Context, name string) ([]string, error) {
	p, err := inspectFile(name)
	if err != nil || p.static() {
		return nil, err
	}
	loader := p.interpreter
	if loader == "" {
		loader = loaders[p.arch]
	}
	out, err := exec.CommandContext(ctx, loader, "--list", name).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("finding the libraries of %s: %w: %s", name, err, firstLine(string(out)))
	}
	found, err := parseLibraries(string(out))
	if err != nil {
		return nil, fmt.Errorf("finding the libraries of %s: %w", name, err)
	}
	if !slices.Contains(found, loader) {
		found = append(found, loader)
	}
	return found, nil
}

// parseLibraries reads what a dynamic loader lists: lines such as
// "libm.so.6 => /lib/libm.so.6 (0x7f00)", and the loader's own without arrow.
func parseLibraries(text string) ([]string, error) {
	var found []string
	for line := range strings.Lines(text) {
		name, at, arrow := strings.Cut(strings.TrimSpace(line), " => ")
		if !arrow {
			at = name
		}
		at, _, _ = strings.Cut(at, " (")
		switch {
		case strings.HasPrefix(at, "not found"):
			return nil, fmt.Errorf("there is no %s", name)
		case filepath.IsAbs(at) && !slices.Contains(found, filepath.Clean(at)):
			found = append(found, filepath.Clean(at))
		}
	}
	return found, nil
}

// addLibraries adds all that ELF files need, at the paths where their loader
// looks first.
func (a archive) addLibraries(ctx context.Context, names ...string) error {
	for _, name := range names {
		found, err := libraries(ctx, name)
		if err != nil {
			return err
		}
		for _, library := range found {
			a.addFile(library, library, 0o755)
		}
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
