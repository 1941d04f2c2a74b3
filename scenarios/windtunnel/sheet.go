package windtunnel

import (
	"encoding/json"
	"io"

	"github.com/atrion-io/atrion/scenarios"
)

// Sheet is what came of a plan.
type Sheet struct {
	Plan    *Plan
	Partial bool // not all of it was played

	seeds []uint64
	cells [][]Cell // by scenario and arm
}

// Cell is what came of one scenario with one arm.
type Cell struct {
	Skipped bool // the arm cannot play the scenario: the peers' program has no stories

	outcomes []*scenarios.Outcome // by seed; nil: not played
	series   *series              // of the first seed; nil: not kept
}

func newSheet(p *Plan) *Sheet {
	s := &Sheet{Plan: p, seeds: p.seeds()}
	for _, sc := range p.Scenarios {
		row := make([]Cell, len(p.Arms))
		for j, a := range p.Arms {
			row[j] = Cell{Skipped: a.Peer && !isCase(sc), outcomes: make([]*scenarios.Outcome, len(s.seeds))}
		}
		s.cells = append(s.cells, row)
	}
	return s
}

// played returns how many runs are in the sheet and how many should be.
func (s *Sheet) played() (done, all int) {
	for i := range s.cells {
		for j := range s.cells[i] {
			if c := &s.cells[i][j]; !c.Skipped {
				done += len(c.known())
				all += len(c.outcomes)
			}
		}
	}
	return done, all
}

// set returns the sheet of one of the plan's ranges of seeds alone.
func (s *Sheet) set(n int) *Sheet {
	from := 0
	for _, r := range s.Plan.Seeds[:n] {
		from += r.len()
	}
	to := from + s.Plan.Seeds[n].len()
	part := &Sheet{Plan: s.Plan, Partial: s.Partial, seeds: s.seeds[from:to]}
	for _, row := range s.cells {
		cells := make([]Cell, len(row))
		for j, c := range row {
			cells[j] = Cell{Skipped: c.Skipped, outcomes: c.outcomes[from:to]}
		}
		part.cells = append(part.cells, cells)
	}
	return part
}

// known returns what was played.
func (c *Cell) known() []scenarios.Outcome {
	var all []scenarios.Outcome
	for _, o := range c.outcomes {
		if o != nil {
			all = append(all, *o)
		}
	}
	return all
}

// WriteJSON writes every outcome as one object a line, by scenario, arm and
// seed: the fields of sim.Result in their order, and after them a story's own
// measures if it has any.
func (s *Sheet) WriteJSON(w io.Writer) error {
	for i := range s.cells {
		for j := range s.cells[i] {
			for _, o := range s.cells[i][j].known() {
				line, err := json.Marshal(o)
				if err != nil {
					return err
				}
				if _, err := w.Write(append(line, '\n')); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
