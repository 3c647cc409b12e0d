package sweep

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOnlyDirectoriesOfDeadMakersAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine, err := MakeTemp("test")
	if err != nil {
		t.Fatal(err)
	}
	left, err := MakeTemp("test")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(left, ownerFile), ended(t).String())
	write(filepath.Join(left, "big"), "data")
	others := filepath.Join(os.TempDir(), "flowtwin-others")
	if err := os.Mkdir(others, 0o700); err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(os.TempDir(), "flowtwin-odd")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(odd, ownerFile), "nobody")
	write(filepath.Join(os.TempDir(), "flowtwin-file"), "")
	if err := os.Symlink(left, filepath.Join(os.TempDir(), "flowtwin-link")); err != nil {
		t.Fatal(err)
	}

	removed, err := SweepTemp(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(removed) != 1 || removed[0].Name != left || removed[0].Kind != "directory" {
		t.Errorf("removed %+v, want %s only", removed, left)
	}
	for name, there := range map[string]bool{mine: true, left: false, others: true, odd: true} {
		if _, err := os.Stat(name); (err == nil) != there {
			t.Errorf("%s is there: %v, want %v", name, err == nil, there)
		}
	}
	if removed, err = SweepTemp(true); err != nil || len(removed) != 1 || removed[0].Name != mine {
		t.Errorf("of all, %+v was removed, %v, want %s only", removed, err, mine)
	}
}
