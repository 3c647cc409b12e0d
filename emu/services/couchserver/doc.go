// Package couchserver is a small server that speaks CouchDB's protocol and
// keeps everything in memory. The emulator uses it where no CouchDB is at
// hand: a run on one machine needs nothing but Go.
//
// It answers as CouchDB 3.5 does, error bodies, status codes and ETags
// included, as far as flowtwin and the test scripts of the FaaSFlow and
// DataFlower artefacts use it:
//
//   - databases: create, look at (with sizes), delete, list, _security;
//   - documents: create, read, change and delete under the control of
//     revisions, of which exactly one of several concurrent changes wins and
//     the others are answered 409; _bulk_docs and _all_docs;
//   - attachments, as a part of their document and of its revision;
//   - _find with the comparing and combining operators, without indexes, so
//     without sort;
//   - basic and cookie login of one administrator.
//
// What it does not have it refuses with 501. It differs from CouchDB in what
// flowtwin can do without: bodies of old revisions are gone at once, as after a
// compaction; there is no replication, so a document never has two leaves;
// attachments are kept as they come and never compressed, while CouchDB
// compresses text and JSON; strings are compared by their bytes.
package couchserver
