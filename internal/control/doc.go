// Package control is how operators change nodes while they run: one document of
// settings, bans and overrides, kept where all nodes see them and put in force
// by each.
//
// # The document
//
// [Parser.Parse] reads a document strictly: it is valid whole or refused whole,
// with every wrong field named by its path, value and range. What it does not say
// is as the node was started.
//
// # The store
//
// A [Store] keeps the document with its history, and bans and overrides for as
// long as they live. [Memory] is for a node that keeps nothing; [KV] is a
// JetStream bucket that all nodes share. Documents are written by compare-and-set
// on the revision: of two operators who edit the same one, the second is told.
//
// Times to live travel as durations. What is left of one is worked out from the
// age of its entry by the server's clock, so that the clocks of nodes need not
// agree.
//
// # The controller
//
// A [Controller] puts in force what its store holds, and keeps the last document
// that was good when somebody wrote one by force that is not. It never stands in
// the way of a decision.
package control
