package control

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/atrion-io/atrion"
	"github.com/atrion-io/atrion/internal/route"
	"github.com/atrion-io/atrion/internal/text"
	"github.com/atrion-io/atrion/physics"
	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/physics/ohmic"
)

// Base is what a node was started with: what a document does not say is as here.
type Base struct {
	Law     string // ohmic.Name or classic.Name: parameters of the other are checked and without effect
	Ohmic   ohmic.Config
	Classic classic.Config
}

// DefaultBase is the default law with its defaults.
func DefaultBase() Base {
	return Base{Law: ohmic.Name, Ohmic: ohmic.DefaultConfig(), Classic: classic.DefaultConfig()}
}

// Document is one that was read and found valid.
type Document struct {
	Settings atrion.Settings
	Revision uint64 // it was edited from; 0: it does not say
	JSON     []byte // compact, without the revision
	tree     tree
}

// Parser reads documents for one node. It is not safe for concurrent use. Make
// one with NewParser.
type Parser struct {
	base         Base
	known, fresh map[string]physics.Law // of the last valid document, of this one
}

// NewParser returns a parser of documents on that base.
func NewParser(base Base) *Parser { return &Parser{base: base} }

// Parse reads a document. It is valid whole, or the error, an ErrInvalid, names
// every wrong field (the first 16) with its path, value and range.
func (p *Parser) Parse(data []byte) (Document, error) {
	t, err := parseTree(data)
	if err != nil {
		return Document{}, err
	}
	p.fresh = map[string]physics.Law{}
	r := &report{}
	d := Document{JSON: t.appendTo(nil, "revision"), tree: t}
	p.read(r.section("", t), &d)
	if len(r.errs) > 0 {
		err := errors.Join(r.errs...)
		if r.more > 0 {
			return Document{}, fmt.Errorf("%w: %w\nand %d more", ErrInvalid, err, r.more)
		}
		return Document{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p.known = p.fresh
	return d, nil
}

// maxRevision is the highest that JSON can carry exactly everywhere.
const maxRevision = 1 << 53

func (p *Parser) read(s *section, d *Document) {
	version, revision := 1.0, 0.0
	s.number("version", &version)
	if version != 1 {
		s.wrong("version", strconv.FormatFloat(version, 'g', -1, 64), "1")
	}
	s.number("revision", &revision)
	if revision != math.Trunc(revision) || !(revision >= 0 && revision <= maxRevision) {
		s.wrong("revision", strconv.FormatFloat(revision, 'g', -1, 64), "a whole number, as the document was got with")
	}
	d.Revision = uint64(revision)

	set := &d.Settings
	if _, _, given := s.take("voltage"); given {
		s.number("voltage", &set.Voltage)
		s.volts("voltage", set.Voltage)
	}
	s.sub("tiers", func(s *section) { p.tiers(s, set) })
	s.flag("shadow", &set.Shadow)

	all := laws{Ohmic: p.base.Ohmic, Classic: p.base.Classic}
	before := len(s.errs)
	all.read(s)
	if len(s.errs) == before {
		set.Law = p.lawOf(s, &all)
	}
	if rules, path, ok := s.take("ban_rules"); ok {
		p.banRules(s.report, path, rules, set)
	}
	s.sub("routes", func(s *section) { p.routes(s, all, set) })
	s.end()
}

func (s *section) volts(path string, v float64) {
	if !(v > 0 && v <= atrion.MaxVoltage) {
		s.wrong(path, strconv.FormatFloat(v, 'g', -1, 64), "above 0, at most 1e+09, in volts")
	}
}

func (p *Parser) lawOf(s *section, l *laws) physics.Law {
	law, err := p.law(l)
	s.ranges(err)
	return law
}

func (p *Parser) tiers(s *section, set *atrion.Settings) {
	set.Tiers = map[string]float64{}
	if n := len(s.tree.keys); n > atrion.MaxTiers {
		s.wrong(s.path, fmt.Sprint(n, " tiers"), fmt.Sprintf("at most %d", atrion.MaxTiers))
	}
	for _, name := range s.tree.keys {
		var v float64
		s.number(name, &v)
		path := join(s.path, name)
		if len(name) == 0 || len(name) > 32 || !text.Visible(name) {
			s.wrong(path, fmt.Sprintf("%.48q", name), "a name of 1 to 32 visible ASCII characters")
		}
		s.volts(path, v)
		set.Tiers[name] = v
	}
}

func (p *Parser) banRules(r *report, path string, list tree, set *atrion.Settings) {
	if list.kind != "list" || len(list.values) > atrion.MaxBanRules {
		r.wrong(path, list.show(), fmt.Sprintf("a list of at most %d rules", atrion.MaxBanRules))
		return
	}
	for i, t := range list.values {
		s := r.section(fmt.Sprintf("%s[%d]", path, i), t)
		var rule atrion.BanRule
		var on string
		s.string("routes", &rule.Route)
		if rule.Route != "" && route.ValidatePattern(rule.Route) != nil {
			s.wrong(join(s.path, "routes"), fmt.Sprintf("%.48q", rule.Route), route.AllowedPattern)
		}
		s.string("on", &on)
		var ok bool
		if rule.On, ok = atrion.ParseBanOn(on); !ok {
			s.wrong(join(s.path, "on"), strconv.Quote(on), "rejected, failed or both")
		}
		s.whole("count", &rule.Count)
		s.within(join(s.path, "count"), float64(rule.Count), 1, 1e6)
		s.span("within", &rule.Within)
		if rule.Within < atrion.MinTTL || rule.Within > atrion.MaxWithin {
			s.wrong(join(s.path, "within"), rule.Within.String(), fmt.Sprintf("%v to %v", atrion.MinTTL, atrion.MaxWithin))
		}
		s.span("for", &rule.For)
		if rule.For < MinTTL || rule.For > atrion.MaxTTL {
			s.wrong(join(s.path, "for"), rule.For.String(), fmt.Sprintf("%v to %v", MinTTL, atrion.MaxTTL))
		}
		s.end()
		set.BanRules = append(set.BanRules, rule)
	}
}

// routes reads the sections of routes. What a section does not say of its law is
// as the document says for all routes.
func (p *Parser) routes(s *section, all laws, set *atrion.Settings) {
	set.Routes = map[string]atrion.RouteSettings{}
	if n := len(s.tree.keys); n > atrion.MaxRouteSettings {
		s.wrong(s.path, fmt.Sprint(n, " sections"), fmt.Sprintf("at most %d", atrion.MaxRouteSettings))
		return
	}
	for _, pattern := range s.tree.keys {
		if route.ValidatePattern(pattern) != nil {
			s.wrong(join(s.path, pattern), "a wrong name", route.AllowedPattern)
		}
		s.sub(pattern, func(s *section) {
			var r atrion.RouteSettings
			own, before := all, len(s.errs)
			own.read(s)
			if !reflect.DeepEqual(own, all) && len(s.errs) == before {
				r.Law = p.lawOf(s, &own)
			}
			s.flag("shadow", &r.Shadow)
			s.flag("disabled", &r.Disabled)
			var profile string // reserved: checked, and without effect in this version
			s.string("profile", &profile)
			if len(profile) > 64 || !text.Visible(profile) {
				s.wrong(join(s.path, "profile"), fmt.Sprintf("%.48q", profile), "1 to 64 visible ASCII characters")
			}
			set.Routes[pattern] = r
		})
	}
}
