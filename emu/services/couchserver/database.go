package couchserver

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// revisionsKept is how many old revisions of a document are still known by
// name, CouchDB's default of _revs_limit.
const revisionsKept = 1000

var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_$()+/-]*$`)

func validateDatabaseName(name string) error {
	if !databaseName.MatchString(name) {
		return &failure{http.StatusBadRequest, "illegal_database_name",
			"Name: '" + name + "'. Only lowercase characters (a-z), digits (0-9), and any of the characters " +
				"_, $, (, ), +, -, and / are allowed. Must begin with a letter."}
	}
	if len(name) > 238 {
		return &failure{http.StatusBadRequest, "database_name_too_long",
			"At least one path segment of `" + name + "` is too long."}
	}
	return nil
}

// database holds documents by their ids.
type database struct {
	mu        sync.RWMutex
	documents map[string]*history
	live      []string // ids of those that are not deleted, in order
	changes   uint64
	// active is the size of all documents as they are, written that of all
	// that ever were.
	active, written int64
	security        []byte
	public          bool // Everyone may read and write documents.
}

// history is a document as it is, and the names of what it was, oldest first.
type history struct {
	current *document
	past    []revision
}

func newDatabase() *database {
	return &database{
		documents: map[string]*history{},
		security:  []byte(`{"members":{"roles":["_admin"]},"admins":{"roles":["_admin"]}}`),
	}
}

// get returns a document, or says that it is missing or deleted. If a revision
// is given it has to be that one; a deletion is a revision too.
func (db *database) get(id string, rev *revision) (*document, error) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	h := db.documents[id]
	switch {
	case h == nil, rev != nil && *rev != h.current.rev:
		return nil, errMissing
	case rev == nil && h.current.deleted:
		return nil, errDeleted
	}
	return h.current, nil
}

// change replaces a document by what make returns, which is given the
// document as it is (nil if there is none or it is deleted). The author must
// name the present revision, if the document exists, and none else.
func (db *database) change(id string, base *revision, make func(current *document) (deleted bool, members []member, attachments []*attachment, err error)) (*document, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	h := db.documents[id]
	var before, visible *document
	if h != nil {
		before = h.current
		if !before.deleted {
			visible = before
		}
	}
	if base == nil && visible != nil || base != nil && (before == nil || *base != before.rev) {
		return nil, errConflict
	}
	deleted, members, attachments, err := make(visible)
	if err != nil {
		return nil, err
	}
	after := next(before, id, deleted, members, attachments)
	if h == nil {
		h = &history{}
		db.documents[id] = h
	} else {
		if len(h.past) == revisionsKept {
			h.past = slices.Delete(h.past, 0, 1)
		}
		h.past = append(h.past, before.rev)
	}
	h.current = after
	db.account(before, after)
	return after, nil
}

// account keeps the order of ids and the sizes. Before is nil if the document
// was never there.
func (db *database) account(before, after *document) {
	db.changes++
	was := before != nil && !before.deleted
	at, _ := slices.BinarySearch(db.live, after.id)
	switch {
	case !was && !after.deleted:
		db.live = slices.Insert(db.live, at, after.id)
	case was && after.deleted:
		db.live = slices.Delete(db.live, at, at+1)
	}
	if before != nil {
		db.active -= before.size()
	}
	size := after.size()
	db.active += size
	db.written += size
	for _, a := range after.attachments {
		if a.generation != after.rev.generation { // It is not written again.
			db.written -= int64(len(a.data))
		}
	}
}

// known reports whether a document has or had a revision.
func (db *database) known(id string, rev revision) bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	h := db.documents[id]
	return h != nil && (h.current.rev == rev || slices.Contains(h.past, rev))
}

// apply makes an edit of a whole document. Attachments that it does not
// mention are gone.
func (db *database) apply(e *edit) (*document, error) {
	if err := validateID(e.id); err != nil {
		return nil, err
	}
	var base *revision
	if e.rev != "" {
		rev, err := parseRevision(e.rev)
		if err != nil {
			return nil, err
		}
		base = &rev
	}
	return db.change(e.id, base, func(current *document) (bool, []member, []*attachment, error) {
		attachments := slices.Clone(e.attachments)
		for _, name := range e.stubs {
			var kept *attachment
			if current != nil {
				kept = current.attachment(name)
			}
			if kept == nil {
				return false, nil, nil, &failure{http.StatusPreconditionFailed, "missing_stub",
					"Invalid attachment stub in " + e.id + " for " + name}
			}
			attachments = append(attachments, kept)
		}
		return e.deleted, e.members, attachments, nil
	})
}

// attach changes one attachment of a document: with nil, it is removed.
func (db *database) attach(id string, base *revision, name string, a *attachment) (*document, error) {
	if err := validateID(id); err != nil {
		return nil, err
	}
	if base != nil && !db.known(id, *base) {
		return nil, errMissingRevision
	}
	return db.change(id, base, func(current *document) (bool, []member, []*attachment, error) {
		var members []member
		var attachments []*attachment
		if a != nil {
			attachments = append(attachments, a)
		}
		if current != nil {
			members = current.members
			for _, other := range current.attachments {
				if other.name != name {
					attachments = append(attachments, other)
				}
			}
		}
		return false, members, attachments, nil
	})
}

// statistics is what GET of a database says.
type statistics struct {
	documents, deleted int
	changes            uint64
	active, written    int64
}

func (db *database) statistics() statistics {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return statistics{len(db.live), len(db.documents) - len(db.live), db.changes, db.active, db.written}
}

// list returns the documents that are there, in the order of their ids.
func (db *database) list() []*document {
	db.mu.RLock()
	defer db.mu.RUnlock()
	documents := make([]*document, len(db.live))
	for i, id := range db.live {
		documents[i] = db.documents[id].current
	}
	return documents
}

// span returns the documents with ids from the first to the last (if not
// empty), how many come before them, and how many there are in all.
func (db *database) span(first, last string, withLast bool) (documents []*document, before, total int) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	from, _ := slices.BinarySearch(db.live, first)
	to := len(db.live)
	if last != "" {
		found := false
		to, found = slices.BinarySearch(db.live, last)
		if found && withLast {
			to++
		}
	}
	for at := from; at < to; at++ {
		documents = append(documents, db.documents[db.live[at]].current)
	}
	return documents, from, len(db.live)
}

// isDesign reports whether an id is that of a design document, which queries
// do not show.
func isDesign(id string) bool { return strings.HasPrefix(id, "_design/") }
