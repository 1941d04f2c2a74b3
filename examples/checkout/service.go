package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// The service: 16 workers of 20 ms each can serve 800 requests a second. At
// most 64 requests wait for a worker; more are turned away at the door.
const (
	workers     = 16
	serviceTime = 20 * time.Millisecond
	waiting     = 64
)

// fault is what is wrong with the service.
type fault struct {
	slower float64 // service time is so many times longer; 0: normal
	errors float64 // share of requests that fail
}

type service struct {
	url   string
	srv   *http.Server
	seats chan struct{}
	queue chan struct{}
	fault atomic.Pointer[fault]
}

func startService() (*service, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{
		url:   "http://" + lis.Addr().String(),
		seats: make(chan struct{}, workers),
		queue: make(chan struct{}, workers+waiting),
	}
	s.set(fault{})
	s.srv = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Second}
	go func() {
		if err := s.srv.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return s, nil
}

func (s *service) set(f fault) { s.fault.Store(&f) }

func (s *service) stop() { _ = s.srv.Close() }

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	select {
	case s.queue <- struct{}{}:
		defer func() { <-s.queue }()
	default:
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	select {
	case s.seats <- struct{}{}:
		defer func() { <-s.seats }()
	case <-r.Context().Done():
		return
	}
	f := s.fault.Load()
	d := serviceTime
	if f.slower > 0 {
		d = time.Duration(float64(d) * f.slower)
	}
	time.Sleep(d) // the work: it holds a worker whether or not anyone still waits
	if rand.Float64() < f.errors {
		http.Error(w, "broken", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}
