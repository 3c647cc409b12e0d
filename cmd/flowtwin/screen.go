package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a long piece of work has come: a bar on a terminal,
// a line every few seconds elsewhere.
type progress struct {
	what  string
	out   io.Writer
	bar   *progressbar.ProgressBar
	last  time.Time
	start time.Time
}

func newProgress(what string, quiet bool) *progress {
	p := &progress{what: what, out: os.Stderr, start: time.Now()}
	switch {
	case quiet:
		p.out = io.Discard
	case term.IsTerminal(int(os.Stderr.Fd())):
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionUseANSICodes(true), progressbar.OptionSetElapsedTime(false))
	}
	p.last = p.start
	return p
}

// set says that so much is done.
func (p *progress) set(done, total int) {
	if p.bar != nil {
		p.bar.ChangeMax(total)
		// A bar that cannot be drawn is no reason to stop.
		_ = p.bar.Set(done)
		return
	}
	if time.Since(p.last) > 5*time.Second {
		p.last = time.Now()
		fmt.Fprintf(p.out, "%s: %d of %d trials, %s\n", p.what, done, total, time.Since(p.start).Round(time.Second))
	}
}

// end clears the bar.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// writeJSON writes a value for machines.
func writeJSON(to io.Writer, v any) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
