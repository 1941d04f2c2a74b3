package vec

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestLevelNames(t *testing.T) {
	for l, want := range map[Level]string{Portable: "portable", AVX2: "avx2", AVX512: "avx512", 9: "level(9)"} {
		if got := l.String(); got != want {
			t.Errorf("Level(%d).String() = %q, want %q", uint8(l), got, want)
		}
	}
}

func TestSupported(t *testing.T) {
	s := Supported()
	if s[0] != Portable || !slices.IsSorted(s) || s[len(s)-1] != best {
		t.Errorf("Supported() = %v with best = %v", s, best)
	}
	t.Logf("levels of this machine and build: %v; active: %v", s, Active())
}

func TestSetLevel(t *testing.T) {
	before := Active()
	defer SetLevel(before)
	for l := Portable; l <= AVX512+1; l++ {
		err := SetLevel(l)
		if slices.Contains(Supported(), l) {
			if err != nil || Active() != l {
				t.Errorf("SetLevel(%v) = %v, active %v", l, err, Active())
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), l.String()) || !strings.Contains(err.Error(), "supported: portable") {
			t.Errorf("SetLevel(%v) = %v, want an error naming it and what is supported", l, err)
		}
	}
}

func TestPermit(t *testing.T) {
	for best := Portable; best <= AVX512; best++ {
		for l := Portable; l <= AVX512+1; l++ {
			if err := permit(l, best); (err == nil) != (l <= best) {
				t.Errorf("permit(%v, %v) = %v", l, best, err)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		text string
		best Level
		want Level
		err  string
	}{
		{"", AVX2, AVX2, ""},
		{"portable", AVX512, Portable, ""},
		{"avx2", AVX512, AVX2, ""},
		{"avx512", AVX512, AVX512, ""},
		{"avx512", AVX2, AVX2, "vec: ATRION_VEC=avx512: not supported here (supported: portable, avx2); using avx2"},
		{"avx2", Portable, Portable, "vec: ATRION_VEC=avx2: not supported here (supported: portable); using portable"},
		{"AVX2", AVX2, AVX2, `vec: ATRION_VEC="AVX2": unknown level (supported: portable, avx2); using avx2`},
	} {
		got, err := choose(c.text, c.best)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != c.want || text != c.err {
			t.Errorf("choose(%q, %v) = %v, %q; want %v, %q", c.text, c.best, got, text, c.want, c.err)
		}
	}
}

const childEnv = "ATRION_VEC_TEST_CHILD"

// TestEnvironment starts this test binary anew under different values of the
// variable, which is read once, when the program starts.
func TestEnvironment(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		err := "ok"
		if EnvError() != nil {
			err = EnvError().Error()
		}
		os.Stdout.WriteString("level=" + Active().String() + " error=" + err + "\n")
		return
	}
	run := func(value string) string {
		cmd := exec.Command(os.Args[0], "-test.run=^TestEnvironment$")
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, EnvVar+"=") }),
			childEnv+"=1")
		if value != "" {
			cmd.Env = append(cmd.Env, EnvVar+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.SplitN(string(out), "\n", 2)[0]
	}
	for _, l := range Supported() {
		if got, want := run(l.String()), "level="+l.String()+" error=ok"; got != want {
			t.Errorf("%s=%s: %s, want %s", EnvVar, l, got, want)
		}
	}
	if got, want := run(""), "level="+best.String()+" error=ok"; got != want {
		t.Errorf("unset: %s, want %s", got, want)
	}
	got := run("sse")
	if !strings.HasPrefix(got, "level="+best.String()+" error=vec: "+EnvVar+`="sse": unknown level`) {
		t.Errorf("%s=sse: %s", EnvVar, got)
	}
}
