package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/atrion-io/atrion"
)

const (
	offered = 400                    // requests a second, whatever happens: an open loop
	timeout = 300 * time.Millisecond // of a request
)

// tally is what happened to the requests of a stretch of time.
type tally struct {
	offered, admitted, shed, errors int
	latencies                       []time.Duration // of admitted requests that succeeded
	resistance                      float64
	mode                            string
}

func (t *tally) add(o tally) {
	t.offered += o.offered
	t.admitted += o.admitted
	t.shed += o.shed
	t.errors += o.errors
	t.latencies = append(t.latencies, o.latencies...)
	t.resistance, t.mode = o.resistance, o.mode
}

func (t *tally) median() time.Duration {
	if len(t.latencies) == 0 {
		return 0
	}
	slices.Sort(t.latencies)
	return t.latencies[len(t.latencies)/2]
}

// load offers requests to a service through a guard.
type load struct {
	url    string
	guard  guard
	client *http.Client
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu sync.Mutex
	t  tally
}

func newLoad(url string, g guard) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{url: url, guard: g, cancel: cancel, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	}}
	l.wg.Go(func() { every(ctx, time.Second/offered, l.request) })
	return l
}

// every starts fn at that pace, each in a goroutine, without waiting for it.
func every(ctx context.Context, pace time.Duration, fn func(context.Context)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for next := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for ; time.Now().After(next); next = next.Add(pace) {
			wg.Go(func() { fn(ctx) })
		}
	}
}

// request is one user: one in ten pays, three in ten are bots.
func (l *load) request(ctx context.Context) {
	tier := atrion.Normal
	switch n := rand.IntN(10); {
	case n == 0:
		tier = atrion.Critical
	case n >= 7:
		tier = atrion.Bulk
	}
	start := time.Now()
	err := l.guard.call(ctx, tier, l.get)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.offered++
	switch {
	case errors.Is(err, errShed):
		l.t.shed++
	case err != nil:
		l.t.admitted++
		l.t.errors++
	default:
		l.t.admitted++
		l.t.latencies = append(l.t.latencies, time.Since(start))
	}
}

func (l *load) get(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return err
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// take returns what happened since the last take.
func (l *load) take() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.t
	l.t = tally{}
	return t
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
	l.client.CloseIdleConnections()
}
