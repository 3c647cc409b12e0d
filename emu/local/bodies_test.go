package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"gonum.org/v1/gonum/mat"

	"github.com/flowtwin/flowtwin/benchmarks"
	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/emu/function/command"
	"github.com/flowtwin/flowtwin/emu/local"
	"github.com/flowtwin/flowtwin/engine"
	"github.com/flowtwin/flowtwin/engine/workflow"
	"github.com/flowtwin/flowtwin/results/record"
	"github.com/flowtwin/flowtwin/scenarios"
)

// listener hears what bodies post and choose.
type listener struct {
	from function.Bodies

	mu    sync.Mutex
	heard map[string][][][]byte // by "function.output": each time it was posted, the items
}

func (l *listener) Body(ctx context.Context, w *workflow.Workflow, function string) (bodies.Body, error) {
	body, err := l.from.Body(ctx, w, function)
	return func(ctx context.Context, c bodies.Call) error {
		return body(ctx, &overheard{c, l, function})
	}, err
}

func (l *listener) GlobalInput(w *workflow.Workflow, function string, n int) ([]byte, error) {
	return l.from.GlobalInput(w, function, n)
}

func (l *listener) hear(name string, items [][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard[name] = append(l.heard[name], items)
}

type overheard struct {
	bodies.Call
	by       *listener
	function string
}

func (o *overheard) Post(output string, payload []byte) error {
	o.by.hear(o.function+"."+output, [][]byte{payload})
	return o.Call.Post(output, payload)
}

func (o *overheard) PostList(output string, items [][]byte) error {
	o.by.hear(o.function+"."+output, items)
	return o.Call.PostList(output, items)
}

func (o *overheard) Choose(branch string) error {
	o.by.hear(o.function, [][]byte{[]byte(branch)})
	return o.Call.Choose(branch)
}

// last returns what was posted for each of n invocations, which is the same.
func (l *listener) last(t *testing.T, n int, name string) [][]byte {
	t.Helper()
	all := l.heard[name]
	if len(all) != n {
		t.Fatalf("%s was posted %d times, want %d", name, len(all), n)
	}
	for _, one := range all {
		if !slices.EqualFunc(one, all[0], bytes.Equal) {
			t.Errorf("%s is not the same for all invocations", name)
		}
	}
	return all[0]
}

// kept keeps the records of a trial.
type kept struct {
	invocations []record.Invocation
	tasks       []record.Task
}

func (k *kept) Invocation(i *record.Invocation) { k.invocations = append(k.invocations, *i) }
func (k *kept) Task(t *record.Task)             { k.tasks = append(k.tasks, *t) }
func (k *kept) WantsTasks() bool                { return true }

const invocations = 2

// really runs two invocations of a built-in workflow, some of its text
// replaced, with its real bodies under a scheduler.
func really(t *testing.T, scheduler, name string, oldnew ...string) (*listener, *kept) {
	t.Helper()
	l := &listener{from: bodies.Shipped{}, heard: map[string][][][]byte{}}
	k := runWith(t, l, func(text string) { t.Error(text) }, scheduler, name, oldnew...)
	for _, i := range k.invocations {
		if i.Outcome != engine.Completed {
			t.Errorf("invocation %d: %v", i.Number, i.Outcome)
		}
	}
	return l, k
}

func real(b function.Bodies) function.Work {
	return function.Work{Does: "run real bodies", Compute: function.Sleep, Bodies: b}
}

func runWith(t *testing.T, b function.Bodies, warn func(string), scheduler, name string, oldnew ...string) *kept {
	t.Helper()
	source, err := benchmarks.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	dir, file := t.TempDir(), filepath.Base(name)+".yaml"
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.NewReplacer(oldnew...).Replace(string(source))), 0o644); err != nil {
		t.Fatal(err)
	}
	return runFile(t, b, warn, scheduler, dir, file)
}

// runFile runs two invocations of the workflow in a file.
func runFile(t *testing.T, b function.Bodies, warn func(string), scheduler, dir, file string) *kept {
	t.Helper()
	plan, err := scenarios.Parse("test.yaml", []byte("name: test\nworkflows: ["+file+"]\ncluster: {workers: 3}\nload: {clients: 1, limit: 2}\n"+
		"schedulers: ["+scheduler+"]\nprofile: ideal\ntasks: true\n"), dir, scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{}
	w, err := local.New(t.Context(), local.Options{Work: real(b), Warn: warn})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := w.Run(ctx, plan.Trial(0, 0), k); err != nil {
		t.Fatal(err)
	}
	if len(k.invocations) != invocations {
		t.Errorf("%d invocations", len(k.invocations))
	}
	return k
}

// each runs a test under the three presets.
func each(t *testing.T, test func(t *testing.T, scheduler string)) {
	for _, scheduler := range []string{"mastersp", "faasflow", "dataflower"} {
		t.Run(scheduler, func(t *testing.T) { test(t, scheduler) })
	}
}

// The counts that merge posts are those of the books that start posts, counted
// here in one piece.
func TestWordsAreReallyCounted(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		l, k := really(t, scheduler, "faasflow/wordcount")
		want := map[string]int{}
		for word := range bytes.FieldsFuncSeq(bytes.Join(l.last(t, invocations, "start.file"), nil), func(r rune) bool { return strings.ContainsRune(" \n.,", r) }) {
			want[strings.ToLower(string(word))]++
		}
		var got map[string]int
		if err := json.Unmarshal(l.last(t, invocations, "merge.result")[0], &got); err != nil {
			t.Fatal(err)
		}
		if len(want) < 5000 || !maps.Equal(got, want) {
			t.Errorf("%d words, want %d, or other counts", len(got), len(want))
		}
		// Tasks take the time that they take, not what the workflow says.
		for _, task := range k.tasks {
			if task.Compute <= 0 || task.Function == 0 && task.Compute > 19*engine.Millisecond {
				t.Errorf("function %d computes for %d ns", task.Function, task.Compute)
			}
		}
	})
}

// The singular values that merge posts are those of the whole matrix, and its
// vectors bring the matrix into columns that are as long and orthogonal.
func TestMatricesAreReallyDecomposed(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		l, _ := really(t, scheduler, "dataflower/svd", "size: 1048786", "size: 16400")
		blocks := l.last(t, invocations, "start.matrix")
		a := mat.NewDense(16*64, 64, nil)
		for i, data := range blocks {
			block, err := bodies.ParseBlock(data)
			if err != nil {
				t.Fatal(err)
			}
			a.Slice(i*64, (i+1)*64, 0, 64).(*mat.Dense).Copy(block)
		}
		var whole mat.SVD
		if !whole.Factorize(a, mat.SVDNone) {
			t.Fatal("it does not converge")
		}
		s, vt, err := bodies.ParseFactors(l.last(t, invocations, "merge.res")[0])
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range whole.Values(nil) {
			if math.Abs(s[j]-v) > 1e-9*v {
				t.Errorf("singular value %d is %v, want %v", j, s[j], v)
			}
		}
		var us, squares mat.Dense
		us.Mul(a, vt.T())
		squares.Mul(us.T(), &us)
		for i := range 64 {
			for j := range 64 {
				want := 0.0
				if i == j {
					want = s[i] * s[i]
				}
				if math.Abs(squares.At(i, j)-want) > 1e-9*s[0]*s[0] {
					t.Errorf("(AV)ᵀAV has %v at %d, %d, want %v", squares.At(i, j), i, j, want)
				}
			}
		}
	})
}

// The HTML and the mood are those of the notes, whose title is the global
// input that was written before the run.
func TestFilesAreReallyProcessed(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		l, _ := really(t, scheduler, "faasflow/fileprocessing", "file: 29600094", "file: 300000")
		notes := l.last(t, invocations, "start.file")[0]
		if !bytes.HasPrefix(notes, []byte("# notes.md\n")) {
			t.Errorf("the notes begin with %.20q", notes)
		}
		var html bytes.Buffer
		if err := goldmark.Convert(notes, &html); err != nil {
			t.Fatal(err)
		}
		if got := l.last(t, invocations, "conversion.html")[0]; !bytes.Equal(got, html.Bytes()) {
			t.Errorf("%d bytes of HTML, want %d, or others", len(got), html.Len())
		}
		score, err := strconv.ParseFloat(string(l.last(t, invocations, "sentiment.score")[0]), 64)
		if want := bodies.Sentiment(notes); err != nil || math.Abs(score-want) > 1e-6 || score == 0 {
			t.Errorf("the mood is %v, %v, want %v", score, err, want)
		}
	})
}

// In DataFlower's version real verdicts decide: not the picture but its text is
// illegal, so words are hidden in it, and nothing above them.
func TestPicturesAreReallyRecognized(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		l, _ := really(t, scheduler, "dataflower/recognizer", "img: 2285881", "img: 300000",
			// Chance would decide otherwise.
			"to: [mosaic], probability: 0", "to: [mosaic], probability: 1", "to: [extract], probability: 1", "to: [extract], probability: 0",
			"to: [mosaic], probability: 1", "to: [mosaic], probability: 0", "to: [done], probability: 0", "to: [done], probability: 1")
		for name, want := range map[string]string{"adult_switch": "default", "violence_switch": "default", "censor_switch": "illegal", "censor.verdict": "2"} {
			if got := string(l.last(t, invocations, name)[0]); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		before, after := decode(t, l.last(t, invocations, "upload.img")[0]), decode(t, l.last(t, invocations, "mosaic.content")[0])
		differ := 0
		size := before.Bounds().Size()
		for y := range size.Y {
			for x := range size.X {
				if before.At(x, y) != after.At(x, y) {
					differ++
					if y < size.Y-3*13 {
						t.Fatalf("pixel %d, %d is above the text, and differs", x, y)
					}
				}
			}
		}
		// The pixels of "verdammte" and "bloeden", less those that keep their colour.
		if most := (9 + 7) * 7 * 13; differ < most/2 || differ > most {
			t.Errorf("%d pixels differ, of %d at most", differ, most)
		}
	})
}

// In FaaSFlow's version the uploader's flag decides: no mosaic is made, though
// chance would have it made.
func TestFlagsOfPicturesAreReallyRead(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		l, k := really(t, scheduler, "faasflow/recognizer", "image: 986773", "image: 100000",
			"to: [mosaic], probability: 0", "to: [mosaic], probability: 1", "to: [extract], probability: 1", "to: [extract], probability: 0",
			"to: [END], probability: 1", "to: [END], probability: 0")
		for name, want := range map[string]string{"virtual1": "default", "virtual2": "default", "word_censor.filter_count": "2"} {
			if got := string(l.last(t, invocations, name)[0]); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if n := len(l.heard["mosaic.image"]); n > 0 || len(k.tasks) != invocations*6 {
			t.Errorf("%d mosaics, %d tasks", n, len(k.tasks))
		}
	})
}

// broken are the shipped bodies, but that one fails.
type broken struct {
	bodies.Shipped
	function string
}

func (b broken) Body(ctx context.Context, w *workflow.Workflow, function string) (bodies.Body, error) {
	if function == b.function {
		return func(context.Context, bodies.Call) error { return errors.New("it is broken") }, nil
	}
	return b.Shipped.Body(ctx, w, function)
}

// An invocation ends, as failed, if a body fails whenever it is tried, that of
// a switch as well; and why is told.
func TestBodiesThatFail(t *testing.T) {
	each(t, func(t *testing.T, scheduler string) {
		for _, function := range []string{"translate", "violence_switch"} {
			told := ""
			k := runWith(t, broken{function: function}, func(text string) { told += text }, scheduler, "dataflower/recognizer", "img: 2285881", "img: 30000")
			for _, i := range k.invocations {
				if i.Outcome != engine.Failed {
					t.Errorf("%s is broken, and an invocation has %v", function, i.Outcome)
				}
			}
			if !strings.Contains(told, "the body of "+function+": it is broken") {
				t.Errorf("%s is broken, and what is told is %q", function, told)
			}
		}
	})
}

// A workflow without bodies is refused before any of it runs.
func TestWorkflowWithoutBodies(t *testing.T) {
	plan, err := scenarios.Parse("test.yaml", []byte("name: test\nworkflows: [faasflow/genome]\ncluster: {workers: 3}\nload: {clients: 1, limit: 1}\nschedulers: [mastersp]\nprofile: ideal\n"), t.TempDir(), scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := local.New(t.Context(), local.Options{Work: real(bodies.Shipped{})})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context(), plan.Trial(0, 0), &kept{}); err == nil || !strings.Contains(err.Error(), "faasflow/genome") || !strings.Contains(err.Error(), "wordcount") {
		t.Errorf("%v", err)
	}
}

func decode(t *testing.T, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The program in the documentation does the work of the workflow there, under
// every preset.
func TestProgramOfTheDocumentation(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("needs python3")
	}
	page, err := os.ReadFile("../../docs/functions.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for language, name := range map[string]string{"yaml": "letters.yaml", "python": "function.py"} {
		_, text, found := strings.Cut(string(page), "```"+language+"\n")
		text, _, ends := strings.Cut(text, "```\n")
		if !found || !ends {
			t.Fatalf("the page has no %s", language)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	each(t, func(t *testing.T, scheduler string) {
		programs := command.New([]string{python, filepath.Join(dir, "function.py")}, bodies.Shipped{})
		defer programs.Close()
		l := &listener{from: programs, heard: map[string][][][]byte{}}
		runFile(t, l, func(text string) { t.Error(text) }, scheduler, dir, "letters.yaml")
		want := strings.Repeat("A", 10) + " " + strings.Repeat("B", 20) + " " + strings.Repeat("C", 30)
		if got := string(l.last(t, invocations, "join.text")[0]); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// No frame of a film is lost on its way through split, transcode and merge.
func TestFilmsAreReallyTranscoded(t *testing.T) {
	for _, name := range []string{"ffmpeg", "ffprobe"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("needs ffmpeg and ffprobe: apt-get install ffmpeg")
		}
	}
	frames := func(film []byte) int {
		name := filepath.Join(t.TempDir(), "film")
		if err := os.WriteFile(name, film, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.Trim(string(out), ", \n"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	l, _ := really(t, "dataflower", "dataflower/video", "size: 21.8MB", "size: 1MB")
	if branch := string(l.last(t, invocations, "upload_switch")[0]); branch != "split" {
		t.Errorf("the branch taken is %s", branch)
	}
	film, joined := l.last(t, invocations, "upload.video")[0], l.last(t, invocations, "merge.merged_video")[0]
	if want, got := frames(film), frames(joined); want < 100 || got != want || bytes.Equal(film, joined) {
		t.Errorf("the film has %d frames, the joined one %d", want, got)
	}
}
