package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/emu/function"
	"github.com/flowtwin/flowtwin/engine/workflow"
)

// Task is what a program is told of a task, as JSON.
type Task struct {
	Workflow string `json:"workflow"`
	Function string `json:"function"`
	// Index says on which item of the innermost foreach it works, and Of how
	// many: 0 and 1 outside of any.
	Index   int      `json:"index"`
	Of      int      `json:"of"`
	Inputs  []Input  `json:"inputs"`
	Outputs []Output `json:"outputs"`
	// Branches, of a switch, are those that it can take.
	Branches []string `json:"branches,omitempty"`
}

// Input is one that can be fetched, or its items if it is a list.
type Input struct {
	Name  string `json:"name"`
	List  bool   `json:"list"`
	Items int    `json:"items"`
}

// Output is one that has to be posted, or its items if it is a list. Sizes
// are those that the workflow states.
type Output struct {
	Name  string  `json:"name"`
	List  bool    `json:"list"`
	Sizes []int64 `json:"sizes"`
}

// session is a task that a program runs.
type session struct {
	task Task
	done chan struct{} // closed when it has ended
	err  error         // what went wrong, once it has

	// Requests may come at the same time, a call is for one at a time.
	mu    sync.Mutex
	call  bodies.Call
	ended bool
	wrong error // the first thing that the program got wrong
	lists map[string]*list
}

// list is one that is posted item by item.
type list struct {
	items [][]byte
	have  []bool
	left  int
}

func newSession(w *workflow.Workflow, f *workflow.Function, c bodies.Call) (*session, error) {
	s := &session{call: c, done: make(chan struct{}), lists: map[string]*list{}}
	t := &s.task
	t.Workflow, t.Function, t.Inputs, t.Outputs = w.Name, f.Name, []Input{}, []Output{}
	t.Index, t.Of = c.Index()
	for i, in := range f.Inputs {
		name := function.InputName(w, f, i)
		items, err := c.Items(name)
		if err != nil {
			return nil, err
		}
		many := in.Access == workflow.AccessAllItems || in.Access == workflow.AccessGather
		t.Inputs = append(t.Inputs, Input{name, many, len(items)})
	}
	for i := range f.Outputs {
		o := &f.Outputs[i]
		n := 1
		if o.List {
			n = c.Fan(o.Name)
			s.lists[o.Name] = &list{make([][]byte, n), make([]bool, n), n}
		}
		out := Output{Name: o.Name, List: o.List, Sizes: make([]int64, n)}
		for item := range out.Sizes {
			out.Sizes[item] = c.Size(o.Name, item)
		}
		t.Outputs = append(t.Outputs, out)
	}
	for _, b := range f.Branches {
		t.Branches = append(t.Branches, b.Name)
	}
	return s, nil
}

// end ends the task, once: what was wrong before counts more than err.
func (s *session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	if s.err = s.wrong; s.err == nil {
		s.err = err
	}
	close(s.done)
}

// finish posts the lists that have no items, of which nothing could be told,
// and ends the task.
func (s *session) finish() {
	s.mu.Lock()
	for name, l := range s.lists {
		if len(l.items) == 0 && s.wrong == nil && !s.ended {
			s.wrong = s.call.PostList(name, l.items)
		}
	}
	s.mu.Unlock()
	s.end(nil)
}

var (
	errNoTask  = errors.New("there is no task under way: ask for one with GET /task")
	errNoInput = errors.New("there is no such input")
)

// do uses the call on behalf of the program. What is wrong about a post fails
// the task.
func (s *session) do(posts bool, use func(bodies.Call) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errNoTask
	}
	err := use(s.call)
	if err != nil && posts && s.wrong == nil {
		s.wrong = err
	}
	return err
}

func (s *session) input(name, item string) (payload []byte, err error) {
	err = s.do(false, func(c bodies.Call) error {
		if item == "" {
			payload, err = c.Input(name)
		} else {
			var items [][]byte
			if items, err = c.Items(name); err == nil {
				payload, err = at(items, item)
			}
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errNoInput, err)
		}
		return nil
	})
	return payload, err
}

func at(items [][]byte, item string) ([]byte, error) {
	i, err := strconv.Atoi(item)
	switch {
	case err != nil || i < 0 || i >= len(items):
		return nil, fmt.Errorf("item %.20q of %d", item, len(items))
	case items[i] == nil:
		return nil, bodies.ErrAbsent
	}
	return items[i], nil
}

func (s *session) output(name, item string, payload []byte) error {
	return s.do(true, func(c bodies.Call) error {
		if item == "" {
			return c.Post(name, payload)
		}
		l := s.lists[name]
		if l == nil {
			return fmt.Errorf("%s has no list %.40q to post items of", s.task.Function, name)
		}
		i, err := strconv.Atoi(item)
		switch {
		case err != nil || i < 0 || i >= len(l.items):
			return fmt.Errorf("item %.20q of the list %s, of which the workflow wants %d", item, name, len(l.items))
		case l.have[i]:
			return fmt.Errorf("item %d of the list %s is posted twice", i, name)
		}
		l.items[i], l.have[i] = payload, true
		if l.left--; l.left > 0 {
			return nil
		}
		return c.PostList(name, l.items)
	})
}

// runtime is what a program asks.
type runtime struct {
	tasks chan *session
	ended chan struct{}

	mu  sync.Mutex
	now *session // the last one that was given out
}

// maxPayload is what a program may post at once, in bytes.
const maxPayload = 1 << 30

// handler answers its requests.
func (r *runtime) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /task", r.task)
	mux.HandleFunc("GET /input/{name}", r.input)
	mux.HandleFunc("GET /input/{name}/{item}", r.input)
	mux.HandleFunc("POST /output/{name}", r.output)
	mux.HandleFunc("POST /output/{name}/{item}", r.output)
	mux.HandleFunc("POST /choose/{branch}", r.choose)
	mux.HandleFunc("POST /done", r.done)
	mux.HandleFunc("POST /failed", r.failed)
	return mux
}

// task answers when there is one.
func (r *runtime) task(w http.ResponseWriter, q *http.Request) {
	if s := r.current(); s != nil {
		http.Error(w, "the last task is still under way: end it with POST /done or /failed", http.StatusConflict)
		return
	}
	select {
	case s := <-r.tasks:
		r.mu.Lock()
		r.now = s
		r.mu.Unlock()
		if q.Context().Err() != nil {
			s.end(errors.New("the program went away while it was given a task"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(&s.task); err != nil {
			s.end(fmt.Errorf("the program does not take its task: %w", err))
		}
	case <-q.Context().Done():
	case <-r.ended:
	}
}

// current returns the task under way, or nil.
func (r *runtime) current() *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		return nil
	}
	select {
	case <-r.now.done:
		return nil
	default:
		return r.now
	}
}

func (r *runtime) input(w http.ResponseWriter, q *http.Request) {
	s := r.current()
	if s == nil {
		answer(w, errNoTask)
		return
	}
	payload, err := s.input(q.PathValue("name"), q.PathValue("item"))
	if err != nil {
		answer(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
	_, _ = w.Write(payload) // Who has gone away misses nothing.
}

func (r *runtime) output(w http.ResponseWriter, q *http.Request) {
	s := r.current()
	if s == nil {
		answer(w, errNoTask)
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxPayload))
	if err == nil {
		err = s.output(q.PathValue("name"), q.PathValue("item"), payload)
	}
	answer(w, err)
}

func (r *runtime) choose(w http.ResponseWriter, q *http.Request) {
	s := r.current()
	if s == nil {
		answer(w, errNoTask)
		return
	}
	answer(w, s.do(true, func(c bodies.Call) error { return c.Choose(q.PathValue("branch")) }))
}

func (r *runtime) done(w http.ResponseWriter, _ *http.Request) {
	s := r.current()
	if s == nil {
		answer(w, errNoTask)
		return
	}
	s.finish()
	answer(w, nil)
}

func (r *runtime) failed(w http.ResponseWriter, q *http.Request) {
	s := r.current()
	if s == nil {
		answer(w, errNoTask)
		return
	}
	text, err := io.ReadAll(io.LimitReader(q.Body, 4096))
	if err != nil || len(text) == 0 {
		text = []byte("it does not say why")
	}
	s.end(fmt.Errorf("the program fails: %s", text))
	answer(w, nil)
}

// answer says that all is well, or what is wrong.
func answer(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errNoTask):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, errNoInput):
		http.Error(w, err.Error(), http.StatusNotFound)
	default:
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
