package couchserver

import (
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Vendor is the name that the server gives itself in its greeting, where
// CouchDB's vendor is The Apache Software Foundation.
const Vendor = "flowtwin"

// Version is the version of CouchDB whose answers the server gives.
const Version = "3.5.0"

// CouchDB's own default limits, in bytes. The one on requests is lower than
// CouchDB's 4 GiB, because everything is kept in memory.
const (
	maxDocument   = 8_000_000
	maxAttachment = 1 << 30
	maxRequest    = 256 << 20
)

// Server is an http.Handler that answers as a CouchDB.
type Server struct {
	username, password string
	secret             []byte // signs the cookies of sessions

	mu        sync.RWMutex
	databases map[string]*database
}

// New returns an empty server with one administrator. If the username is
// empty, everyone is administrator, logged in or not.
func New(username, password string) *Server {
	secret := make([]byte, 32)
	rand.Read(secret) // It never fails.
	return &Server{username: username, password: password, secret: secret, databases: map[string]*database{}}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", Vendor+" couchserver")
	if err := s.serve(w, r); err != nil {
		sendError(w, err)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	path, err := splitPath(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	if len(path) == 1 && path[0] == "_session" {
		return s.session(w, r)
	}
	admin, err := s.authenticate(r)
	if err != nil {
		return err
	}
	method := r.Method
	if method == http.MethodHead { // net/http leaves the body away.
		method = http.MethodGet
	}
	if len(path) == 0 {
		return welcome(w, method)
	}
	switch path[0] {
	case "_up":
		return send(w, http.StatusOK, map[string]any{"status": "ok", "seeds": map[string]any{}})
	case "_uuids":
		return uuids(w, r)
	case "_all_dbs":
		if !admin {
			return errNotAdmin
		}
		return s.allDatabases(w)
	}
	switch {
	case len(path) == 1 && method == http.MethodPut:
		if !admin {
			return errNotAdmin
		}
		return s.create(w, path[0])
	case len(path) == 1 && method == http.MethodDelete:
		if !admin {
			return errNotAdmin
		}
		return s.delete(w, path[0])
	}
	s.mu.RLock()
	db := s.databases[path[0]]
	s.mu.RUnlock()
	switch {
	case db == nil:
		return errNoDatabase
	case !admin && !db.open():
		return errNotPermitted
	}
	c := &call{w: w, r: r, method: method, query: r.URL.Query(), name: path[0], db: db}
	if len(path) == 1 {
		return c.database()
	}
	return c.inside(admin, path[1:])
}

// splitPath returns the parts of a path. A slash within a part is escaped as
// %2F; a plus means a blank.
func splitPath(path string) ([]string, error) {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		part, err := url.QueryUnescape(part)
		if err != nil {
			return nil, badRequest("invalid path")
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func welcome(w http.ResponseWriter, method string) error {
	if method != http.MethodGet {
		return notAllowed("GET,HEAD")
	}
	return send(w, http.StatusOK, map[string]any{
		"couchdb": "Welcome", "version": Version, "vendor": map[string]string{"name": Vendor}, "features": []string{},
	})
}

func uuids(w http.ResponseWriter, r *http.Request) error {
	count := 1
	if text := r.URL.Query().Get("count"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return badRequest("count must be an integer that is not negative")
		}
		if n > 1000 {
			return badRequest("count parameter too large")
		}
		count = n
	}
	ids := make([]string, count)
	for i := range ids {
		ids[i] = newID()
	}
	return send(w, http.StatusOK, map[string]any{"uuids": ids})
}

func (s *Server) allDatabases(w http.ResponseWriter) error {
	s.mu.RLock()
	names := slices.AppendSeq([]string{}, maps.Keys(s.databases))
	s.mu.RUnlock()
	slices.Sort(names)
	return send(w, http.StatusOK, names)
}

func (s *Server) create(w http.ResponseWriter, name string) error {
	if err := validateDatabaseName(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.databases[name] != nil {
		return errDatabaseExists
	}
	s.databases[name] = newDatabase()
	w.Header().Set("Location", "/"+url.PathEscape(name))
	return send(w, http.StatusCreated, map[string]bool{"ok": true})
}

func (s *Server) delete(w http.ResponseWriter, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.databases[name] == nil {
		return errNoDatabase
	}
	delete(s.databases, name)
	return send(w, http.StatusOK, map[string]bool{"ok": true})
}

// call is one request about a database.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	method string // HEAD is GET
	query  url.Values
	name   string
	db     *database
}

// database answers requests about the database itself.
func (c *call) database() error {
	switch c.method {
	case http.MethodGet:
		n := c.db.statistics()
		return send(c.w, http.StatusOK, map[string]any{
			"db_name": c.name, "doc_count": n.documents, "doc_del_count": n.deleted,
			"update_seq": strconv.FormatUint(n.changes, 10), "purge_seq": "0", "compact_running": false,
			"sizes":   map[string]int64{"file": n.written, "active": n.active, "external": n.active},
			"cluster": map[string]int{"q": 1, "n": 1, "w": 1, "r": 1},
			"props":   map[string]any{}, "disk_format_version": 8, "instance_start_time": "0",
		})
	case http.MethodPost:
		e, err := c.edit()
		if err != nil {
			return err
		}
		if e.id == "" {
			e.id = newID()
		}
		return c.put(e)
	}
	return notAllowed("DELETE,GET,HEAD,POST")
}

// inside answers requests about something in the database.
func (c *call) inside(admin bool, path []string) error {
	switch path[0] {
	case "_all_docs":
		return c.allDocuments()
	case "_bulk_docs":
		return c.bulk()
	case "_find":
		return c.find()
	case "_security":
		if !admin && c.method != http.MethodGet {
			return errNotAdmin
		}
		return c.security()
	case "_ensure_full_commit":
		if c.method != http.MethodPost {
			return notAllowed("POST")
		}
		return send(c.w, http.StatusCreated, map[string]any{"ok": true, "instance_start_time": "0"})
	case "_design":
		if len(path) < 2 {
			return errMissing
		}
		path = append([]string{"_design/" + path[1]}, path[2:]...)
	case "_local", "_changes", "_index", "_explain", "_bulk_get", "_purge", "_revs_diff", "_missing_revs",
		"_compact", "_view_cleanup", "_revs_limit", "_design_docs", "_local_docs", "_partition", "_shards":
		return notImplemented(path[0])
	}
	if strings.HasPrefix(path[0], "_design/") && !admin && c.method != http.MethodGet {
		return errNotAdmin
	}
	if len(path) == 1 {
		return c.document(path[0])
	}
	return c.attachment(path[0], strings.Join(path[1:], "/"))
}

// requireJSON refuses bodies of other types, as CouchDB does for POST.
func (c *call) requireJSON() error {
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errNotJSON
	}
	return nil
}

// body reads a request's body, unpacked.
func (c *call) body(limit int64) ([]byte, error) {
	reader := io.Reader(c.r.Body)
	switch encoding := c.r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(http.MaxBytesReader(c.w, c.r.Body, limit))
		if err != nil {
			return nil, badRequest("invalid gzip data")
		}
		reader = unpacked
	default:
		return nil, &failure{http.StatusUnsupportedMediaType, "bad_content_type",
			"Only gzip and identity content-encodings are supported"}
	}
	return readAll(reader, c.r.ContentLength, limit)
}

// readAll reads up to limit bytes. The expected number is a stranger's word,
// and memory is only given for the first part of it.
func readAll(reader io.Reader, expected, limit int64) ([]byte, error) {
	body := make([]byte, 0, min(max(expected, 512), 1<<20)+1)
	for {
		n, err := reader.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		var tooLarge *http.MaxBytesError
		switch {
		case int64(len(body)) > limit, errors.As(err, &tooLarge):
			return nil, errTooLarge
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, badRequest("the body could not be read: %v", err)
		}
		if len(body) == cap(body) {
			body = slices.Grow(body, len(body))
		}
	}
}

func send(w http.ResponseWriter, status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	sendText(w, status, text)
	return nil
}

func sendText(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "must-revalidate")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // If the client is gone, so is the wish to tell it.
}

func sendError(w http.ResponseWriter, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{http.StatusInternalServerError, "unknown_error", err.Error()}
	}
	if f.status == http.StatusMethodNotAllowed {
		allowed, _ := strings.CutPrefix(strings.TrimSuffix(f.reason, " allowed"), "Only ")
		w.Header().Set("Allow", allowed)
	}
	text := appendString([]byte(`{"error":`), f.kind)
	text = appendString(append(text, `,"reason":`...), f.reason)
	sendText(w, f.status, append(text, '}'))
}
