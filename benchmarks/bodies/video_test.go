package bodies_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
)

// frames counts the pictures of a film.
func frames(t *testing.T, film []byte) int {
	t.Helper()
	name := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(name, film, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Trim(string(out), " ,\n"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func needFFmpeg(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("needs ffmpeg and ffprobe: apt-get install ffmpeg")
		}
	}
}

// No picture of a film is lost or doubled: those of the pieces, transcoded or
// not, add up to those of the film, and the joined one has as many.
func TestFramesOfThePiecesAddUp(t *testing.T) {
	needFFmpeg(t)
	for _, test := range []struct{ name, size, film, pieces, transcoded, joined string }{
		{"faasflow/video", "mp4: 5MB", "upload.mp4", "split.pieces", "transcode.content", "merge.content"},
		{"dataflower/video", "size: 21.8MB", "upload.video", "split.split_video", "transcode.transcoded_video", "merge.merged_video"},
	} {
		small := strings.Split(test.size, ":")[0] + ": 2MB"
		w := builtIn(t, test.name, test.size, small)
		all, taken := runAll(t, w)
		for s, branch := range taken {
			if branch != "split" {
				t.Errorf("%s takes the branch %s", s, branch)
			}
		}
		film := all[test.film][0]
		if len(film) < 1_800_000 || len(film) > 2_200_000 {
			t.Errorf("%s: the film has %d bytes, the workflow says 2 MB", test.name, len(film))
		}
		want := frames(t, film)
		if want != 12*25 {
			t.Errorf("the film has %d frames", want)
		}
		for _, of := range []string{test.pieces, test.transcoded, test.joined} {
			sum := 0
			for _, piece := range all[of] {
				sum += frames(t, piece)
			}
			if sum != want {
				t.Errorf("%s has %d frames in %d pieces, the film has %d", of, sum, len(all[of]), want)
			}
		}
		if gif := all["upload.gif"]; test.name == "faasflow/video" && string(gif[0][:4]) != "GIF8" {
			t.Errorf("the preview begins with %q", gif[0][:4])
		}
	}
}

// A film that is not split is transcoded as one.
func TestAWholeFilmIsTranscoded(t *testing.T) {
	needFFmpeg(t)
	film, err := bodies.Film(t.Context(), 300_000)
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, builtIn(t, "faasflow/video"), "simple_process", data{"upload.mp4": {film}, "upload.target_type": {[]byte("avi")}})["simple_process.content"][0]
	if string(out[:4]) != "RIFF" || frames(t, out) != frames(t, film) {
		t.Errorf("it begins with %q and has %d frames", out[:4], frames(t, out))
	}
}

// What is no film, no type of film, or cannot be cut so often, is an error.
func TestWhatIsNoFilm(t *testing.T) {
	needFFmpeg(t)
	film, err := bodies.Film(t.Context(), 300_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		function, fan string
		in            data
		want          string
	}{
		{"split", "3", data{"upload.mp4": {[]byte("no film")}}, "ffprobe"},
		{"split", "200", data{"upload.mp4": {film}}, "key frames"},
		{"transcode", "3", data{"split.pieces": {film}, "upload.target_type": {[]byte("../mp4")}}, "type of film"},
		{"transcode", "3", data{"split.pieces": {[]byte("no film")}, "upload.target_type": {[]byte("mp4")}}, "ffmpeg"},
	} {
		w := builtIn(t, "faasflow/video", "items: 3", "items: "+test.fan)
		id, _ := w.Function(test.function)
		body, err := bodies.Shipped{}.Body(t.Context(), w, test.function)
		if err != nil {
			t.Fatal(err)
		}
		if err := body(t.Context(), &task{workflow: w, function: &w.Functions[id], all: test.in}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want something about %s", test.function, err, test.want)
		}
	}
}

// Without ffmpeg, that is found out before anything runs, with what to do.
func TestFFmpegIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, function := range []string{"upload", "split", "transcode", "merge"} {
		_, err := bodies.Shipped{}.Body(t.Context(), builtIn(t, "faasflow/video"), function)
		if err == nil || !strings.Contains(err.Error(), "apt-get install ffmpeg") {
			t.Errorf("%s: %v", function, err)
		}
	}
}

// ffmpeg is ended with the task.
func TestAFilmIsInterrupted(t *testing.T) {
	needFFmpeg(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := bodies.Film(ctx, 50_000_000); err == nil || ctx.Err() == nil {
		t.Errorf("%v", err)
	}
}
