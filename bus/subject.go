package bus

// Subjects; a route follows each prefix. See doc.go.
const (
	TelemetryPrefix = "atrion.telemetry"
	RoutePrefix     = "atrion.route"
	ExplainPrefix   = "atrion.admin.explain"
	HealthSubject   = "atrion.admin.health"
	EventPrefix     = "atrion.event"
	RefusedSubject  = "atrion.event.refused"
)

// Group is the queue group that nodes share.
const Group = "atrion"
