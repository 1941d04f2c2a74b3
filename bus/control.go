package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/internal/wire"
)

// operation is what operators ask for on atrion.admin.<name>.
type operation struct {
	name string
	run  func(context.Context, micro.Request) (any, error)
}

func (s *Service) operations() []operation {
	return []operation{
		{"config.get", decoded(s.getConfig)},
		{"config.set", decoded(s.setConfig)},
		{"config.diff", decoded(s.diffConfig)},
		{"config.history", decoded(s.configHistory)},
		{"config.rollback", decoded(s.rollbackConfig)},
		{"ban.add", decoded(s.addBan)},
		{"ban.remove", decoded(s.removeBan)},
		{"ban.list", decoded(s.listBans)},
		{"override.set", decoded(s.setOverride)},
		{"override.clear", decoded(s.clearOverride)},
		{"override.list", decoded(s.listOverrides)},
	}
}

// operateTimeout bounds one operation: the store may need a while, an operator
// wants an answer.
const operateTimeout = 1500 * time.Millisecond

// operate answers in JSON whatever op returns.
func (s *Service) operate(op func(context.Context, micro.Request) (any, error)) micro.HandlerFunc {
	return func(req micro.Request) {
		ctx, cancel := context.WithTimeout(context.Background(), operateTimeout)
		defer cancel()
		answer, err := op(ctx, req)
		if err != nil {
			s.fail(req, wire.JSON, err)
			return
		}
		s.respondJSON(req, answer)
	}
}

// decoded gives f the request that an operator sent. An empty one asks for
// nothing in particular.
func decoded[Q, R any](f func(context.Context, Q) (R, error)) func(context.Context, micro.Request) (any, error) {
	return func(ctx context.Context, req micro.Request) (any, error) {
		var q Q
		if len(req.Data()) > 0 {
			d := json.NewDecoder(bytes.NewReader(req.Data()))
			d.DisallowUnknownFields()
			if err := d.Decode(&q); err != nil {
				return nil, fmt.Errorf("%w: %w", wire.ErrFormat, err)
			}
			if _, err := d.Token(); err != io.EOF {
				return nil, fmt.Errorf("%w: something follows the request", wire.ErrFormat)
			}
		}
		return f(ctx, q)
	}
}

func (s *Service) configReply(r control.Record) wire.ConfigReply {
	return wire.ConfigReply{
		Revision: r.Revision, By: r.By, Reason: r.Reason, Time: r.Time, Parent: r.Parent, Restores: r.Restores,
		Document: r.Document, Node: s.opts.Node,
	}
}

func (s *Service) getConfig(ctx context.Context, q wire.ConfigRequest) (wire.ConfigReply, error) {
	status, err := s.opts.Control.Config(ctx)
	if err != nil && !errors.Is(err, control.ErrNotFound) {
		return wire.ConfigReply{}, err
	}
	r := status.Record
	if q.Revision != nil && *q.Revision != r.Revision {
		if r, err = s.opts.Control.Revision(ctx, *q.Revision); err != nil {
			return wire.ConfigReply{}, err
		}
	}
	answer := s.configReply(r)
	answer.InForce, answer.Refused = status.InForce, status.Refused
	return answer, nil
}

func (s *Service) setConfig(ctx context.Context, q wire.ConfigRequest) (wire.ConfigReply, error) {
	r, err := s.opts.Control.SetConfig(ctx, q.Document, q.By, q.Reason, q.Revision)
	return s.configReply(r), err
}

func (s *Service) diffConfig(ctx context.Context, q wire.ConfigRequest) (wire.DiffReply, error) {
	changes, err := s.opts.Control.Diff(ctx, q.Document)
	answer := wire.DiffReply{Changes: []wire.DocumentChange{}}
	for _, c := range changes {
		answer.Changes = append(answer.Changes, wire.DocumentChange(c))
	}
	return answer, err
}

func (s *Service) configHistory(ctx context.Context, _ wire.ConfigRequest) (wire.HistoryReply, error) {
	all, err := s.opts.Control.History(ctx)
	answer := wire.HistoryReply{Documents: []wire.ConfigReply{}}
	for _, r := range all {
		r.Document = nil
		answer.Documents = append(answer.Documents, s.configReply(r))
	}
	return answer, err
}

func (s *Service) rollbackConfig(ctx context.Context, q wire.ConfigRequest) (wire.ConfigReply, error) {
	if q.Revision == nil {
		return wire.ConfigReply{}, &wire.FieldError{Index: -1, Field: "revision", Value: "missing", Allowed: "the revision to go back to"}
	}
	r, err := s.opts.Control.Rollback(ctx, *q.Revision, q.By, q.Reason)
	return s.configReply(r), err
}

func ttl(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, &wire.FieldError{Index: -1, Field: "ttl", Value: fmt.Sprintf("%.48q", text), Allowed: `a duration with its unit, as "30s" or "10m"`}
	}
	return d, nil
}

func (s *Service) addBan(ctx context.Context, q wire.RuleRequest) (answer wire.RuleReply, err error) {
	life, err := ttl(q.TTL)
	if err != nil {
		return answer, err
	}
	b := atrion.Ban{Route: q.Route, Subject: q.Subject, TTL: life, By: q.By, Reason: q.Reason}
	if err := s.opts.Control.AddBan(ctx, b); err != nil {
		return answer, err
	}
	return s.bans(b), nil
}

func (s *Service) removeBan(ctx context.Context, q wire.RuleRequest) (wire.RuleReply, error) {
	return s.bans(), s.opts.Control.RemoveBan(ctx, q.Route, q.Subject, q.By, q.Reason)
}

func (s *Service) listBans(_ context.Context, q wire.RuleRequest) (wire.RuleReply, error) {
	all := s.eng.Bans()
	part, err := page(all, &q)
	answer := s.bans(part...)
	answer.Total = len(all)
	return answer, err
}

func (s *Service) setOverride(ctx context.Context, q wire.RuleRequest) (answer wire.RuleReply, err error) {
	life, err := ttl(q.TTL)
	if err != nil {
		return answer, err
	}
	mode, _ := atrion.ParseForce(q.Mode) // none, if it is no mode: refused with the field
	o := atrion.Override{Route: q.Route, Mode: mode, TTL: life, By: q.By, Reason: q.Reason}
	if err := s.opts.Control.SetOverride(ctx, o); err != nil {
		return answer, err
	}
	return s.overrides(o), nil
}

func (s *Service) clearOverride(ctx context.Context, q wire.RuleRequest) (wire.RuleReply, error) {
	return s.overrides(), s.opts.Control.ClearOverride(ctx, q.Route, q.By, q.Reason)
}

func (s *Service) listOverrides(_ context.Context, q wire.RuleRequest) (wire.RuleReply, error) {
	all := s.eng.Overrides()
	part, err := page(all, &q)
	answer := s.overrides(part...)
	answer.Total = len(all)
	return answer, err
}

// page is the part of a list that was asked for: all of it may not fit a message.
func page[T any](all []T, q *wire.RuleRequest) ([]T, error) {
	if q.Offset < 0 {
		return nil, &wire.FieldError{Index: -1, Field: "offset", Value: fmt.Sprint(q.Offset), Allowed: "0 or more"}
	}
	if q.Limit < 0 || q.Limit > wire.MaxList {
		return nil, &wire.FieldError{Index: -1, Field: "limit", Value: fmt.Sprint(q.Limit), Allowed: fmt.Sprintf("0 to %d; 0: that", wire.MaxList)}
	}
	if q.Limit == 0 {
		q.Limit = wire.MaxList
	}
	all = all[min(q.Offset, len(all)):]
	return all[:min(q.Limit, len(all))], nil
}

func (s *Service) bans(list ...atrion.Ban) wire.RuleReply {
	r := wire.RuleReply{Node: s.opts.Node, Total: len(list)}
	for i := range list {
		r.Bans = append(r.Bans, wireBan(&list[i], list[i].TTL))
	}
	return r
}

func (s *Service) overrides(list ...atrion.Override) wire.RuleReply {
	r := wire.RuleReply{Node: s.opts.Node, Total: len(list)}
	for i := range list {
		r.Overrides = append(r.Overrides, wireOverride(&list[i], list[i].TTL))
	}
	return r
}

func wireBan(b *atrion.Ban, left time.Duration) wire.Ban {
	return wire.Ban{Route: b.Route, Subject: b.Subject, By: b.By, Reason: b.Reason, ExpiresInMs: uint64(left.Milliseconds())}
}

func wireOverride(o *atrion.Override, left time.Duration) wire.Override {
	return wire.Override{Route: o.Route, Mode: o.Mode.String(), By: o.By, Reason: o.Reason, ExpiresInMs: uint64(left.Milliseconds())}
}

// banOf is the wire form of the ban of a decision; zero: there is none.
func banOf(d *atrion.Decision) wire.Ban {
	if d.Ban == nil {
		return wire.Ban{}
	}
	return wireBan(d.Ban, d.ExpiresIn)
}

// overrideOf is that of its override.
func overrideOf(d *atrion.Decision) wire.Override {
	if d.Override == nil {
		return wire.Override{}
	}
	left := d.ExpiresIn
	if d.Ban != nil { // the time left is the ban's
		left += time.Duration(d.Override.Until - d.Ban.Until)
	}
	return wireOverride(d.Override, left)
}

// verdict is what the law said, if that is not what decided.
func verdict(d *atrion.Decision) string {
	if d.Verdict == d.Reason {
		return ""
	}
	return d.Verdict.String()
}

// audit publishes what was done on atrion.event.<what>, without a route: a
// pattern cannot stand in a subject.
func (s *Service) audit(e control.Event) { s.publish(EventPrefix+"."+e.Event, e) }
