package couchserver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// edit reads a document from a request's body.
func (c *call) edit() (*edit, error) {
	if c.r.Method == http.MethodPost {
		if err := c.requireJSON(); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(c.r.Header.Get("Content-Type"), "multipart/") {
		return nil, notImplemented("multipart documents")
	}
	if c.query.Get("new_edits") == "false" {
		return nil, notImplemented("new_edits=false")
	}
	text, err := c.body(maxRequest)
	if err != nil {
		return nil, err
	}
	e, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	if err := e.limit(); err != nil {
		return nil, err
	}
	return e, nil
}

// limit refuses documents that are too large, attachments aside.
func (e *edit) limit() error {
	size := 0
	for _, m := range e.members {
		size += len(m.name) + len(m.value)
	}
	if size > maxDocument {
		return &failure{http.StatusRequestEntityTooLarge, "document_too_large", e.id}
	}
	return nil
}

// revision returns the revision that a request names in its query or header.
func (c *call) revision() (string, error) {
	inQuery, inHeader := c.query.Get("rev"), strings.Trim(c.r.Header.Get("If-Match"), `"`)
	if inQuery != "" && inHeader != "" && inQuery != inHeader {
		return "", badRequest("Document rev and etag have different values")
	}
	rev := inQuery
	if rev == "" {
		rev = inHeader
	}
	if rev != "" {
		if _, err := parseRevision(rev); err != nil {
			return "", err
		}
	}
	return rev, nil
}

// document answers requests about one document.
func (c *call) document(id string) error {
	rev, err := c.revision()
	if err != nil {
		return err
	}
	switch c.method {
	case http.MethodGet:
		if c.query.Has("open_revs") {
			return notImplemented("open_revs")
		}
		var base *revision
		if rev != "" {
			parsed, err := parseRevision(rev)
			if err != nil {
				return err
			}
			base = &parsed
		}
		d, err := c.db.get(id, base)
		if err != nil {
			return err
		}
		if c.unchanged(d.rev.String()) {
			return nil
		}
		sendText(c.w, http.StatusOK, d.appendJSON(nil, c.query.Get("attachments") == "true"))
		return nil
	case http.MethodPut:
		if err := validateID(id); err != nil {
			return err
		}
		e, err := c.edit()
		if err != nil {
			return err
		}
		if rev != "" && e.rev != "" && rev != e.rev {
			return badRequest("Document rev from request body and query string have different values")
		}
		if e.rev == "" {
			e.rev = rev
		}
		e.id = id
		return c.put(e)
	case http.MethodDelete:
		if _, err := c.db.get(id, nil); err != nil {
			return err
		}
		return c.put(&edit{id: id, rev: rev, deleted: true})
	}
	return notAllowed("DELETE,GET,HEAD,POST,PUT,COPY")
}

// put makes an edit and answers with the new revision.
func (c *call) put(e *edit) error {
	d, err := c.db.apply(e)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if d.deleted {
		status = http.StatusOK
	}
	c.w.Header().Set("ETag", `"`+d.rev.String()+`"`)
	c.located(d.id)
	sendText(c.w, status, accepted(d))
	return nil
}

func (c *call) located(path ...string) {
	location := "/" + url.PathEscape(c.name)
	for _, part := range path {
		location += "/" + url.PathEscape(part)
	}
	c.w.Header().Set("Location", location)
}

func accepted(d *document) []byte {
	text := appendString([]byte(`{"ok":true,"id":`), d.id)
	text = append(text, `,"rev":"`...)
	text = append(text, d.rev.String()...)
	return append(text, `"}`...)
}

// unchanged sets the ETag, and answers 304 if the client has the same.
func (c *call) unchanged(tag string) bool {
	tag = `"` + tag + `"`
	c.w.Header().Set("ETag", tag)
	for known := range strings.SplitSeq(c.r.Header.Get("If-None-Match"), ",") {
		if known = strings.TrimSpace(known); known == tag || known == "*" {
			c.w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

// attachment answers requests about one attachment.
func (c *call) attachment(id, name string) error {
	text, err := c.revision()
	if err != nil {
		return err
	}
	var rev *revision
	if text != "" {
		parsed, err := parseRevision(text)
		if err != nil {
			return err
		}
		rev = &parsed
	}
	switch c.method {
	case http.MethodGet:
		d, err := c.db.get(id, rev)
		if err != nil {
			return err
		}
		a := d.attachment(name)
		if a == nil {
			return errNoAttachment
		}
		return c.sendAttachment(a)
	case http.MethodPut:
		if err := validateAttachmentName(name); err != nil {
			return err
		}
		a, err := c.receiveAttachment(name)
		if err != nil {
			return err
		}
		d, err := c.db.attach(id, rev, name, a)
		if err != nil {
			return err
		}
		c.located(id, name)
		sendText(c.w, http.StatusCreated, accepted(d))
		return nil
	case http.MethodDelete:
		d, err := c.db.get(id, nil)
		if err != nil {
			return err
		}
		if d.attachment(name) == nil {
			return errNoAttachment
		}
		if d, err = c.db.attach(id, rev, name, nil); err != nil {
			return err
		}
		sendText(c.w, http.StatusOK, accepted(d))
		return nil
	}
	return notAllowed("DELETE,GET,HEAD,PUT")
}

// receiveAttachment reads all of an attachment before anything is decided, so
// a conflict costs the transfer, as it does at CouchDB.
func (c *call) receiveAttachment(name string) (*attachment, error) {
	encoding := strings.ToLower(c.r.Header.Get("Content-Encoding"))
	switch encoding {
	case "", "identity":
		encoding = ""
	case "gzip":
	default:
		return nil, &failure{http.StatusUnsupportedMediaType, "bad_content_type",
			"Only gzip and identity content-encodings are supported"}
	}
	data, err := readAll(c.r.Body, c.r.ContentLength, maxAttachment)
	if errors.Is(err, errTooLarge) {
		return nil, &failure{http.StatusRequestEntityTooLarge, "attachment_too_large", name}
	}
	if err != nil {
		return nil, err
	}
	contentType := c.r.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	return newAttachment(name, contentType, encoding, data), nil
}

func (c *call) sendAttachment(a *attachment) error {
	h := c.w.Header()
	h.Set("Cache-Control", "must-revalidate")
	if c.unchanged(a.md5()) {
		return nil
	}
	data := a.data
	switch {
	case a.encoding == "":
		h.Set("Accept-Ranges", "bytes")
	case strings.Contains(c.r.Header.Get("Accept-Encoding"), a.encoding):
		h.Set("Accept-Ranges", "none")
		h.Set("Content-Encoding", a.encoding)
	default:
		h.Set("Accept-Ranges", "none")
		plain, err := a.plain()
		if err != nil {
			return badRequest("the attachment was not valid gzip data: %v", err)
		}
		data = plain
	}
	h.Set("Content-Type", a.contentType)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(data) // If the client is gone, so is the wish to tell it.
	return nil
}

// plain returns what an attachment holds, unpacked.
func (a *attachment) plain() ([]byte, error) {
	if a.encoding == "" {
		return a.data, nil
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(a.data))
	if err != nil {
		return nil, err
	}
	return readAll(io.Reader(unpacked), int64(len(a.data)), maxAttachment)
}

// bulk changes many documents, each on its own: some may be refused.
func (c *call) bulk() error {
	if c.method != http.MethodPost {
		return notAllowed("POST")
	}
	if err := c.requireJSON(); err != nil {
		return err
	}
	text, err := c.body(maxRequest)
	if err != nil {
		return err
	}
	request, err := parseObject(text, "Request body must be a JSON object")
	if err != nil {
		return err
	}
	var documents []json.RawMessage
	given := false
	for _, m := range request {
		switch m.name {
		case "docs":
			given = true
			if json.Unmarshal(m.value, &documents) != nil || documents == nil {
				return badRequest("`docs` parameter must be an array.")
			}
		case "new_edits":
			if string(m.value) != "true" {
				return notImplemented("new_edits=false")
			}
		}
	}
	if !given {
		return badRequest("POST body must include `docs` parameter.")
	}
	edits := make([]*edit, len(documents))
	for i, document := range documents {
		e, err := parseDocument(document)
		if err != nil {
			return err
		}
		if err := e.limit(); err != nil {
			return err
		}
		if e.id == "" {
			e.id = newID()
		}
		if err := validateID(e.id); err != nil {
			return err
		}
		edits[i] = e
	}
	answer := []byte{'['}
	for i, e := range edits {
		if i > 0 {
			answer = append(answer, ',')
		}
		d, err := c.db.apply(e)
		if err == nil {
			answer = append(answer, accepted(d)...)
			continue
		}
		var f *failure
		if !errors.As(err, &f) {
			return err
		}
		answer = appendString(append(answer, `{"id":`...), e.id)
		answer = appendString(append(answer, `,"error":`...), f.kind)
		answer = appendString(append(answer, `,"reason":`...), f.reason)
		answer = append(answer, '}')
	}
	sendText(c.w, http.StatusCreated, append(answer, ']'))
	return nil
}

// listing holds the parameters of _all_docs. As parameters of a query they
// are JSON too.
type listing struct {
	start, end   string
	inclusiveEnd bool
	descending   bool
	withDocument bool
	skip, limit  int
	keys         []string
	byKeys       bool
}

func (c *call) listing() (*listing, error) {
	given := map[string]json.RawMessage{}
	for name, values := range c.query {
		given[name] = json.RawMessage(values[0])
	}
	if c.method == http.MethodPost {
		if err := c.requireJSON(); err != nil {
			return nil, err
		}
		text, err := c.body(maxRequest)
		if err != nil {
			return nil, err
		}
		members, err := parseObject(text, "Request body must be a JSON object")
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			given[m.name] = m.value
		}
	}
	l := &listing{inclusiveEnd: true, limit: -1}
	for _, p := range []struct {
		names []string
		value any
	}{
		{[]string{"startkey", "start_key"}, &l.start}, {[]string{"endkey", "end_key"}, &l.end},
		{[]string{"inclusive_end"}, &l.inclusiveEnd}, {[]string{"descending"}, &l.descending},
		{[]string{"include_docs"}, &l.withDocument}, {[]string{"skip"}, &l.skip}, {[]string{"limit"}, &l.limit},
		{[]string{"keys"}, &l.keys},
	} {
		for _, name := range p.names {
			if value, ok := given[name]; ok && json.Unmarshal(value, p.value) != nil {
				return nil, &failure{http.StatusBadRequest, "query_parse_error", "Invalid value for " + name}
			}
		}
	}
	_, l.byKeys = given["keys"]
	if value, ok := given["key"]; ok {
		var key string
		if json.Unmarshal(value, &key) != nil {
			return nil, &failure{http.StatusBadRequest, "query_parse_error", "Invalid value for key"}
		}
		l.start, l.end, l.inclusiveEnd = key, key, true
	}
	if l.skip < 0 || l.limit < -1 {
		return nil, &failure{http.StatusBadRequest, "query_parse_error", "skip and limit must not be negative"}
	}
	return l, nil
}

// allDocuments lists documents in the order of their ids.
func (c *call) allDocuments() error {
	if c.method != http.MethodGet && c.method != http.MethodPost {
		return notAllowed("GET,HEAD,POST")
	}
	l, err := c.listing()
	if err != nil {
		return err
	}
	if l.byKeys {
		return c.allOf(l)
	}
	if l.descending {
		l.start, l.end = l.end, l.start
	}
	documents, offset, total := c.db.span(l.start, l.end, l.inclusiveEnd)
	if l.descending {
		slices.Reverse(documents)
	}
	skip := min(l.skip, len(documents))
	documents = documents[skip:]
	if l.limit >= 0 {
		documents = documents[:min(l.limit, len(documents))]
	}
	rows := make([]row, len(documents))
	for i, d := range documents {
		rows[i] = row{d.id, d}
	}
	sendText(c.w, http.StatusOK, l.appendRows(rows, total, strconv.Itoa(offset+skip)))
	return nil
}

// allOf lists documents by the ids that are asked for.
func (c *call) allOf(l *listing) error {
	keys := l.keys[min(l.skip, len(l.keys)):]
	if l.limit >= 0 {
		keys = keys[:min(l.limit, len(keys))]
	}
	rows := make([]row, len(keys))
	c.db.mu.RLock()
	for i, key := range keys {
		rows[i].key = key
		if h := c.db.documents[key]; h != nil {
			rows[i].document = h.current
		}
	}
	total := len(c.db.live)
	c.db.mu.RUnlock()
	sendText(c.w, http.StatusOK, l.appendRows(rows, total, "null"))
	return nil
}

type row struct {
	key      string
	document *document // nil if there is none
}

func (l *listing) appendRows(rows []row, total int, offset string) []byte {
	text := append([]byte(`{"total_rows":`), strconv.Itoa(total)...)
	text = append(append(text, `,"offset":`...), offset...)
	text = append(text, `,"rows":[`...)
	for i, r := range rows {
		if i > 0 {
			text = append(text, ',')
		}
		if r.document == nil {
			text = appendString(append(text, `{"key":`...), r.key)
			text = append(text, `,"error":"not_found"}`...)
			continue
		}
		text = appendString(append(text, `{"id":`...), r.key)
		text = appendString(append(text, `,"key":`...), r.key)
		text = append(append(text, `,"value":{"rev":"`...), r.document.rev.String()...)
		text = append(text, '"')
		if r.document.deleted {
			text = append(text, `,"deleted":true`...)
		}
		text = append(text, '}')
		if l.withDocument {
			text = append(text, `,"doc":`...)
			if r.document.deleted {
				text = append(text, `null`...)
			} else {
				text = r.document.appendJSON(text, false)
			}
		}
		text = append(text, '}')
	}
	return append(text, `]}`...)
}
