package node

import (
	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/control"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// controller makes what operators change the running node with. What it holds is
// kept where states are: in the NATS system, for all nodes, or nowhere.
func (n *Node) controller() (*control.Controller, error) {
	base := control.Base{Law: n.cfg.Law, Ohmic: ohmic.DefaultConfig(), Classic: n.cfg.Classic}
	floors := atrion.Config{Tiers: n.cfg.Tiers, Floors: n.cfg.Floors}
	base.Ohmic.Lanes = floors.FloorLanes()
	opts := control.Options{Node: n.cfg.Node, Logger: n.log, Base: base}
	if n.cfg.State != "kv" {
		return control.New(n.engine, &control.Memory{}, opts), nil
	}
	nc, err := n.connect("control", false)
	if err != nil {
		return nil, err
	}
	kv, err := control.NewKV(nc, control.KVConfig{Domain: n.cfg.stateDomain(), Replicas: n.cfg.replicas()})
	if err != nil {
		return nil, err
	}
	return control.New(n.engine, kv, opts), nil
}
