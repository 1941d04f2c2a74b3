package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Record is a document as a store keeps it.
type Record struct {
	Revision uint64          `json:"revision,omitempty"` // its place in the store
	By       string          `json:"by"`                 // who wrote it
	Reason   string          `json:"reason,omitempty"`   // and why, if he said so
	Time     int64           `json:"t"`                  // unix ms at the node that took it
	Parent   uint64          `json:"parent,omitempty"`   // the revision it was edited from
	Restores uint64          `json:"restores,omitempty"` // the revision it is a copy of, after a rollback
	Document json.RawMessage `json:"document,omitempty"`
}

// parseRecord reads a stored record.
func parseRecord(value []byte, revision uint64) (Record, error) {
	var r Record
	if err := json.Unmarshal(value, &r); err != nil {
		return Record{Revision: revision}, fmt.Errorf("%w: not a record of one: %w", ErrInvalid, err)
	}
	r.Revision = revision
	if len(r.Document) == 0 {
		return r, fmt.Errorf("%w: the record has none", ErrInvalid)
	}
	return r, nil
}

// rule is a ban or an override as a store keeps it.
type rule struct {
	Route   string `json:"route,omitempty"`
	Subject string `json:"subject,omitempty"` // of a ban
	Mode    string `json:"mode,omitempty"`    // of an override
	By      string `json:"by"`
	Reason  string `json:"reason"`
	TTLMs   int64  `json:"ttlMs"`
}

var errRule = errors.New("not a ban or an override")

func parseRule(value []byte) (rule, error) {
	var r rule
	if err := json.Unmarshal(value, &r); err != nil {
		return rule{}, fmt.Errorf("%w: %w", errRule, err)
	}
	return r, nil
}

func (r rule) ttl() time.Duration { return time.Duration(r.TTLMs) * time.Millisecond }
