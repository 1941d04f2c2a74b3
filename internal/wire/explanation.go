package wire

// Explanation answers atrion.admin.explain.<route>: why a request would pass,
// or not. It is for people, so it is JSON only.
type Explanation struct {
	Route        string           `json:"route"`
	Node         string           `json:"node"`
	Law          string           `json:"law"`
	Allow        bool             `json:"allow"`
	Reason       string           `json:"reason"`
	Mode         string           `json:"mode"`
	Voltage      float64          `json:"voltage"`
	Resistance   float64          `json:"resistance"` // ohms, the sum of Terms
	Terms        ExplanationTerms `json:"terms"`
	Break        float64          `json:"break"`           // ohms at which the route trips; 0: none
	RetryAfterMs int64            `json:"retryAfterMs"`    // 0: now, or unknown
	Inflight     int64            `json:"inflight"`        // calls that hold a permit
	Peers        int              `json:"peers,omitempty"` // other nodes that are heard about the route
	Share        float64          `json:"share,omitempty"` // of the fleet's limit that is this node's; 1: it is alone
	Shed         uint64           `json:"shed"`            // rejections since the route was created
	LastSeenMs   int64            `json:"lastSeenMs"`      // since the last observation; -1: never
	Revision     uint64           `json:"revision"`
	Verdict      string           `json:"verdict,omitempty"`
	Ban          *Ban             `json:"ban,omitempty"`
	Override     *Override        `json:"override,omitempty"`
	Text         string           `json:"text"` // all of it in plain words
}

// ExplanationTerms are the parts of a resistance, in ohms.
type ExplanationTerms struct {
	Base     float64 `json:"base"`
	Pressure float64 `json:"pressure"`
	Momentum float64 `json:"momentum"`
	Scar     float64 `json:"scar"`
}
