package couchserver

import (
	"fmt"
	"net/http"
)

// failure is an answer other than success, as CouchDB words it.
type failure struct {
	status int
	kind   string
	reason string
}

func (f *failure) Error() string { return f.kind + ": " + f.reason }

var (
	errConflict        = &failure{http.StatusConflict, "conflict", "Document update conflict."}
	errMissingRevision = &failure{http.StatusConflict, "not_found", "missing_rev"}
	errMissing         = &failure{http.StatusNotFound, "not_found", "missing"}
	errDeleted         = &failure{http.StatusNotFound, "not_found", "deleted"}
	errNoAttachment    = &failure{http.StatusNotFound, "not_found", "Document is missing attachment"}
	errNoDatabase      = &failure{http.StatusNotFound, "not_found", "Database does not exist."}
	errDatabaseExists  = &failure{http.StatusPreconditionFailed, "file_exists",
		"The database could not be created, the file already exists."}
	errNotJSON      = &failure{http.StatusUnsupportedMediaType, "bad_content_type", "Content-Type must be application/json"}
	errNoSort       = &failure{http.StatusBadRequest, "no_usable_index", "No index exists for this sort, try indexing by the sort fields."}
	errCredentials  = &failure{http.StatusUnauthorized, "unauthorized", "Name or password is incorrect."}
	errNotPermitted = &failure{http.StatusUnauthorized, "unauthorized", "You are not authorized to access this db."}
	errNotAdmin     = &failure{http.StatusUnauthorized, "unauthorized", "You are not a server admin."}
	errTooLarge     = &failure{http.StatusRequestEntityTooLarge, "too_large", "the request entity is too large"}
)

func badRequest(format string, args ...any) *failure {
	return &failure{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

func illegalID(reason string) *failure {
	return &failure{http.StatusBadRequest, "illegal_docid", reason}
}

func notAllowed(methods string) *failure {
	return &failure{http.StatusMethodNotAllowed, "method_not_allowed", "Only " + methods + " allowed"}
}

func notImplemented(what string) *failure {
	return &failure{http.StatusNotImplemented, "not_implemented", "this server does not have " + what}
}
