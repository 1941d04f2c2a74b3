package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/atrion-io/atrion/bus"
)

// monitor serves health over HTTP: /healthz for "is it alive", /readyz for
// "may it get traffic", /varz for the counters.
type monitor struct {
	srv *http.Server
	lis net.Listener
}

func startMonitor(addr string, health func() bus.Health, ready func() bool) (*monitor, error) {
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("monitor address %s cannot be listened on (%w): choose another with --monitor", addr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		h := health()
		writeJSON(w, http.StatusOK, struct {
			Status   string   `json:"status"`
			Node     string   `json:"node"`
			Mode     string   `json:"mode"`
			Degraded []string `json:"degraded,omitempty"`
		}{h.Status, h.Node, h.Mode, h.Degraded})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready() {
			writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "draining"})
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	})
	mux.HandleFunc("GET /varz", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, health()) })
	m := &monitor{lis: lis, srv: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}
	go func() {
		if err := m.srv.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			_ = lis.Close()
		}
	}()
	return m, nil
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nothing to do
}

func (m *monitor) addr() string { return m.lis.Addr().String() }

func (m *monitor) stop(ctx context.Context) error { return m.srv.Shutdown(ctx) }
