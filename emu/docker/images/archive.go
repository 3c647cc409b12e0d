package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is one of an image: what it holds, or where it is on this machine.
type file struct {
	data   []byte
	source string
	link   string // where a symbolic link points
	mode   int64
	dir    bool
}

// archive is what an image is made of, by path without the leading slash.
type archive map[string]file

func (a archive) add(name string, data []byte, mode int64) {
	a[clean(name)] = file{data: data, mode: mode}
}

func (a archive) addFile(name, source string, mode int64) {
	a[clean(name)] = file{source: source, mode: mode}
}

func (a archive) link(name, target string) { a[clean(name)] = file{link: target, mode: 0o777} }

func (a archive) mkdir(name string, mode int64) { a[clean(name)] = file{dir: true, mode: mode} }

// addTree adds all files below a directory. Links are followed, because what
// they point to may be elsewhere.
func (a archive) addTree(name, dir string) error {
	return filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		info, err := os.Stat(at)
		switch {
		case err != nil:
			return nil // A link to nowhere: packages have some.
		case !info.IsDir():
			a.addFile(path.Join(name, filepath.ToSlash(below)), at, 0o644|int64(info.Mode().Perm()&0o111))
		case entry.Type()&fs.ModeSymlink != 0:
			resolved, err := filepath.EvalSymlinks(at)
			if err != nil {
				return err
			}
			return a.addTree(path.Join(name, filepath.ToSlash(below)), resolved)
		}
		return nil
	})
}

func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// tar returns the archive as bytes. They depend on nothing but names, modes
// and contents: all is root's, and of the same time.
func (a archive) tar() ([]byte, error) {
	all := archive{}
	for name, f := range a {
		all[name] = f
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := a[dir]; !ok {
				all[dir] = file{dir: true, mode: 0o755}
			}
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		if err := all[name].write(w, name); err != nil {
			return nil, fmt.Errorf("putting %s into an image: %w", name, err)
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// packed is the time of all files of an image.
var packed = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (f file) write(w *tar.Writer, name string) error {
	h := tar.Header{Name: name, Mode: f.mode, ModTime: packed, Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	switch {
	case f.dir:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		return w.WriteHeader(&h)
	case f.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		return w.WriteHeader(&h)
	case f.source == "":
		h.Size = int64(len(f.data))
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write(f.data)
		return err
	}
	source, err := os.Open(f.source)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := w.WriteHeader(&h); err != nil {
		return err
	}
	_, err = io.Copy(w, source)
	return err
}
