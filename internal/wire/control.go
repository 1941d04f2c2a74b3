package wire

import "encoding/json"

// What operators ask and are answered is for people too, so it is JSON only. In
// these requests a field that is not known is an error: a misspelt "subject"
// must not ban everybody.

// ConfigRequest asks on atrion.admin.config.<what>.
type ConfigRequest struct {
	Document json.RawMessage `json:"document,omitempty"` // of set and diff
	Revision *uint64         `json:"revision,omitempty"` // get, rollback: of that; set: that it was edited from
	By       string          `json:"by,omitempty"`       // of set and rollback: who asks
	Reason   string          `json:"reason,omitempty"`   // and why
}

// ConfigReply answers get, set and rollback; revision 0 is no document at all.
type ConfigReply struct {
	Revision uint64          `json:"revision"`
	By       string          `json:"by,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Time     int64           `json:"t,omitempty"`        // unix ms at the node that took it
	Parent   uint64          `json:"parent,omitempty"`   // the revision it was edited from
	Restores uint64          `json:"restores,omitempty"` // the revision it is a copy of
	Document json.RawMessage `json:"document,omitempty"`
	Node     string          `json:"node"`              // who answers
	InForce  uint64          `json:"inForce"`           // the revision in force there
	Refused  string          `json:"refused,omitempty"` // why that is not the newest
}

// HistoryReply answers history: newest first, without the documents.
type HistoryReply struct {
	Documents []ConfigReply `json:"documents"`
}

// DiffReply answers diff.
type DiffReply struct {
	Changes []DocumentChange `json:"changes"`
}

// DocumentChange is one difference between two documents; the values are JSON, ""
// where there is none.
type DocumentChange struct {
	Path string `json:"path"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// RuleRequest asks on atrion.admin.ban.<what> and atrion.admin.override.<what>.
type RuleRequest struct {
	Route   string `json:"route,omitempty"`   // a name or a pattern
	Subject string `json:"subject,omitempty"` // of a ban
	Mode    string `json:"mode,omitempty"`    // of an override: open, closed, disabled, shadow
	TTL     string `json:"ttl,omitempty"`     // as "10m"; of add and set
	By      string `json:"by,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Offset  int    `json:"offset,omitempty"` // of list: how many to pass over
	Limit   int    `json:"limit,omitempty"`  // of list: at most so many, 1 to MaxList; 0: MaxList
}

// MaxList is the most bans or overrides in one answer.
const MaxList = 1000

// RuleReply answers them: what was done, or the list.
type RuleReply struct {
	Node      string     `json:"node"`
	Bans      []Ban      `json:"bans,omitempty"`
	Overrides []Override `json:"overrides,omitempty"`
	Total     int        `json:"total"` // in force at that node
}
