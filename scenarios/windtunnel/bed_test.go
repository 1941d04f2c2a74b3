package windtunnel

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atrion-io/atrion/internal/sim"
	"github.com/atrion-io/atrion/scenarios"
)

// TestMain lets the test binary be the peers' program, under the name of the
// way in which it is to behave.
func TestMain(m *testing.M) {
	if way, ok := strings.CutPrefix(filepath.Base(os.Args[0]), fakePrefix); ok {
		os.Exit(fakePeers(way, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// tale is a scenario whose outcomes are made up.
type tale struct {
	name, about string
	goodput     map[string][]float64 // by arm; of the seeds 1, 2, ...
	measures    bool
	floor       float64
	played      func() // called by every run
}

func (s *tale) Name() string  { return s.name }
func (s *tale) About() string { return s.about }

// taleCase is a tale that counts as a case.
type taleCase struct{ *tale }

func (taleCase) Case() scenarios.Case { return scenarios.Case{} }

var errTale = errors.New("no such tale")

func (s *tale) Run(arm scenarios.Arm, seed uint64, o sim.Options) (scenarios.Outcome, error) {
	if s.played != nil {
		s.played()
	}
	all, ok := s.goodput[arm.Name]
	if !ok {
		return scenarios.Outcome{}, errTale
	}
	out := scenarios.Outcome{Result: scenarios.Unknown(s.name, arm.Name, seed)}
	out.Goodput = sim.Number(all[seed-1])
	if s.measures {
		out.Measures = []scenarios.Measure{{Name: "revenue", Value: out.Goodput, Unit: "1"}, {Name: "gap", Value: out.VIP, Unit: "s"}}
	}
	return out, nil
}

func (s *tale) Verdict(outcomes []scenarios.Outcome) (failures []scenarios.Failure) {
	for _, o := range outcomes {
		if !(float64(o.Goodput) >= s.floor) {
			failures = append(failures, scenarios.Failure{Case: s.name, Promise: "the floor", Got: float64(o.Goodput)})
		}
	}
	return failures
}

func entries(t *testing.T, names ...string) []Entry {
	t.Helper()
	arms, _, err := ParseArms(strings.Join(names, ","))
	if err != nil {
		t.Fatal(err)
	}
	return arms
}

func mustPlay(t *testing.T, p *Plan) *Sheet {
	t.Helper()
	s, err := p.Play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// written returns everything that can be written of a sheet, by format.
func written(t *testing.T, s *Sheet) map[string]string {
	t.Helper()
	all := map[string]string{}
	for format, write := range map[string]func(*bytes.Buffer) error{
		"json":     func(b *bytes.Buffer) error { return s.WriteJSON(b) },
		"table":    func(b *bytes.Buffer) error { return s.WriteTable(b) },
		"html":     func(b *bytes.Buffer) error { return s.WriteHTML(b, Build{}) },
		"markdown": func(b *bytes.Buffer) error { return s.WriteMarkdown(b, Build{}) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		all[format] = b.String()
	}
	return all
}
