package classic

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

func TestDefaultsAreValid(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

// TestValidate puts NaN, infinities and values just outside the range into
// every field and expects the field's name, the value and the range.
func TestValidate(t *testing.T) {
	var fields func(v reflect.Value, name string, visit func(name string, v reflect.Value))
	fields = func(v reflect.Value, name string, visit func(string, reflect.Value)) {
		if v.Kind() != reflect.Struct {
			visit(name, v)
			return
		}
		for i := range v.NumField() {
			n := v.Type().Field(i).Name
			if name != "" {
				n = name + "." + n
			}
			fields(v.Field(i), n, visit)
		}
	}
	seen := 0
	d := DefaultConfig()
	fields(reflect.ValueOf(&d).Elem(), "", func(name string, _ reflect.Value) {
		c := DefaultConfig()
		var field reflect.Value
		fields(reflect.ValueOf(&c).Elem(), "", func(n string, v reflect.Value) {
			if n == name {
				field = v
			}
		})
		var values []any
		switch field.Kind() {
		case reflect.Float64:
			values = []any{math.NaN(), math.Inf(1), math.Inf(-1), -1.0, 1e300}
		case reflect.Int:
			values = []any{-1, 1_000_001}
		default:
			return
		}
		seen++
		for _, v := range values {
			field.Set(reflect.ValueOf(v))
			err := c.Validate()
			leaf := name[strings.LastIndexByte(name, '.')+1:]
			if err == nil || !strings.Contains(err.Error(), leaf+" is ") || !strings.Contains(err.Error(), "allowed") {
				t.Errorf("%s = %v: error %v", name, v, err)
			}
		}
	})
	if seen != 20 {
		t.Errorf("%d fields checked, want 20", seen)
	}
}

func TestValidateNamesAll(t *testing.T) {
	c := DefaultConfig()
	c.BaseResistance, c.TanhScale, c.Tuner.Window, c.SLO.ErrorRate = 0, -1, 0, 0
	_, err := New(c)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"BaseResistance is 0", "TanhScale is -1", "Window is 0", "SLO.ErrorRate is 0"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %q", want, err)
		}
	}
	c.Tuned = false
	if err := c.Validate(); strings.Contains(err.Error(), "Window") {
		t.Errorf("the tuner is off, but %v", err)
	}
	if err := (Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "start from DefaultConfig") {
		t.Errorf("zero Config: %v", err)
	}
	// The edges are inside.
	c = DefaultConfig()
	c.ScarFactor, c.DampingFactor, c.CriticalPressure, c.BootstrapTicks, c.SLO.Criticality = 0, 1e6, 10, 0, Vector{}
	c.Tuner.Floor, c.Tuner.Ceiling, c.Tuner.Warmup, c.Tuner.RecoveryMultiplier = 100, 100, 0, 1
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestLaw(t *testing.T) {
	l := mustNew(t, DefaultConfig())
	if l.Name() != "classic" || l.Draws() || l.Config() != DefaultConfig() {
		t.Errorf("%q, draws %v, %+v", l.Name(), l.Draws(), l.Config())
	}
}

func TestStateSize(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 8 && unsafe.Sizeof(State{}) > 144 {
		t.Errorf("%d bytes, want at most 144", unsafe.Sizeof(State{}))
	}
}

func TestUnknownProfile(t *testing.T) {
	if got := Profile(200).Spec(); got != Standard.Spec() {
		t.Errorf("%+v", got)
	}
}
