package couchserver

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// revision names one state of a document: the number of changes that led to
// it, and a digest of what it is.
type revision struct {
	generation uint64
	digest     [md5.Size]byte
}

func (r revision) String() string {
	return strconv.FormatUint(r.generation, 10) + "-" + hex.EncodeToString(r.digest[:])
}

func parseRevision(text string) (revision, error) {
	var r revision
	number, digest, found := strings.Cut(text, "-")
	generation, err := strconv.ParseUint(number, 10, 63)
	if !found || err != nil || generation == 0 || len(digest) != 2*md5.Size {
		return r, badRequest("Invalid rev format")
	}
	if _, err := hex.Decode(r.digest[:], []byte(digest)); err != nil {
		return r, badRequest("Invalid rev format")
	}
	r.generation = generation
	return r, nil
}

// document is one state of a document. It is never changed: a change makes
// another one, so readers need no lock.
type document struct {
	id          string
	rev         revision
	deleted     bool
	members     []member
	attachments []*attachment
}

// member is a field of a document, in the order and the words of its author.
type member struct {
	name  string
	value json.RawMessage
}

// attachment is never changed either; documents share it.
type attachment struct {
	name        string
	contentType string
	encoding    string // "gzip", if its author sent it so; else ""
	generation  uint64 // of the document's revision that it came with
	digest      [md5.Size]byte
	data        []byte
}

// edit is a document as an author wishes it to be.
type edit struct {
	id      string
	rev     string // as given; "" if not
	deleted bool
	members []member
	// attachments are new ones. Stubs stand for those that the document has:
	// they have no data.
	attachments []*attachment
	stubs       []string
}

// parseDocument reads the JSON of a document.
func parseDocument(text []byte) (*edit, error) {
	members, err := parseObject(text, "Document must be a JSON object")
	if err != nil {
		return nil, err
	}
	e := &edit{}
	for _, m := range members {
		switch {
		case !strings.HasPrefix(m.name, "_"):
			e.members = append(e.members, m)
			continue
		case m.name == "_id":
			if json.Unmarshal(m.value, &e.id) != nil {
				return nil, illegalID("Document id must be a string")
			}
		case m.name == "_rev":
			if json.Unmarshal(m.value, &e.rev) != nil {
				return nil, badRequest("Invalid rev format")
			}
			if e.rev != "" {
				if _, err := parseRevision(e.rev); err != nil {
					return nil, err
				}
			}
		case m.name == "_deleted":
			e.deleted = string(m.value) == "true"
		case m.name == "_attachments":
			if err := e.parseAttachments(m.value); err != nil {
				return nil, err
			}
		case slices.Contains([]string{"_revisions", "_revs_info", "_conflicts", "_deleted_conflicts", "_local_seq"}, m.name):
			// What a reader may have been given, an author may give back.
		default:
			return nil, &failure{http.StatusBadRequest, "doc_validation", "Bad special document member: " + m.name}
		}
	}
	return e, nil
}

func (e *edit) parseAttachments(text []byte) error {
	members, err := parseObject(text, "Attachments property must be a JSON object")
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := validateAttachmentName(m.name); err != nil {
			return err
		}
		var a struct {
			Stub        bool    `json:"stub"`
			Follows     bool    `json:"follows"`
			ContentType string  `json:"content_type"`
			Data        *string `json:"data"`
		}
		if json.Unmarshal(m.value, &a) != nil {
			return badRequest("Attachment %s is not valid", strconv.Quote(m.name))
		}
		if a.Follows {
			return notImplemented("multipart documents")
		}
		if a.Stub {
			e.stubs = append(e.stubs, m.name)
			continue
		}
		if a.Data == nil {
			return badRequest("Attachment %s has no data", strconv.Quote(m.name))
		}
		data, err := base64.StdEncoding.DecodeString(*a.Data)
		if err != nil {
			return badRequest("Attachment data for %s is not valid base64", strconv.Quote(m.name))
		}
		if a.ContentType == "" {
			a.ContentType = "application/octet-stream"
		}
		e.attachments = append(e.attachments, newAttachment(m.name, a.ContentType, "", data))
	}
	return nil
}

func newAttachment(name, contentType, encoding string, data []byte) *attachment {
	return &attachment{name: name, contentType: contentType, encoding: encoding, digest: md5.Sum(data), data: data}
}

// parseObject reads the members of a JSON object in their order. If a name
// comes twice, the last one counts.
func parseObject(text []byte, otherwise string) ([]member, error) {
	if !json.Valid(text) || !utf8.Valid(text) {
		return nil, badRequest("invalid UTF-8 JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, badRequest("%s", otherwise)
	}
	var members []member
	for decoder.More() {
		token, err := decoder.Token()
		name, isString := token.(string)
		if err != nil || !isString {
			return nil, badRequest("invalid UTF-8 JSON")
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, badRequest("invalid UTF-8 JSON")
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return nil, badRequest("invalid UTF-8 JSON")
		}
		m := member{name, compact.Bytes()}
		if at := slices.IndexFunc(members, func(m member) bool { return m.name == name }); at >= 0 {
			members[at] = m
			continue
		}
		members = append(members, m)
	}
	return members, nil
}

func validateID(id string) error {
	switch {
	case id == "":
		return illegalID("Document id must not be empty")
	case !utf8.ValidString(id):
		return illegalID("Document id must be valid UTF-8")
	case strings.HasPrefix(id, "_design/") && len(id) > len("_design/"):
		return nil
	case strings.HasPrefix(id, "_"):
		return illegalID("Only reserved document ids may start with underscore.")
	}
	return nil
}

func validateAttachmentName(name string) error {
	switch {
	case name == "":
		return badRequest("Attachment name can't be empty")
	case strings.HasPrefix(name, "_"):
		return badRequest("Attachment name '%s' starts with prohibited character '_'", name)
	case !utf8.ValidString(name):
		return badRequest("Attachment name is not UTF-8 encoded")
	}
	return nil
}

// next returns the document that follows current (nil: there was none), with
// the revision that it gets.
func next(current *document, id string, deleted bool, members []member, attachments []*attachment) *document {
	d := &document{id: id, deleted: deleted, members: members, attachments: attachments}
	sum := md5.New()
	if current != nil {
		d.rev.generation = current.rev.generation
		sum.Write(current.rev.digest[:])
	}
	d.rev.generation++
	write := func(text string) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(text))))
		sum.Write([]byte(text))
	}
	write(strconv.FormatBool(deleted))
	for _, m := range members {
		write(m.name)
		write(string(m.value))
	}
	for i, a := range attachments {
		if a.generation == 0 {
			stamped := *a
			stamped.generation = d.rev.generation
			attachments[i] = &stamped
		}
		write(a.name)
		write(a.contentType)
		sum.Write(a.digest[:])
	}
	sum.Sum(d.rev.digest[:0])
	return d
}

func (d *document) attachment(name string) *attachment {
	for _, a := range d.attachments {
		if a.name == name {
			return a
		}
	}
	return nil
}

// size is what a document's fields and attachments take, in bytes.
func (d *document) size() int64 {
	size := int64(len("{}"))
	for _, m := range d.members {
		size += int64(len(m.name) + len(m.value) + len(`"":,`))
	}
	for _, a := range d.attachments {
		size += int64(len(a.data))
	}
	return size
}

// appendJSON writes the document. Attachments are written as stubs, unless
// their data are asked for.
func (d *document) appendJSON(text []byte, withData bool) []byte {
	text = append(text, `{"_id":`...)
	text = appendString(text, d.id)
	text = append(text, `,"_rev":"`...)
	text = append(text, d.rev.String()...)
	text = append(text, '"')
	if d.deleted {
		text = append(text, `,"_deleted":true`...)
	}
	for _, m := range d.members {
		text = append(text, ',')
		text = appendString(text, m.name)
		text = append(text, ':')
		text = append(text, m.value...)
	}
	if len(d.attachments) > 0 {
		text = append(text, `,"_attachments":{`...)
		for i, a := range d.attachments {
			if i > 0 {
				text = append(text, ',')
			}
			text = a.appendJSON(text, withData)
		}
		text = append(text, '}')
	}
	return append(text, '}')
}

func (a *attachment) appendJSON(text []byte, withData bool) []byte {
	text = appendString(text, a.name)
	text = append(text, `:{"content_type":`...)
	text = appendString(text, a.contentType)
	text = append(text, `,"revpos":`...)
	text = strconv.AppendUint(text, a.generation, 10)
	text = append(text, `,"digest":"md5-`...)
	text = append(text, a.md5()...)
	if withData {
		data := a.data
		if plain, err := a.plain(); err == nil {
			data = plain
		}
		text = append(text, `","data":"`...)
		text = base64.StdEncoding.AppendEncode(text, data)
		return append(text, `"}`...)
	}
	text = append(text, `","length":`...)
	text = strconv.AppendInt(text, int64(len(a.data)), 10)
	return append(text, `,"stub":true}`...)
}

// md5 is the digest as stubs and ETags have it.
func (a *attachment) md5() string { return base64.StdEncoding.EncodeToString(a.digest[:]) }

func appendString(text []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // A string can always be encoded.
	return append(text, quoted...)
}

// field returns the value of a member, as JSON decodes it. Inner fields are
// separated by dots.
func (d *document) field(path []string) (value any, exists bool) {
	switch path[0] {
	case "_id":
		value = d.id
	case "_rev":
		value = d.rev.String()
	default:
		at := slices.IndexFunc(d.members, func(m member) bool { return m.name == path[0] })
		if at < 0 || json.Unmarshal(d.members[at].value, &value) != nil {
			return nil, false
		}
	}
	for _, name := range path[1:] {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[name]; !ok {
			return nil, false
		}
	}
	return value, true
}
