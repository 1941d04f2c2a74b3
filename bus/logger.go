package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// levelTrace is below debug: what the server says about single messages.
const levelTrace = slog.LevelDebug - 4

// serverLog is the embedded server's logger. It never ends the process, which
// is what the server's own would do on a fatal error: the first one is kept
// for StartEmbedded, the others are logged.
type serverLog struct {
	log   *slog.Logger
	fatal chan error
}

func newServerLog(log *slog.Logger) *serverLog {
	return &serverLog{log: log.With("component", "nats-server"), fatal: make(chan error, 1)}
}

func (l *serverLog) enabled(level slog.Level) bool {
	return l.log.Enabled(context.Background(), level)
}

func (l *serverLog) debug() bool { return l.enabled(levelTrace) }
func (l *serverLog) trace() bool { return l.enabled(levelTrace - 4) }

func (l *serverLog) write(level slog.Level, format string, args []any) {
	if l.enabled(level) {
		l.log.Log(context.Background(), level, fmt.Sprintf(format, args...))
	}
}

// The methods below are the server's logger interface. An embedded server's
// notices (where it listens, what it restored) are debug messages of the
// program around it.
func (l *serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.write(levelTrace, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.write(levelTrace-4, format, v) }

func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Errorf(format, v...):
	default:
	}
	l.write(slog.LevelError, format, v)
}

// connLog logs a connection's asynchronous errors, at most one a second: a
// slow consumer reports each of its transitions, thousands of them.
type connLog struct {
	log *slog.Logger

	mu     sync.Mutex
	last   time.Time
	hidden int
}

// LogErrors returns a handler of a connection's asynchronous errors that logs at
// most one a second, with the number it kept back.
func LogErrors(log *slog.Logger, connection string) nats.ErrHandler {
	return newConnLog(log, connection).handle
}

func newConnLog(log *slog.Logger, name string) *connLog {
	return &connLog{log: log.With("component", "nats", "connection", name)}
}

func (l *connLog) handle(_ *nats.Conn, sub *nats.Subscription, err error) {
	now := time.Now()
	l.mu.Lock()
	if now.Sub(l.last) < time.Second {
		l.hidden++
		l.mu.Unlock()
		return
	}
	hidden := l.hidden
	l.last, l.hidden = now, 0
	l.mu.Unlock()
	args := []any{"error", err, "suppressed", hidden}
	if sub != nil {
		args = append(args, "subject", sub.Subject)
		if errors.Is(err, nats.ErrSlowConsumer) {
			dropped, _ := sub.Dropped()
			args = append(args, "dropped", dropped)
		}
	}
	l.log.Warn("connection error", args...)
}
