// Package conformance holds servers against what flowtwin needs of their
// protocols: one suite for Redis, one for CouchDB, one for Kafka.
//
// Each runs against the embedded server, always, and against a real one if the
// environment names it:
//
//	FLOWTWIN_REDIS_ADDR     host:port
//	FLOWTWIN_COUCHDB_URL    http://admin:secret@host:port/
//	FLOWTWIN_KAFKA_BROKERS  host:port, and more of them after commas
//
//	FLOWTWIN_REDIS_ADDR=127.0.0.1:6379 go test -v ./emu/services/conformance
//
// .ci/services starts real ones; see docs/services.md.
package conformance
