package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// output is where a command's results go. It keeps the first error, so that a
// full disk is not taken for success.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(data []byte) (int, error) {
	n, err := o.Writer.Write(data)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// width is that of the terminal that a command's results go to, 0 if they go
// elsewhere.
func width(c *cobra.Command) int {
	if o, ok := c.OutOrStdout().(*output); ok {
		if file, ok := o.Writer.(*os.File); ok {
			if columns, _, err := term.GetSize(int(file.Fd())); err == nil {
				return columns
			}
		}
	}
	return 0
}

// progress shows how far a long piece of work has come: a bar on a terminal,
// a line every few seconds elsewhere.
type progress struct {
	out        io.Writer
	what, unit string

	mu          sync.Mutex
	bar         *progressbar.ProgressBar // nil if not on a terminal
	start, last time.Time
}

// newProgress begins to show the progress of a number of trials.
func newProgress(c *cobra.Command, what string, total int) *progress {
	p := &progress{out: c.ErrOrStderr(), unit: "trials"}
	p.begin(what, total)
	return p
}

// begin goes on to another piece of work.
func (p *progress) begin(what string, total int) {
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.start, p.last = what, time.Now(), time.Now()
	if file, ok := p.out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(file), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionUseANSICodes(true), progressbar.OptionSetElapsedTime(false))
		// A bar that cannot be drawn is no reason to stop.
		_ = p.bar.RenderBlank()
		go p.redraw(p.bar)
	}
}

// redraw draws a bar every second as long as it is there, so that its clock
// goes on.
func (p *progress) redraw(bar *progressbar.ProgressBar) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range tick.C {
		p.mu.Lock()
		gone := p.bar != bar
		if !gone {
			_ = bar.RenderBlank()
		}
		p.mu.Unlock()
		if gone {
			return
		}
	}
}

// set says that so much is done.
func (p *progress) set(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Set(done)
		return
	}
	if time.Since(p.last) > 5*time.Second {
		p.last = time.Now()
		fmt.Fprintf(p.out, "%s: %d of %d %s, %s\n", p.what, done, total, p.unit, time.Since(p.start).Round(time.Second))
	}
}

// say says something else, above the bar.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.out, text)
	if p.bar != nil {
		_ = p.bar.RenderBlank()
	}
}

// end clears the bar.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// writeJSON writes a value for machines.
func writeJSON(c *cobra.Command, v any) error {
	e := json.NewEncoder(c.OutOrStdout())
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
