package command

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/flowtwin/flowtwin/benchmarks/bodies"
	"github.com/flowtwin/flowtwin/scenarios/workflowfile"
)

// strict is a Call that has an input and a list, and takes each output once.
type strict struct {
	bodies.Call
	t      *testing.T
	posted []string
}

func (s *strict) Index() (int, int)      { return 1, 3 }
func (s *strict) Fan(string) int         { return 2 }
func (s *strict) Size(string, int) int64 { return 1 }

func (s *strict) Items(name string) ([][]byte, error) {
	if name != "start.parts" && name != "start.title" {
		return nil, errors.New("no such input")
	}
	return [][]byte{[]byte("a"), nil}, nil
}

func (s *strict) Input(name string) ([]byte, error) {
	items, err := s.Items(name)
	if err != nil {
		return nil, err
	}
	return items[0], nil
}

func (s *strict) Post(name string, _ []byte) error {
	if name != "one" || slices.Contains(s.posted, name) {
		return errors.New("not that")
	}
	s.posted = append(s.posted, name)
	return nil
}

func (s *strict) PostList(name string, items [][]byte) error {
	if name != "many" || len(items) != 2 || slices.Contains(s.posted, name) {
		s.t.Errorf("the list %s of %d items is posted", name, len(items))
	}
	s.posted = append(s.posted, name)
	return nil
}

func (s *strict) Choose(string) error { return errors.New("it is no switch") }

// Whatever a program asks has an answer, the task ends once, and a list is
// posted when all of its items are there.
func FuzzRequests(f *testing.F) {
	f.Add("GET /task\nGET /input/start.title\nGET /input/start.parts/0\nPOST /output/one\nPOST /output/many/1\nPOST /output/many/0\nPOST /done\nGET /task")
	f.Add("GET /input/start.parts/1\nPOST /output/many/-1\nPOST /choose/%2f\nPOST /failed\nPUT //x\nGET /input/../task")
	w, err := workflowfile.Parse("w", []byte("name: w\nfunctions:\n  start: {compute: 1s, outputs: {parts: {items: 2, size: 1}, title: 1}}\n"+
		"  work: {compute: 1s, inputs: [start.parts, start.title], outputs: {one: 1, many: {items: 2, size: 1}}}\n"))
	if err != nil {
		f.Fatal(err)
	}
	id, _ := w.Function("work")
	f.Fuzz(func(t *testing.T, requests string) {
		s, err := newSession(w, &w.Functions[id], &strict{t: t})
		if err != nil {
			t.Fatal(err)
		}
		r := &runtime{tasks: make(chan *session, 1), ended: make(chan struct{})}
		r.tasks <- s
		handler := r.handler()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		given := false
		for line := range bytes.SplitSeq([]byte(requests), []byte("\n")) {
			method, path, _ := bytes.Cut(line, []byte(" "))
			at, err := url.ParseRequestURI(string(path))
			if err != nil || at.Path == "/task" && given && r.current() == nil {
				continue // There is no other task to wait for.
			}
			q := (&http.Request{Method: string(method), URL: at, Body: http.NoBody, Header: http.Header{}, Proto: "HTTP/1.1", Host: "x"}).WithContext(ctx)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, q)
			given = given || at.Path == "/task" && answer.Code == http.StatusOK && string(method) == http.MethodGet
			if answer.Code >= 500 {
				t.Errorf("%s is answered with %d", line, answer.Code)
			}
		}
		s.end(nil)
		<-s.done
	})
}
