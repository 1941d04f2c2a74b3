package sim

import "math"

// try asks for one attempt of a request.
func (r *run) try(i int32) {
	q := &r.requests[i]
	q.tries++
	t, ok := r.ctl.Admit(Attempt{Class: q.class, Voltage: q.voltage, Retry: int(q.tries) - 1, ID: q.id})
	r.ledger.decide(q, ok)
	if !ok {
		r.again(i)
		return
	}
	n := take(&r.attempts, &r.vacant)
	a := &r.attempts[n]
	*a = attempt{begun: r.now, ticket: t, req: i, gen: a.gen + 1}
	r.pending.add(r, n, a.gen)
	r.send(n)
}

// send brings an attempt to the backend.
func (r *run) send(i int32) {
	a, b, at := &r.attempts[i], &r.sc.Backend, r.seconds()
	key := r.key(a)
	if len(b.Hang) > 0 && b.hangs(at) {
		a.gone = true // the client's timeout is all that is left of it
		return
	}
	a.at = int32(r.route())
	if b.Errors.shape != unset {
		r.dice.roll(r.seed, failure, key)
		a.fails = r.dice.float() < b.Errors.At(at)
		if a.fails && b.ErrorCost == 0 {
			a.gone = true
			r.post(r.now+fast, failing, i, 0)
			return
		}
	}
	r.dice.roll(r.seed, service, key)
	a.work = b.Service.draw(&r.dice)
	if a.fails {
		a.work *= b.ErrorCost
	}
	r.replicas[a.at].arrive(i)
}

// key is what random numbers of an attempt are keyed with.
func (r *run) key(a *attempt) uint64 {
	q := &r.requests[a.req]
	return uint64(q.id)<<8 | uint64(q.tries)
}

// route chooses the replica whose turn it is.
func (r *run) route() int {
	if len(r.replicas) == 1 {
		return 0
	}
	r.turn = (r.turn + 1) % len(r.replicas)
	return r.turn
}

// service returns the factor on service times at a replica now.
func (r *run) service(replica int) float64 { return r.sc.Backend.slowness(replica, r.seconds()) }

// congestion returns the factor on service times when so many attempts wait
// for the given number of servers.
func (r *run) congestion(waiting, servers int) float64 {
	slow := r.sc.Backend.Slow
	if slow == 0 || waiting <= 0 {
		return 1
	}
	return 1 + float64(slow*min(1, float64(waiting)/float64(4*servers)))
}

// refuse turns an attempt away at the backend's door.
func (r *run) refuse(i int32) {
	r.attempts[i].gone = true
	r.post(r.now+fast, refused, i, 0)
}

// leave ends an attempt that gets no service.
func (r *run) leave(i int32, k Kind) {
	a := &r.attempts[i]
	a.gone = true
	if a.told {
		r.release(i)
		return
	}
	r.answer(i, k)
}

// served ends the service of an attempt, which took so many ns of a server.
func (r *run) served(i int32, span float64) {
	a := &r.attempts[i]
	a.gone = true
	r.ledger.serve(span, a.told || a.fails)
	if a.told {
		r.release(i)
		return
	}
	if a.fails {
		r.answer(i, Fail)
	} else {
		r.answer(i, OK)
	}
}

// answer tells the client and the controller how an attempt ended.
func (r *run) answer(i int32, k Kind) {
	a := &r.attempts[i]
	a.told = true
	req, key := a.req, r.key(a)
	latency := r.now - a.begun
	if k == Timeout {
		latency = r.pending.patience
	}
	r.ledger.end(k, latency)
	r.tell(a.ticket, float64(latency)/1e6, k, key)
	if a.gone {
		r.release(i)
	}
	if k == OK {
		r.ledger.succeed(&r.requests[req])
		r.spare = append(r.spare, req)
		return
	}
	r.again(req)
}

func (r *run) release(i int32) { r.vacant = append(r.vacant, i) }

// again lets the client of a request that got no answer try once more, later,
// or give it up for good.
func (r *run) again(i int32) {
	q, c := &r.requests[i], &r.sc.Clients
	if int(q.tries) >= c.Attempts {
		r.ledger.lost++
		r.spare = append(r.spare, i)
		return
	}
	r.dice.roll(r.seed, retries, uint64(q.id)<<8|uint64(q.tries))
	wait := c.Backoff * math.Ldexp(.5+r.dice.float(), int(q.tries)-1)
	r.post(r.now+int64(math.Round(wait*1e6)), retry, i, 0)
}

// sample is a completion on its way to the controller.
type sample struct {
	ticket  Ticket
	latency float64
	kind    Kind
}

// tell tells the controller of a completion, in the way of the options.
func (r *run) tell(t Ticket, latency float64, k Kind, key uint64) {
	if p := r.opt.TelemetryLoss; p > 0 {
		r.dice.roll(r.seed, telemetry, key)
		if r.dice.float() < p {
			return
		}
	}
	if r.opt.TelemetryDelay == 0 {
		r.ctl.Done(t, latency, k)
		return
	}
	i := take(&r.samples, &r.blank)
	r.samples[i] = sample{t, latency, k}
	r.post(r.now+int64(r.opt.TelemetryDelay), report, i, 0)
}

// timeouts are the attempts whose clients still wait, in the order in which
// they will give up, which is that of their admission. One event stands for
// all of them.
type timeouts struct {
	patience int64
	queue    queue
	armed    bool
}

func (t *timeouts) add(r *run, i int32, gen uint32) {
	t.queue.push(place{i, gen})
	if !t.armed {
		t.arm(r)
	}
}

// arm posts the event of the first client that still waits.
func (t *timeouts) arm(r *run) {
	for t.queue.size > 0 {
		p := t.queue.oldest()
		if a := &r.attempts[p.i]; a.gen == p.gen && !a.told {
			t.armed = true
			r.post(a.begun+t.patience, timeout, 0, 0)
			return
		}
		t.queue.popOldest()
	}
}

func (t *timeouts) fire(r *run) {
	t.armed = false
	p := t.queue.popOldest()
	if a := &r.attempts[p.i]; a.gen == p.gen && !a.told {
		r.answer(p.i, Timeout)
	}
	if !t.armed {
		t.arm(r)
	}
}
