package bus

import "github.com/atrion-io/atrion/internal/wire"

// Subjects; a route follows each prefix. See doc.go.
const (
	TelemetryPrefix = wire.TelemetryPrefix
	RoutePrefix     = wire.RoutePrefix
	AnyPrefix       = wire.AnyPrefix
	ExplainPrefix   = wire.ExplainPrefix
	AdminPrefix     = wire.AdminPrefix
	HealthSubject   = wire.HealthSubject
	EventPrefix     = wire.EventPrefix
	RefusedSubject  = wire.RefusedSubject
)

// Group is the queue group that nodes share.
const Group = "atrion"
