package couchserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// What CouchDB answers is held against the suite of package conformance. Here
// is what only this server does.

func ask(s *Server, method, path, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	return recorder
}

func mustAsk(t *testing.T, s *Server, method, path, body string) string {
	t.Helper()
	answer := ask(s, method, path, body)
	if answer.Code >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func TestWithoutUsernameEveryoneIsAdministrator(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	mustAsk(t, s, "GET", "/_all_dbs", "")
	if got := mustAsk(t, s, "GET", "/_session", ""); !strings.Contains(got, "_admin") {
		t.Errorf("session %s", got)
	}
}

func TestWhatItDoesNotHaveItRefuses(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	for _, request := range []string{
		"GET /db/_changes", "POST /db/_index {}", "POST /db/_purge {}", "GET /db/_local/x", "PUT /db/a?new_edits=false {}",
		`POST /db/_bulk_docs {"docs":[],"new_edits":false}`, "GET /db/a?open_revs=all",
		`POST /db/_find {"selector":{"x":{"$regex":"a"}}}`, `PUT /db/a {"_attachments":{"x":{"follows":true}}}`,
	} {
		method, rest, _ := strings.Cut(request, " ")
		path, body, _ := strings.Cut(rest, " ")
		if answer := ask(s, method, path, body); answer.Code != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", request, answer.Code, answer.Body)
		}
	}
}

func TestSameChangesGiveSameRevisions(t *testing.T) {
	revisions := map[string]bool{}
	for range 2 {
		s := New("", "")
		mustAsk(t, s, "PUT", "/db", "")
		mustAsk(t, s, "PUT", "/db/a", `{"n": 1, "in": {"x": [1, 2]}}`)
		revisions[mustAsk(t, s, "PUT", "/db/b", `{"n":2}`)] = true
		revisions[mustAsk(t, s, "PUT", "/db/c/x", "data")] = true
	}
	if len(revisions) != 2 {
		t.Errorf("revisions %v, want two", revisions)
	}
}

func TestFieldsKeepTheirOrderAndWords(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	mustAsk(t, s, "PUT", "/db/a", `{"z": 1.0, "a": 12345678901234567890, "m": "\u00e4", "z": 1.50}`)
	got := mustAsk(t, s, "GET", "/db/a", "")
	if want := `,"z":1.50,"a":12345678901234567890,"m":"\u00e4"}`; !strings.HasSuffix(strings.TrimSpace(got), want) {
		t.Errorf("document %s, want it to end with %s", got, want)
	}
}

func TestLimits(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	answer := ask(s, "PUT", "/db/a", `{"x":"`+strings.Repeat("x", maxDocument)+`"}`)
	if answer.Code != http.StatusRequestEntityTooLarge || !strings.Contains(answer.Body.String(), "document_too_large") {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if _, err := readAll(strings.NewReader("12345"), -1, 4); err != errTooLarge {
		t.Errorf("5 bytes of 4: %v", err)
	}
	if got, err := readAll(strings.NewReader("12345"), 1<<60, 5); string(got) != "12345" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOldRevisionsAreForgottenInTheEnd(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	var answer struct{ Rev string }
	var first string
	for i := range revisionsKept + 10 {
		text := mustAsk(t, s, "PUT", "/db/a?rev="+answer.Rev, fmt.Sprintf(`{"n":%d}`, i))
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = answer.Rev
		}
	}
	if n := len(s.databases["db"].documents["a"].past); n != revisionsKept {
		t.Errorf("%d old revisions are kept", n)
	}
	if got := ask(s, "PUT", "/db/a/x?rev="+first, "").Body.String(); !strings.Contains(got, "missing_rev") {
		t.Errorf("the first revision is still known: %s", got)
	}
}

func TestTokensOfSessions(t *testing.T) {
	s, now := New("admin", "secret"), time.Now()
	token := s.token(now)
	for _, test := range []struct {
		name, token string
		at          time.Time
		want        bool
	}{
		{"at once", token, now, true},
		{"shortly before its end", token, now.Add(sessionLife - 2*time.Second), true},
		{"too late", token, now.Add(sessionLife + time.Second), false},
		{"of another server", New("admin", "secret").token(now), now, false},
		{"with another time", "7" + token, now, false},
		{"empty", "", now, false},
		{"nonsense", "x.%", now, false},
	} {
		if got := s.validToken(test.token, test.at); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The sizes are what a sum over all documents says, whatever happens at once.
func TestConcurrentChangesAreAccountedFor(t *testing.T) {
	s := New("", "")
	mustAsk(t, s, "PUT", "/db", "")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 200 {
				path := fmt.Sprintf("/db/doc%d", (i*7+j*3)%20)
				var current struct {
					Rev string `json:"_rev"`
				}
				json.Unmarshal(ask(s, "GET", path, "").Body.Bytes(), &current)
				switch j % 4 {
				case 0:
					ask(s, "PUT", path+"/att?rev="+current.Rev, strings.Repeat("x", j))
				case 1:
					ask(s, "DELETE", path+"?rev="+current.Rev, "")
				default:
					ask(s, "PUT", path+"?rev="+current.Rev, fmt.Sprintf(`{"n":%d}`, j))
				}
				ask(s, "GET", "/db/_all_docs?include_docs=true", "")
			}
		})
	}
	group.Wait()
	db := s.databases["db"]
	var live []string
	var active int64
	for id, h := range db.documents {
		active += h.current.size()
		if !h.current.deleted {
			live = append(live, id)
		}
	}
	slices.Sort(live)
	if active != db.active || !slices.Equal(live, db.live) {
		t.Errorf("active %d and live %v, want %d and %v", db.active, db.live, active, live)
	}
}

// Whatever a stranger sends, the answer is one: JSON that says what is wrong.
func FuzzRequests(f *testing.F) {
	for _, seed := range []struct{ method, path, contentType, encoding, body string }{
		{"PUT", "/db/a", "application/json", "", `{"_id":"x","n":[1,{"a":null}],"_attachments":{"x":{"data":"AAEC"}}}`},
		{"PUT", "/db/doc?rev=1-00000000000000000000000000000000", "application/json", "", `{"_rev":"1-x"}`},
		{"PUT", "/db/doc/att%2Fa+b/c", "text/plain", "gzip", "\x1f\x8b"},
		{"GET", "/db/doc/att", "", "", ""},
		{"GET", "/db/doc?attachments=true", "", "", ""},
		{"DELETE", "/db/doc/att", "", "", ""},
		{"POST", "/db/_bulk_docs", "application/json", "", `{"docs":[{"_id":"a"},{"_deleted":true},{"_attachments":{"x":{"stub":true}}}]}`},
		{"POST", "/db/_all_docs?startkey=%22a%22", "application/json", "", `{"keys":["doc","a"],"skip":1,"limit":0,"include_docs":true}`},
		{"GET", "/db/_all_docs?startkey=%22z%22&endkey=%22a%22&descending=false", "", "", ""},
		{"POST", "/db/_find", "application/json", "", `{"selector":{"n":{"$gt":1,"$lt":[]},"$or":[{"$not":{"a.b":{"$in":[1]}}}]},"fields":["a.b"],"limit":1}`},
		{"POST", "/db/_find", "application/json", "", `{"selector":{"$gt":1,"":{"$size":1.5},"x":{"$type":"x"}},"bookmark":"_w"}`},
		{"PUT", "/db/_security", "application/json", "", `{"members":{"names":[1]}}`},
		{"POST", "/_session", "application/x-www-form-urlencoded", "", "name=a&password=%zz"},
		{"DELETE", "/db", "", "", ""},
		{"GET", "/_uuids?count=-1", "", "", ""},
		{"PUT", "/%2F%00", "", "", ""},
		{"GET", "/db/_design/x/_view/y", "", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.contentType, seed.encoding, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, path, contentType, encoding, body string) {
		request, err := http.NewRequest(method, "http://couch"+path, strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return // No client could send it.
		}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Content-Encoding", encoding)
		s := New("", "")
		mustAsk(t, s, "PUT", "/db", "")
		mustAsk(t, s, "PUT", "/db/doc", `{"n":1,"a":{"b":["c"]},"_attachments":{"att":{"data":"AAEC"}}}`)
		recorder := httptest.NewRecorder()
		s.ServeHTTP(recorder, request)
		answer := recorder.Result()
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", method, path, text)
		}
		if answer.StatusCode >= 400 && !json.Valid(text) {
			t.Errorf("%s %s: the error is not JSON: %q", method, path, text)
		}
		if after := ask(s, "GET", "/db/_all_docs?include_docs=true", "").Body; !json.Valid(after.Bytes()) {
			t.Errorf("%s %s: the documents are no JSON any more: %s", method, path, after)
		}
	})
}

func BenchmarkAttachment(b *testing.B) {
	s := New("", "")
	ask(s, "PUT", "/db", "")
	for _, size := range []int{1 << 10, 1 << 20} {
		body := strings.Repeat("x", size)
		b.Run(fmt.Sprintf("put and get/%d", size), func(b *testing.B) {
			b.SetBytes(int64(2 * size))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				path := fmt.Sprintf("/db/%d/x", i)
				ask(s, "PUT", path, body)
				ask(s, "GET", path, "")
				ask(s, "DELETE", "/db", "")
				ask(s, "PUT", "/db", "")
			}
		})
	}
}
