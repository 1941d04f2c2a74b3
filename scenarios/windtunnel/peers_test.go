package windtunnel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/atrion-io/atrion/scenarios"
)

const fakePrefix = "fake-peers-"

// fakePeers is a program that stands for the peers' and behaves in one way.
func fakePeers(way string, args []string) int {
	if args[0] == "--list" {
		if way == "hangs" {
			time.Sleep(time.Hour)
		}
		fmt.Println("gobreaker\nkratos-bbr")
		return 0
	}
	names := strings.Split(args[1], ",")
	arms := strings.Split(args[3], ",")
	seeds, _ := ParseSeeds(args[5])
	line := func(scenario, arm string, seed uint64) string {
		r := scenarios.Unknown(scenario, arm, seed)
		r.Goodput = .5
		b, _ := json.Marshal(r)
		return string(b)
	}
	n := 0
	for _, scenario := range names {
		for _, arm := range arms {
			for seed := seeds[0].First; seed <= seeds[0].Last; seed++ {
				text := line(scenario, arm, seed)
				if n++; n == 2 {
					switch way {
					case "garbles":
						text = text[:20]
					case "adds":
						text = strings.Replace(text, `"seed"`, `"extra":1,"seed"`, 1)
					case "omits":
						text = strings.Replace(text, `"goodput":0.5,`, "", 1)
					case "swaps":
						text = line(scenario, arm, seed+1)
					case "ends":
						return 0
					case "fails":
						fmt.Fprintln(os.Stderr, "first\nout of paper")
						return 3
					case "hangs":
						time.Sleep(time.Hour)
					case "holds":
						signal.Ignore(os.Interrupt)
						time.Sleep(time.Hour)
					case "shouts":
						text = strings.Repeat("x", maxLine+1)
					}
				}
				fmt.Println(text)
			}
		}
	}
	if way == "goes-on" {
		for {
			fmt.Println(line("more", "more", 1))
		}
	}
	return 0
}

func fake(t *testing.T, way string) *Peers {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fakePrefix+way)
	if err := os.Symlink(self, path); err != nil {
		t.Skip(err)
	}
	return &Peers{Path: path, Patience: 2 * time.Second}
}

func peersPlan(t *testing.T, p *Peers) *Plan {
	t.Helper()
	return &Plan{
		Scenarios: append(small(t), &tale{name: "shop", goodput: map[string][]float64{"none": {.1, .1, .1, .1}}}),
		Arms:      entries(t, "gobreaker", "none", "kratos-bbr"), Seeds: []Range{{1, 2}, {4, 4}}, Parallel: 2, Peers: p,
	}
}

// TestPeersPlay: their outcomes are put where they belong, and stories, which
// they do not know, are left out.
func TestPeersPlay(t *testing.T) {
	t.Parallel()
	p := peersPlan(t, fake(t, "plays"))
	if err := p.Peers.Check(t.Context(), p.Arms); err != nil {
		t.Fatal(err)
	}
	s := mustPlay(t, p)
	if done, all := s.played(); done != all || done != 2*3*3+3 {
		t.Errorf("%d of %d runs", done, all)
	}
	if s.cells[1][2].outcomes[2].Seed != 4 || s.cells[1][2].outcomes[2].Controller != "kratos-bbr" || !s.cells[2][0].Skipped {
		t.Errorf("%+v, %+v", s.cells[1][2], s.cells[2][0])
	}
	written(t, s)
}

func TestPeersGoWrong(t *testing.T) {
	t.Parallel()
	for way, want := range map[string]string{
		"garbles": "line 2: no outcome",
		"adds":    "line 2: other fields than this version's",
		"omits":   "line 2: other fields than this version's",
		"swaps":   "line 2: coldsmall4x, gobreaker, seed 3 where coldsmall4x, gobreaker, seed 2 is due",
		"ends":    "ended after 1 of 8 outcomes",
		"fails":   "exit status 3: out of paper",
		"hangs":   "wrote nothing for 2s",
		"holds":   "wrote nothing for 2s",
		"shouts":  "token too long",
		"goes-on": "more than the 8 outcomes",
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			p := peersPlan(t, fake(t, way))
			begin := time.Now()
			s, err := p.Play(t.Context())
			if s != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fakePrefix) {
				t.Errorf("%v, want %q and the program's name", err, want)
			}
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestPeersAreNotThere(t *testing.T) {
	t.Parallel()
	if _, err := peersPlan(t, &Peers{Path: filepath.Join(t.TempDir(), "nothing")}).Play(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot start the peers' program") {
		t.Error(err)
	}
	if _, err := peersPlan(t, nil).Play(t.Context()); err == nil {
		t.Error("peers without a program play")
	}
	if err := fake(t, "plays").Check(t.Context(), entries(t, "gozero-breaker")); err == nil || !strings.Contains(err.Error(), "has no controller gozero-breaker") {
		t.Error(err)
	}
	if err := fake(t, "hangs").Check(t.Context(), entries(t, "gobreaker")); err == nil || !strings.Contains(err.Error(), "wrote nothing") {
		t.Error(err)
	}
}

// TestPeersAreInterrupted: what they had played until then is kept.
func TestPeersAreInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	p := peersPlan(t, fake(t, "hangs"))
	p.Peers.Patience = time.Minute
	runs := 0
	p.Progress = func(float64) {
		if runs++; runs == 2*3+3+1 { // all of this program's, and one of theirs
			stop()
		}
	}
	p.Parallel = 1
	s, err := p.Play(ctx)
	if !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	if done, _ := s.played(); done != 10 {
		t.Errorf("%d runs", done)
	}
}
