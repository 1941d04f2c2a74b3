package replay

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/atrion-io/atrion/physics/classic"
	"github.com/atrion-io/atrion/tuner"
)

const (
	maxLine   = 1 << 20 // bytes, without the newline
	maxRoutes = 100_000
	maxID     = 1024 // bytes
)

// laws are the names Run knows.
var laws = [...]string{classic.Name}

// Run reads a header and calls from r, runs them through the named law and
// writes one line per call to w, until r ends, a line is wrong or ctx is done.
// Answers are flushed before Run waits for more input and before it returns.
// Memory does not grow with the length of the input.
func Run(ctx context.Context, law string, r io.Reader, w io.Writer) (err error) {
	if !slices.Contains(laws[:], law) {
		return fmt.Errorf("replay: unknown law %q, known: %s", law, strings.Join(laws[:], ", "))
	}
	in := bufio.NewReaderSize(r, 64<<10)
	out := bufio.NewWriterSize(w, 64<<10)
	defer func() { err = errors.Join(err, out.Flush()) }()

	var run *runner
	var line, answer []byte
	for n := 1; ; n++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		line, err = readLine(in, line[:0])
		if err == io.EOF {
			if run == nil {
				return fmt.Errorf("replay: line %d: input ends before a header", n)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("replay: line %d: %w", n, err)
		}
		text := bytes.TrimSpace(line)
		switch {
		case len(text) == 0:
			continue
		case run == nil:
			run, err = newRunner(text)
		default:
			answer, err = run.line(answer[:0], text)
			out.Write(answer) // an error stays and shows in Flush
		}
		if err != nil {
			return fmt.Errorf("replay: line %d: %w", n, err)
		}
	}
}

// readLine appends the next line to dst, without its newline. It returns io.EOF
// only where nothing is left.
func readLine(in *bufio.Reader, dst []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		dst = append(dst, part...)
		if n := len(bytes.TrimSuffix(dst, []byte("\n"))); n > maxLine {
			return dst, fmt.Errorf("line is longer than %d bytes", maxLine)
		}
		switch err {
		case bufio.ErrBufferFull:
			continue
		case nil:
			return dst[:len(dst)-1], nil
		case io.EOF:
			if len(dst) > 0 {
				return dst, nil
			}
		}
		return dst, err
	}
}

// runner is a run under way.
type runner struct {
	params  classic.Params
	tuner   *tuner.State // shared by all routes; nil: off
	voltage float64      // where a call names none
	routes  map[string]*classic.Route
	only    string // the route of calls that name none
}

// record is any line after the header.
type record struct {
	I  *call   `json:"i"`
	Op *string `json:"op"`
	ID *string `json:"id"`
}

type call struct {
	T   reading `json:"t"`
	Lat reading `json:"lat"`
	Err reading `json:"err"`
	Sat reading `json:"sat"`
	V   reading `json:"v"`
	ID  *string `json:"id"`
}

// line runs one line and appends its answer, if it has one, to dst.
func (r *runner) line(dst, text []byte) ([]byte, error) {
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return dst, malformed(err)
	}
	switch {
	case rec.Op != nil:
		if *rec.Op != "reset" {
			return dst, wrong("op", fmt.Sprintf("%.40q", *rec.Op), `"reset"`)
		}
		id, err := r.route("id", rec.ID)
		delete(r.routes, id)
		return dst, err
	case rec.I == nil:
		return dst, wrong("i", "missing", `an object, or "op":"reset"`)
	}

	id, err := r.route("i.id", rec.I.ID)
	if err != nil {
		return dst, err
	}
	c, err := rec.I.decode(r.voltage)
	if err != nil {
		return dst, err
	}
	route := r.routes[id]
	if route == nil {
		if len(r.routes) >= maxRoutes {
			return dst, wrong("i.id", fmt.Sprintf("%.40q, route number %d", id, maxRoutes+1), fmt.Sprintf("%d routes at a time", maxRoutes))
		}
		route = new(classic.Route)
		r.routes[id] = route
	}
	d := r.params.Step(route, r.tuner, c)
	return r.answer(dst, route, d.Allow), nil
}

// route is the route a line means by id.
func (r *runner) route(field string, id *string) (string, error) {
	if id == nil {
		return r.only, nil
	}
	if len(*id) > maxID {
		return "", wrong(field, fmt.Sprintf("%d bytes long", len(*id)), fmt.Sprintf("0 to %d bytes", maxID))
	}
	return *id, nil
}

// wrong is the error for a field whose value is not allowed.
func wrong(field, value, allowed string) error {
	return fmt.Errorf("%s is %s, allowed %s", field, value, allowed)
}

// malformed words an error of encoding/json.
func malformed(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		field := typ.Field
		if field == "" {
			field = "line"
		}
		return wrong(field, typ.Value, "a JSON "+kind(typ.Type.Kind().String()))
	}
	return fmt.Errorf("not a JSON object: %w", err)
}

// kind is the JSON word for a Go kind.
func kind(k string) string {
	switch k {
	case "struct", "map":
		return "object"
	case "ptr", "string":
		return "string"
	}
	return k
}
