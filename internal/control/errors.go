package control

import (
	"errors"
	"fmt"

	"github.com/atrion-io/atrion"
)

// Errors. Test for them with errors.Is.
var (
	// ErrInvalid: a document is not one. The error names what is wrong.
	ErrInvalid = errors.New("invalid document")
	// ErrConflict: somebody else has written the document meanwhile.
	ErrConflict = errors.New("the document has changed")
	// ErrNotFound: there is no such document, ban or override.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the store does not answer.
	ErrUnavailable = errors.New("control store unavailable")
)

// fieldError is an ErrInvalid that names a field of the document.
func fieldError(path, value, allowed string) error {
	return fmt.Errorf("%w: %w", ErrInvalid, &atrion.FieldError{Field: path, Value: value, Allowed: allowed})
}
