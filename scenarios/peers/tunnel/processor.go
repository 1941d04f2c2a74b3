package tunnel

import (
	"time"

	"github.com/atrion-io/atrion/internal/sim"
)

// The processor is read every 50 ms with a memory of 250 ms.
const (
	readingPeriod = 50 * time.Millisecond
	readingGain   = 0.18 // 1 - exp(-50/250)
)

// processor is the utilization that the load shedders read, in thousandths: the
// busy share of the simulated servers, smoothed. Their own readers smooth over
// five to ten seconds, with which they see nothing of a step until the backlog
// is past saving; a quarter of a second is to their advantage. What they reach
// depends on it a lot.
type processor struct{ busy float64 }

// newProcessor reads until the end of the run.
func newProcessor(env *sim.Env) *processor {
	p := new(processor)
	var read func()
	read = func() {
		busy, _ := env.Look()
		p.busy += float64(readingGain * (busy - p.busy))
		env.At(env.Now()+int64(readingPeriod), read)
	}
	env.At(env.Now()+int64(readingPeriod), read)
	return p
}

func (p *processor) millis() int64 { return min(int64(1000*p.busy), 1000) }
