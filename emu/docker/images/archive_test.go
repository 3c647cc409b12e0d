package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// An image of the same content is the same, whenever and in whatever order it
// was put together.
func TestAnArchiveDependsOnItsContentsOnly(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	a := archive{}
	a.addFile("/usr/bin/program", source, 0o755)
	a.mkdir("/tmp", 0o1777)
	a.link("/bin/sh", "busybox")
	b := archive{}
	b.link("bin/sh", "busybox")
	b.mkdir("tmp/", 0o1777)
	b.add("usr/bin/../bin/program", []byte("text"), 0o755)
	first, err := a.tar()
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.tar()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("the same content makes different archives")
	}

	var names []string
	for r := tar.NewReader(bytes.NewReader(first)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(packed) {
			t.Errorf("%s is of %d:%d and %s", h.Name, h.Uid, h.Gid, h.ModTime)
		}
		switch h.Name {
		case "tmp/":
			if h.Mode != 0o1777 {
				t.Errorf("/tmp has mode %o", h.Mode)
			}
		case "bin/sh":
			if h.Linkname != "busybox" {
				t.Errorf("/bin/sh is a link to %q", h.Linkname)
			}
		}
	}
	if want := []string{"bin/", "bin/sh", "tmp/", "usr/", "usr/bin/", "usr/bin/program"}; !slices.Equal(names, want) {
		t.Errorf("the archive has %q, want each directory before what is in it: %q", names, want)
	}
}

func TestATreeIsAddedWithWhatItsLinksPointTo(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for name, mode := range map[string]os.FileMode{filepath.Join(outside, "config"): 0o600, filepath.Join(dir, "tool"): 0o711} {
		if err := os.WriteFile(name, []byte(filepath.Base(name)), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"file": filepath.Join(outside, "config"), "dir": outside, "nowhere": "/does/not/exist"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	a := archive{}
	if err := a.addTree("/opt", dir); err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for name, f := range a {
		modes[name] = f.mode
	}
	if len(modes) != 3 || modes["opt/tool"] != 0o755 || modes["opt/file"] != 0o644 || modes["opt/dir/config"] != 0o644 {
		t.Errorf("the archive has the modes (decimal) %v", modes)
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	a := archive{}
	a.addFile("/flowtwin", filepath.Join(t.TempDir(), "gone"), 0o755)
	if _, err := a.tar(); err == nil {
		t.Error("an archive was made of a file that is not there")
	}
}

func TestOnlyAFileIsTakenFromAContainer(t *testing.T) {
	pack := func(h tar.Header, data string) []byte {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		h.Size = int64(len(data))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, data); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if data, err := onlyFile(bytes.NewReader(pack(tar.Header{Name: "a", Typeflag: tar.TypeReg}, "data"))); err != nil || string(data) != "data" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := onlyFile(bytes.NewReader(pack(tar.Header{Name: "a", Typeflag: tar.TypeDir}, ""))); err == nil {
		t.Error("a directory was taken for a file")
	}
	if _, err := onlyFile(bytes.NewReader(nil)); err == nil {
		t.Error("nothing was taken for a file")
	}
}
