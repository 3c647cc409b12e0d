// Package store is the remote store and the database of documents, over
// CouchDB: data as attachments, and whatever a scheme writes down as JSON.
package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/flowtwin/flowtwin/emu/services"
	"github.com/go-kivik/kivik/v4"
	"github.com/go-kivik/kivik/v4/couchdb"
	"github.com/go-kivik/kivik/v4/couchdb/chttp"
)

// ErrConflict says that a document was changed by another since its revision
// was read, or, for a new one, that it exists.
var ErrConflict = errors.New("conflict")

// Options say which server to use, and how.
type Options struct {
	// URL is the server's, with the administrator's name and password:
	// http://admin:secret@127.0.0.1:5984/
	URL string
	// Connections is how many connections are kept for the next request
	// (0: 256).
	Connections int
	// Dial opens connections (nil: nothing is added to them).
	Dial services.Dial
	// Meter counts the traffic (nil: one of the store's own).
	Meter *services.Meter
	// Hold, if set, is called when all of an object but the last bytes is on
	// its way, and holds these back for as long as it likes. The upload, of so
	// many bytes, has begun at a given time.
	Hold func(ctx context.Context, began time.Time, bytes int)
	// Unasked: it is known that there is a server, which may be out of reach for
	// the moment, and need not be asked what it is.
	Unasked bool
}

// Server is a CouchDB. It may be used by many goroutines.
type Server struct {
	client    *kivik.Client
	transport *http.Transport
	meter     *services.Meter
	hold      func(ctx context.Context, began time.Time, bytes int)
	served    string
}

// Open connects to a server. An error says that none answers there, or that
// it does not know the user.
func Open(ctx context.Context, o Options) (*Server, error) {
	s := &Server{meter: o.Meter, hold: o.Hold}
	if s.meter == nil {
		s.meter = new(services.Meter)
	}
	if o.Connections == 0 {
		o.Connections = 256
	}
	address, err := url.Parse(o.URL)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("%q is not the URL of a CouchDB; it looks like http://admin:secret@127.0.0.1:5984/", o.URL)
	}
	user := address.User
	address.User = nil
	dial := s.meter.Dial(o.Dial)
	s.transport = &http.Transport{ // Without a proxy, whatever the environment says.
		DialContext:         func(ctx context.Context, network, addr string) (net.Conn, error) { return dial(ctx, network, addr) },
		MaxIdleConnsPerHost: o.Connections, IdleConnTimeout: time.Minute, DisableCompression: true,
		ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
	}
	options := []kivik.Option{
		couchdb.OptionHTTPClient(&http.Client{Transport: s.transport}),
		couchdb.OptionNoRequestCompression(), // Puts are several times faster.
	}
	if user != nil {
		password, _ := user.Password()
		options = append(options, couchdb.BasicAuth(user.Username(), password))
	}
	if s.client, err = kivik.New("couch", address.String(), options...); err != nil {
		return nil, fmt.Errorf("CouchDB at %s: %w", address.Host, err)
	}
	if o.Unasked {
		return s, nil
	}
	if _, err := s.Databases(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("no CouchDB answers at %s, or it does not know the user: %w", address.Host, err)
	}
	version, err := s.client.Version(ctx)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("CouchDB at %s does not say its version: %w", address.Host, err)
	}
	s.served = name(version)
	return s, nil
}

// name says what greets like this.
func name(v *kivik.ServerVersion) string {
	switch v.Vendor {
	case "The Apache Software Foundation":
		return "CouchDB " + v.Version
	case "":
		return "unnamed server, CouchDB protocol"
	}
	return v.Vendor + " couchserver, CouchDB protocol"
}

// Served names the server and its version, for example "CouchDB 3.5.0".
func (s *Server) Served() string { return s.served }

// Traffic returns what has been done with the server so far.
func (s *Server) Traffic() services.Traffic { return s.meter.Traffic() }

// Close ends all connections.
func (s *Server) Close() error {
	err := s.client.Close()
	s.transport.CloseIdleConnections()
	return err
}

// Databases returns the names of all databases.
func (s *Server) Databases(ctx context.Context) ([]string, error) {
	return s.client.AllDBs(ctx)
}

// Database returns the database of that name, which is made if there is none.
func (s *Server) Database(ctx context.Context, name string) (*Database, error) {
	err := s.client.CreateDB(ctx, name)
	if err != nil && kivik.HTTPStatus(err) != http.StatusPreconditionFailed {
		return nil, fmt.Errorf("making the database %s: %w", name, err)
	}
	return s.Existing(name), nil
}

// Existing returns a database that there is, without asking.
func (s *Server) Existing(name string) *Database {
	return &Database{name: name, db: s.client.DB(name), meter: s.meter, hold: s.hold}
}

// Ping returns an error if the server does not answer.
func (s *Server) Ping(ctx context.Context) error {
	_, err := s.client.Version(ctx)
	return err
}

// DeleteDatabase deletes a database with all that is in it. Nothing is left,
// as it is of documents that are deleted. It is no error if there is none.
func (s *Server) DeleteDatabase(ctx context.Context, name string) error {
	err := s.client.DestroyDB(ctx, name)
	if err != nil && kivik.HTTPStatus(err) != http.StatusNotFound {
		return fmt.Errorf("deleting the database %s: %w", name, err)
	}
	return nil
}

// Database holds objects and documents. It may be used by many goroutines.
type Database struct {
	name  string
	db    *kivik.DB
	meter *services.Meter
	hold  func(ctx context.Context, began time.Time, bytes int)
}

// object is the attachment's name where a document holds one object.
const object = "object"

// guarded is the id of the document that holds all of an invocation's objects.
func guarded(invocation string) string { return services.Prefix(invocation) + "outputs" }

// Put stores a payload as a document of its own, in the place of what was
// there.
func (d *Database) Put(ctx context.Context, key services.Key, payload []byte) error {
	if err := key.Validate(); err != nil {
		return err
	}
	id := key.String()
	err := d.attach(ctx, id, object, "", key, payload)
	for errors.Is(err, ErrConflict) { // It was there already.
		var revision string
		if revision, err = d.db.GetRev(ctx, id); err == nil || kivik.HTTPStatus(err) == http.StatusNotFound {
			err = d.attach(ctx, id, object, revision, key, payload)
		}
	}
	if err != nil {
		return fmt.Errorf("putting %s into the store: %w", key, err)
	}
	return nil
}

// PutGuarded stores a payload as a part of the document that holds all of its
// invocation's objects, as the FaaSFlow artefact does: the document is read
// for its revision, then the payload is sent. The error is [ErrConflict] if
// another was quicker. The payload has then been sent in vain, and the caller
// is to try again.
func (d *Database) PutGuarded(ctx context.Context, key services.Key, payload []byte) error {
	if err := key.Validate(); err != nil {
		return err
	}
	id := guarded(key.Invocation)
	revision, err := d.GetDocument(ctx, id, nil)
	if err != nil && !errors.Is(err, services.ErrNotFound) {
		return fmt.Errorf("putting %s into the store: %w", key, err)
	}
	if err := d.attach(ctx, id, key.Name(), revision, key, payload); err != nil {
		if errors.Is(err, ErrConflict) {
			d.meter.Conflict(int64(len(payload)))
		}
		return fmt.Errorf("putting %s into the store: %w", key, err)
	}
	return nil
}

// attach makes a payload an attachment of a document.
func (d *Database) attach(ctx context.Context, id, name, revision string, key services.Key, payload []byte) error {
	trailer := services.Trailer(key.String(), payload)
	size := int64(len(payload) + len(trailer))
	began := time.Now()
	body := upload{size, func() (io.ReadCloser, error) {
		last := io.Reader(bytes.NewReader(trailer[:]))
		if d.hold != nil {
			last = &held{last, func() { d.hold(ctx, began, len(payload)) }}
		}
		return io.NopCloser(io.MultiReader(bytes.NewReader(payload), last)), nil
	}}
	options := []kivik.Option{body}
	if revision != "" {
		options = append(options, kivik.Rev(revision))
	}
	_, err := d.db.PutAttachment(ctx, id, &kivik.Attachment{
		Filename: attachmentPath(name), ContentType: "application/octet-stream", Content: http.NoBody,
	}, options...)
	if err != nil {
		return failed(err)
	}
	d.meter.Put(int64(len(payload)), size)
	return nil
}

// upload is a request's body of known size, which can be sent again on another
// connection if the server has closed one at the wrong moment.
type upload struct {
	size int64
	body func() (io.ReadCloser, error)
}

// Apply implements [kivik.Option].
func (u upload) Apply(target any) {
	if o, ok := target.(*chttp.Options); ok {
		o.ContentLength, o.GetBody = u.size, u.body
	}
}

// held is what can be read when a wait is over.
type held struct {
	io.Reader
	wait func()
}

// Read implements [io.Reader].
func (h *held) Read(p []byte) (int, error) {
	h.wait()
	h.wait = func() {}
	return h.Reader.Read(p)
}

// attachmentPath escapes a name as a part of a URL's path, which kivik leaves
// to its callers.
func attachmentPath(name string) string {
	return strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

// Get returns the payload of an object that was put with Put. The error is
// [services.ErrNotFound] if there is none, [services.ErrDamaged] if it is not
// what was put.
func (d *Database) Get(ctx context.Context, key services.Key) ([]byte, error) {
	return d.get(ctx, key.String(), object, key)
}

// GetGuarded returns the payload of an object that was put with PutGuarded.
func (d *Database) GetGuarded(ctx context.Context, key services.Key) ([]byte, error) {
	return d.get(ctx, guarded(key.Invocation), key.Name(), key)
}

func (d *Database) get(ctx context.Context, id, name string, key services.Key) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("getting %s from the store: %w", key, err) }
	attachment, err := d.db.GetAttachment(ctx, id, attachmentPath(name))
	if err != nil {
		return fail(failed(err))
	}
	defer attachment.Content.Close()
	var content bytes.Buffer
	content.Grow(int(min(max(attachment.Size, 0), 64<<20)) + bytes.MinRead)
	if _, err := content.ReadFrom(attachment.Content); err != nil {
		return fail(err)
	}
	payload, err := services.Open(key.String(), content.Bytes())
	if err != nil {
		return fail(err)
	}
	d.meter.Got(int64(len(payload)), int64(content.Len()))
	return payload, nil
}

// DeleteInvocation deletes all objects of an invocation, however they were
// put, and returns how many documents that were. CouchDB keeps a mark of each
// until its database is deleted.
func (d *Database) DeleteInvocation(ctx context.Context, invocation string) (int64, error) {
	if invocation == "" {
		return 0, errors.New("which invocation's objects shall be deleted from the store?")
	}
	first := services.Prefix(invocation)
	last := first[:len(first)-1] + "0" // What comes behind the slash.
	var deleted int64
	defer func() { d.meter.Deleted(deleted) }()
	// What is put meanwhile is found by the next round.
	for range 10 {
		documents, err := d.revisions(ctx, kivik.Params(map[string]any{
			"startkey": first, "endkey": last, "inclusive_end": false,
		}))
		if err != nil {
			return deleted, fmt.Errorf("deleting the objects of %s: %w", invocation, err)
		}
		if len(documents) == 0 {
			return deleted, nil
		}
		results, err := d.db.BulkDocs(ctx, documents)
		if err != nil {
			return deleted, fmt.Errorf("deleting the objects of %s: %w", invocation, err)
		}
		for _, r := range results {
			if r.Error == nil {
				deleted++
			}
		}
	}
	return deleted, fmt.Errorf("deleting the objects of %s: others are being put all the time", invocation)
}

// deletion is a document as it shall become.
type deletion struct {
	ID       string `json:"_id"`
	Revision string `json:"_rev"`
	Deleted  bool   `json:"_deleted"`
}

// revisions returns the deletions of the documents in a range.
func (d *Database) revisions(ctx context.Context, of kivik.Option) ([]any, error) {
	rows := d.db.AllDocs(ctx, of)
	defer rows.Close()
	var documents []any
	for rows.Next() {
		var value struct {
			Revision string `json:"rev"`
		}
		id, err := rows.ID()
		if err == nil {
			err = rows.ScanValue(&value)
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, deletion{id, value.Revision, true})
	}
	return documents, rows.Err()
}

// Usage is what a database holds, by the server's own count. Deleted documents
// leave a mark. Active and External are the bytes of all documents as they are,
// on disk and unpacked; File also has what was overwritten or deleted.
type Usage struct {
	Documents, Deleted     int64
	Active, External, File int64
}

// Usage asks the server what the database holds.
func (d *Database) Usage(ctx context.Context) (Usage, error) {
	n, err := d.db.Stats(ctx)
	if err != nil {
		return Usage{}, fmt.Errorf("asking for the sizes of the database %s: %w", d.name, failed(err))
	}
	return Usage{n.DocCount, n.DeletedCount, n.ActiveSize, n.ExternalSize, n.DiskSize}, nil
}

// PutDocument writes a document, which is encoded as JSON, and returns its new
// revision. The revision is that of the document that it replaces, "" if there
// is none; the error is [ErrConflict] if that is not so.
func (d *Database) PutDocument(ctx context.Context, id, revision string, document any) (string, error) {
	var options []kivik.Option
	if revision != "" {
		options = append(options, kivik.Rev(revision))
	}
	text, err := json.Marshal(document) // kivik would encode it in a goroutine of its own.
	if err != nil {
		return "", fmt.Errorf("writing the document %s: %w", id, err)
	}
	revision, err = d.db.Put(ctx, id, json.RawMessage(text), options...)
	if err != nil {
		return "", fmt.Errorf("writing the document %s: %w", id, failed(err))
	}
	d.meter.DocumentsPut(1)
	return revision, nil
}

// AddDocument writes a document under an id that the server makes up.
func (d *Database) AddDocument(ctx context.Context, document any) error {
	if _, _, err := d.db.CreateDoc(ctx, document); err != nil {
		return fmt.Errorf("writing a document into %s: %w", d.name, failed(err))
	}
	d.meter.DocumentsPut(1)
	return nil
}

// AddDocuments writes many documents at once. Those with an id that exists are
// not written; the error tells of the first.
func (d *Database) AddDocuments(ctx context.Context, documents []any) error {
	if len(documents) == 0 {
		return nil
	}
	results, err := d.db.BulkDocs(ctx, documents)
	if err != nil {
		return fmt.Errorf("writing %d documents into %s: %w", len(documents), d.name, failed(err))
	}
	written := int64(0)
	for _, r := range results {
		if r.Error == nil {
			written++
		} else if err == nil {
			err = fmt.Errorf("writing the document %s: %w", r.ID, failed(r.Error))
		}
	}
	d.meter.DocumentsPut(written)
	return err
}

// GetDocument reads a document into what its JSON decodes to (nil: nothing is
// decoded) and returns its revision.
func (d *Database) GetDocument(ctx context.Context, id string, document any) (revision string, err error) {
	found := d.db.Get(ctx, id)
	defer found.Close()
	if revision, err = found.Rev(); err == nil {
		var text json.RawMessage
		if document == nil {
			document = &text
		}
		err = found.ScanDoc(document)
	}
	if err != nil {
		return "", fmt.Errorf("reading the document %s: %w", id, failed(err))
	}
	d.meter.DocumentsGot(1)
	return revision, nil
}

// page is how many documents are asked for at a time.
const page = 1000

// Find calls see with each document that a selector matches, in CouchDB's
// language: {"function": "split"}, say. The document is only valid during the
// call.
func (d *Database) Find(ctx context.Context, selector map[string]any, see func(document json.RawMessage) error) error {
	bookmark := ""
	for {
		query := map[string]any{"selector": selector, "limit": page}
		if bookmark != "" {
			query["bookmark"] = bookmark
		}
		rows := d.db.Find(ctx, query)
		found, err := d.each(rows, see)
		if err != nil {
			return fmt.Errorf("looking for documents in %s: %w", d.name, err)
		}
		if found < page {
			return nil
		}
		metadata, err := rows.Metadata()
		if err != nil {
			return fmt.Errorf("looking for documents in %s: %w", d.name, err)
		}
		bookmark = metadata.Bookmark
	}
}

// All calls see with each document, in the order of their ids. The document is
// only valid during the call.
func (d *Database) All(ctx context.Context, see func(document json.RawMessage) error) error {
	_, err := d.each(d.db.AllDocs(ctx, kivik.Param("include_docs", true)), see)
	if err != nil {
		return fmt.Errorf("reading the documents of %s: %w", d.name, err)
	}
	return nil
}

func (d *Database) each(rows *kivik.ResultSet, see func(document json.RawMessage) error) (seen int, err error) {
	defer rows.Close()
	defer func() { d.meter.DocumentsGot(int64(seen)) }()
	var document json.RawMessage
	for rows.Next() {
		document = document[:0]
		if err := rows.ScanDoc(&document); err != nil {
			return seen, failed(err)
		}
		seen++
		if err := see(document); err != nil {
			return seen, err
		}
	}
	if err := rows.Err(); err != nil {
		return seen, failed(err)
	}
	return seen, nil
}

// failed gives the errors that callers ask for their names.
func failed(err error) error {
	switch kivik.HTTPStatus(err) {
	case http.StatusNotFound:
		return fmt.Errorf("%w (%w)", services.ErrNotFound, err)
	case http.StatusConflict:
		return fmt.Errorf("%w (%w)", ErrConflict, err)
	}
	return err
}
