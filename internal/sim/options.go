package sim

import (
	"fmt"
	"time"
)

// Options change how a scenario is played. The zero value plays it as it is.
type Options struct {
	Voltages Voltages // what the classes bid; zero: Standard
	Attempts int      // overrides Clients.Attempts; 0: does not

	// A gateway that is only told of completions by messages: they reach the
	// controller so much later, and some not at all. The clients notice neither.
	TelemetryDelay time.Duration
	TelemetryLoss  float64 // share of completions that are lost, in [0, 1]

	Trace *Trace // filled by the run; nil: nothing is recorded
}

func (o *Options) ready() error {
	if o.Voltages == (Voltages{}) {
		o.Voltages = Standard
	}
	if o.Attempts < 0 || o.TelemetryDelay < 0 || !(o.TelemetryLoss >= 0 && o.TelemetryLoss <= 1) {
		return fmt.Errorf("sim: invalid option: Attempts %d, TelemetryDelay %v, TelemetryLoss %v",
			o.Attempts, o.TelemetryDelay, o.TelemetryLoss)
	}
	return o.Voltages.check()
}
