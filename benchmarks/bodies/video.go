package bodies

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/flowtwin/flowtwin/engine/workflow"
)

// faasflowVideo transcodes a film in pieces.
func faasflowVideo() kit {
	return kit{"video", "ffmpeg", map[string]entry{
		"upload": {
			outputs: []string{"output_prefix", "preview_name", "gif", "mp4", "video_name", "user_name", "segment_time", "target_type", "split"},
			make: func(ctx context.Context, f *workflow.Function) (Body, error) {
				return filmOf(ctx, f, "mp4", "gif")
			},
		},
		"virtual1":       chooses("upload.split", "split", "default"),
		"simple_process": transcodes("upload.mp4", "content"),
		"split":          splits("upload.mp4", "pieces", ""),
		"transcode":      transcodes("split.pieces", "content"),
		"merge":          joins("transcode.content", "content"),
	}}
}

// dataflowerVideo does the same; its preview is made and thrown away.
func dataflowerVideo() kit {
	return kit{"video", "ffmpeg", map[string]entry{
		"upload": {
			outputs: []string{"user_name", "video_name", "segment_time", "target_type", "output_prefix", "split", "video"},
			make: func(ctx context.Context, f *workflow.Function) (Body, error) {
				return filmOf(ctx, f, "video", "")
			},
		},
		"upload_switch":  chooses("upload.split", "split", "default"),
		"simple_process": transcodes("upload.video", "transcoded_video"),
		"split":          splits("upload.video", "split_video", "split_keys"),
		"transcode":      transcodes("split.split_video", "transcoded_video"),
		"merge":          joins("transcode.transcoded_video", "merged_video"),
	}}
}

// How long films are. Their key frames are half a second apart, as they can be
// cut only there.
const (
	filmSeconds  = 12
	filmRate     = 25
	filmKeyEvery = 12
)

// Film makes a film of about size bytes: a test picture with noise.
func Film(ctx context.Context, size int) ([]byte, error) {
	return ffmpeg(ctx, "film.mp4", nil, "-f", "lavfi",
		"-i", fmt.Sprintf("testsrc=size=640x360:rate=%d:duration=%d,noise=alls=30:allf=t:all_seed=1", filmRate, filmSeconds),
		"-c:v", "mpeg4", "-pix_fmt", "yuv420p", "-g", strconv.Itoa(filmKeyEvery), "-b:v", strconv.Itoa(max(100_000, size*8/filmSeconds)), "film.mp4")
}

// filmOf returns a body that posts a film as large as the workflow says, then
// makes a preview of it, which it posts if there is an output for it.
func filmOf(ctx context.Context, f *workflow.Function, film, preview string) (Body, error) {
	data, err := Film(ctx, stated(f, film))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, c Call) error {
		if err := errors.Join(
			c.Post("output_prefix", []byte("joined")),
			c.Post("video_name", []byte("film.mp4")),
			c.Post("user_name", []byte("somebody")),
			// How the film is cut is the fan-out of the workflow; this is what
			// the artefact's split would go by.
			c.Post("segment_time", []byte("3")),
			c.Post("target_type", []byte("mp4")),
			c.Post("split", []byte("1")),
			c.Post(film, data),
		); err != nil {
			return err
		}
		gif, err := ffmpeg(ctx, "out.gif", files{"in": data}, "-i", "in", "-t", "3", "-vf", "fps=10,scale=320:-1", "out.gif")
		if err != nil || preview == "" {
			return err
		}
		return errors.Join(c.Post("preview_name", []byte("film.gif")), c.Post(preview, gif))
	}, nil
}

// splits is the body that cuts a film into as many pieces as the workflow
// wants, and posts their names if there is an output for them.
func splits(input, output, keys string) entry {
	outputs := []string{output}
	if keys != "" {
		outputs = append(outputs, keys)
	}
	return needsFFmpeg(func(ctx context.Context, c Call) error {
		film, err := c.Input(input)
		if err != nil {
			return err
		}
		pieces, err := splitFilm(ctx, film, c.Fan(output))
		if err != nil {
			return err
		}
		if err := c.PostList(output, pieces); err != nil || keys == "" {
			return err
		}
		names := make([]string, len(pieces))
		for i := range names {
			names[i] = fmt.Sprintf("film-%03d.mp4", i)
		}
		return postJSON(c, keys, names)
	}, outputs...)
}

// transcodes is the body that makes a film, or a piece of one, smaller.
func transcodes(input, output string) entry {
	return needsFFmpeg(func(ctx context.Context, c Call) error {
		film, err := c.Input(input)
		if err != nil {
			return err
		}
		name, err := targetName(c)
		if err != nil {
			return err
		}
		smaller, err := ffmpeg(ctx, name, files{"in": film}, "-i", "in", "-c:v", "mpeg4", "-q:v", "8", "-an", name)
		if err != nil {
			return err
		}
		return c.Post(output, smaller)
	}, output)
}

// joins is the body that puts pieces together.
func joins(input, output string) entry {
	return needsFFmpeg(func(ctx context.Context, c Call) error {
		pieces, err := c.Items(input)
		if err != nil {
			return err
		}
		name, err := targetName(c)
		if err != nil {
			return err
		}
		in, list := files{}, ""
		for i, piece := range pieces {
			if piece == nil {
				return fmt.Errorf("piece %d: %w", i, ErrAbsent)
			}
			in[fmt.Sprintf("%03d", i)] = piece
			list += fmt.Sprintf("file '%03d'\n", i)
		}
		in["list"] = []byte(list)
		joined, err := ffmpeg(ctx, name, in, "-f", "concat", "-safe", "0", "-i", "list", "-c", "copy", name)
		if err != nil {
			return err
		}
		return c.Post(output, joined)
	}, output)
}

// needsFFmpeg is an entry whose body runs ffmpeg: that it is missing is found
// out before anything runs.
func needsFFmpeg(b Body, outputs ...string) entry {
	return entry{outputs: outputs, make: func(context.Context, *workflow.Function) (Body, error) {
		_, err := program("ffmpeg")
		_, probeErr := program("ffprobe")
		return b, cmp.Or(err, probeErr)
	}}
}

// targetName is the name of a file of the type that the uploader wants.
func targetName(c Call) (string, error) {
	kind, err := c.Input("upload.target_type")
	if err != nil {
		return "", err
	}
	if !regexp.MustCompile(`^[a-z0-9]{1,8}$`).Match(kind) {
		return "", fmt.Errorf("%.20q is no type of film, such as mp4", kind)
	}
	return "out." + string(kind), nil
}

// splitFilm cuts a film at key frames into n pieces of about the same length.
func splitFilm(ctx context.Context, film []byte, n int) ([][]byte, error) {
	if n < 1 {
		return nil, fmt.Errorf("a film cannot be cut into %d pieces", n)
	}
	dir, err := files{"in": film}.write()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	text, err := run(ctx, dir, "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", "in")
	if err != nil {
		return nil, err
	}
	seconds, err := parseNumber(bytes.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("the length of the film: %w", err)
	}
	args := []string{"-i", "in", "-map", "0:v", "-c", "copy", "-f", "segment", "-reset_timestamps", "1", "-segment_format", "mp4"}
	if n == 1 {
		args = append(args, "-segment_time", strconv.FormatFloat(seconds+1, 'f', 3, 64))
	} else {
		var times []string
		for i := 1; i < n; i++ {
			times = append(times, strconv.FormatFloat(seconds*float64(i)/float64(n), 'f', 3, 64))
		}
		args = append(args, "-segment_times", strings.Join(times, ","))
	}
	if err := ffmpegIn(ctx, dir, append(args, "piece-%05d")...); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(dir, "piece-*")) // In order.
	if err != nil {
		return nil, err
	}
	if len(names) != n {
		return nil, fmt.Errorf("the film has been cut into %d pieces, not %d: it has too few key frames", len(names), n)
	}
	pieces := make([][]byte, n)
	for i, name := range names {
		if pieces[i], err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	return pieces, nil
}

// Running ffmpeg.

// files are what a program is to find in its directory.
type files map[string][]byte

// write writes them into a new directory, which the caller removes.
func (f files) write() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "flowtwin-film-"); err != nil {
		return "", fmt.Errorf("a place for films: %w", err)
	}
	for name, data := range f {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", errors.Join(fmt.Errorf("a place for films: %w", err), os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// ffmpeg runs it on some files and returns the one that it makes.
func ffmpeg(ctx context.Context, makes string, in files, args ...string) ([]byte, error) {
	dir, err := in.write()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := ffmpegIn(ctx, dir, args...); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, makes))
}

// ffmpegIn runs ffmpeg such that the same input gives the same output.
func ffmpegIn(ctx context.Context, dir string, args ...string) error {
	last := len(args) - 1
	all := append([]string{"-nostdin", "-v", "error", "-y"}, args[:last]...)
	_, err := run(ctx, dir, "ffmpeg", append(all, "-bitexact", "-threads", "1", args[last])...)
	return err
}

// run runs a program and returns what it prints.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	path, err := program(name)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, path, args...)
	var told bytes.Buffer
	c.Dir, c.Stderr = dir, &told
	out, err := c.Output()
	if err != nil {
		return nil, cmp.Or(ctx.Err(), fmt.Errorf("%s: %w: %.300s", name, err, bytes.TrimSpace(told.Bytes())))
	}
	return out, nil
}

// program finds ffmpeg or ffprobe.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed: install ffmpeg, which brings it (apt-get install ffmpeg, dnf install ffmpeg-free, brew install ffmpeg)", name)
	}
	return path, nil
}
