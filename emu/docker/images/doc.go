// Package images has the images that an emulated cluster is made of.
//
// There are four kinds. A node is the flowtwin program itself: node agent,
// function container and, where there is no CouchDB, the server of CouchDB's
// protocol are its subcommands. Redis, Kafka and CouchDB are the official
// images where they are at hand or can be pulled. Where no registry can be
// reached, Build makes images of the same programs from the distribution's
// packages and from Kafka's Maven artifacts. They take the same commands and
// variables as the official ones, so that nobody who starts them has to know
// which they are, but they have names of their own, and what served is told
// truly: see Resolve.
package images
