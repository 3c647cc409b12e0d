package images

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// executable is an ELF file that asks for a dynamic loader, unless that is "".
func executable(t testing.TB, machine elf.Machine, loader string) []byte {
	t.Helper()
	const head, entry = 64, 56
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: head, Ehsize: head, Phentsize: entry, Phnum: 1, Shentsize: 64,
	}
	p := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if loader != "" {
		loader += "\x00"
		p = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: head + entry, Filesz: uint64(len(loader)), Memsz: uint64(len(loader))}
	}
	var out bytes.Buffer
	for _, part := range []any{h, p, []byte(loader)} {
		if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestAProgramWithoutLoaderIsStatic(t *testing.T) {
	for _, test := range []struct {
		name   string
		data   []byte
		want   program
		static bool
	}{
		{"static", executable(t, elf.EM_X86_64, ""), program{arch: "amd64"}, true},
		{"dynamic", executable(t, elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2"), program{arch: "amd64", interpreter: "/lib64/ld-linux-x86-64.so.2"}, false},
		{"of another processor", executable(t, elf.EM_AARCH64, ""), program{arch: "arm64"}, true},
		{"of a processor that Docker is not for", executable(t, elf.EM_SPARC, ""), program{}, true},
	} {
		got, err := inspect(bytes.NewReader(test.data))
		if err != nil || got != test.want || got.static() != test.static {
			t.Errorf("%s: %+v, static %v, %v; want %+v, static %v", test.name, got, got.static(), err, test.want, test.static)
		}
	}
	for name, data := range map[string]string{"a script": "#!/bin/sh\n", "nothing": "", "half a file": string(executable(t, elf.EM_X86_64, "/lib/ld.so")[:130])} {
		if p, err := inspect(strings.NewReader(data)); err == nil {
			t.Errorf("%s is taken for %+v", name, p)
		}
	}
}

// The shell of most systems needs the C library, and that its loader.
func TestTheLibrariesOfAProgramAreFound(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("programs of this system are no ELF files")
	}
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	p, err := inspectFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	found, err := libraries(t.Context(), shell)
	if err != nil {
		t.Fatal(err)
	}
	if p.static() {
		if len(found) > 0 {
			t.Errorf("the static %s needs %q", shell, found)
		}
		return
	}
	if !slices.Contains(found, p.interpreter) || !slices.ContainsFunc(found, func(name string) bool { return strings.Contains(name, "libc.") }) {
		t.Errorf("%s needs %q, without the C library or the loader %s", shell, found, p.interpreter)
	}
	for _, name := range found {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestTheListOfALoaderIsRead(t *testing.T) {
	const list = "\tlinux-vdso.so.1 (0x00007fb8f4dbb000)\n" +
		"\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fb8f4cb7000)\n" +
		"\tlibjli.so => /opt/java/bin/../lib/libjli.so (0x1)\n" +
		"\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fb8f4cb7000)\n" +
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007fb8f4dbd000)\n"
	got, err := parseLibraries(list)
	want := []string{"/lib/x86_64-linux-gnu/libm.so.6", "/opt/java/lib/libjli.so", "/lib64/ld-linux-x86-64.so.2"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := parseLibraries("\tlibjemalloc.so.2 => not found\n"); err == nil || !strings.Contains(err.Error(), "libjemalloc.so.2") {
		t.Errorf("the error is %v, want one that names the library", err)
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(executable(f, elf.EM_X86_64, ""))
	f.Add(executable(f, elf.EM_X86_64, "/lib64/ld-linux-x86-64.so.2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := inspect(bytes.NewReader(data))
		if err == nil && len(p.interpreter) > len(data) {
			t.Errorf("a file of %d bytes has a loader with a name of %d", len(data), len(p.interpreter))
		}
	})
}

func FuzzParseLibraries(f *testing.F) {
	f.Add("\tlibm.so.6 => /lib/libm.so.6 (0x1)\n\t/lib64/ld.so (0x2)\n")
	f.Add("a => not found")
	f.Fuzz(func(t *testing.T, text string) {
		found, _ := parseLibraries(text)
		for _, name := range found {
			if !filepath.IsAbs(name) {
				t.Errorf("%q names the library %q", text, name)
			}
		}
	})
}
