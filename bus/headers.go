package bus

import (
	"strconv"

	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/wire"
)

// Headers of a decision request that say what it bids, instead of its body: for
// gateways that pass on bodies they did not write. See Options.TrustHeaders.
const (
	TierHeader    = "Atrion-Tier"
	VoltageHeader = "Atrion-Voltage"
)

// headers puts what the headers bid in the place of what the request does, if
// they may say so.
func (s *Service) headers(h micro.Headers, ask *wire.Request) error {
	tier, volts := h.Get(TierHeader), h.Get(VoltageHeader)
	if tier == "" && volts == "" {
		return nil
	}
	if !s.opts.TrustHeaders {
		s.counters.untrusted.Add(1)
		return nil
	}
	ask.Tier, ask.Voltage = tier, 0
	if volts == "" {
		return nil
	}
	v, err := strconv.ParseFloat(volts, 64)
	if err != nil || !(v > 0 && v <= atrion.MaxVoltage) {
		return &wire.FieldError{Index: -1, Field: VoltageHeader, Value: strconv.Quote(volts[:min(len(volts), 48)]), Allowed: "above 0, at most 1e9, in volts"}
	}
	ask.Voltage = v
	return nil
}
