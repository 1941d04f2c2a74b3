package node

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/atrion-io/atrion/bus"
)

// access is who one is to an existing NATS: nobody, a user with a password, a
// key, or a credentials file.
type access struct {
	Creds    string
	NKey     string // seed file
	User     string
	Password bus.Secret
	Inbox    string // prefix of the subjects of answers; "": what User says
	TLS      bus.TLSFiles
}

// fromEnvironment fills in what is not given. There are no flags for secrets:
// everybody on the machine can read a command line.
func (a *access) fromEnvironment() {
	for _, v := range []struct {
		name string
		p    *string
	}{
		{"NATS_CREDS", &a.Creds}, {"NATS_NKEY", &a.NKey}, {"NATS_USER", &a.User}, {"NATS_INBOX_PREFIX", &a.Inbox},
		{"NATS_CA", &a.TLS.CA}, {"NATS_CERT", &a.TLS.Cert}, {"NATS_KEY", &a.TLS.Key},
	} {
		if *v.p == "" {
			*v.p = os.Getenv(v.name)
		}
	}
	if a.Password == "" {
		a.Password = bus.Secret(os.Getenv("NATS_PASSWORD"))
	}
}

// flags of the client commands.
func (a *access) flags(fs *flag.FlagSet) {
	fs.StringVar(&a.Creds, "creds", "", "credentials `file` (also $NATS_CREDS)")
	fs.StringVar(&a.NKey, "nkey-file", "", "`file` with the seed of a key (also $NATS_NKEY)")
	fs.StringVar(&a.User, "user", "", "`user` (also $NATS_USER); the password is in $NATS_PASSWORD")
	fs.StringVar(&a.Inbox, "inbox-prefix", "", "`prefix` of subjects for answers (also $NATS_INBOX_PREFIX; default _INBOX_ and the user, or the key)")
	fs.StringVar(&a.TLS.CA, "ca", "", "`file` with the authorities that signed the server's certificate (also $NATS_CA)")
	fs.StringVar(&a.TLS.Cert, "cert", "", "`file` with a certificate for the server (also $NATS_CERT)")
	fs.StringVar(&a.TLS.Key, "key", "", "`file` with the key of the certificate (also $NATS_KEY)")
}

// options are what a connection needs.
func (a *access) options() ([]nats.Option, error) {
	var opts []nats.Option
	inbox := a.Inbox
	switch {
	case a.Creds != "":
		opts = append(opts, nats.UserCredentials(a.Creds))
	case a.NKey != "":
		public, err := nkeyOption(a.NKey, &opts)
		if err != nil {
			return nil, err
		}
		if inbox == "" {
			inbox = bus.InboxPrefix(public)
		}
	case a.User != "":
		opts = append(opts, nats.UserInfo(a.User, string(a.Password)))
		if inbox == "" {
			inbox = bus.InboxPrefix(a.User)
		}
	}
	if inbox != "" {
		opts = append(opts, nats.CustomInboxPrefix(inbox))
	}
	if a.TLS.Given() {
		c, err := a.TLS.Load()
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(c))
	}
	return opts, nil
}

// nkeyOption adds the key whose seed is in the file, and returns its public
// half.
func nkeyOption(file string, opts *[]nats.Option) (public string, err error) {
	option, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return "", fmt.Errorf("nkey file %s: %w (allowed: a file with a seed, SU...)", file, err)
	}
	var o nats.Options
	if err := option(&o); err != nil {
		return "", err
	}
	*opts = append(*opts, option)
	return o.Nkey, nil
}

// errPasswordInURL: URLs end up in logs and in the process table.
var errPasswordInURL = errors.New("has a password in it (allowed: none; put it into the file, or into $NATS_PASSWORD)")

// checkURLs refuses passwords in a list of URLs.
func checkURLs(list string) error {
	for _, s := range strings.Split(list, ",") {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil && u.User != nil {
			if _, has := u.User.Password(); has {
				return errPasswordInURL
			}
		}
	}
	return nil
}

// redacted is a list of URLs without their passwords.
func redacted(list string) string {
	urls := strings.Split(list, ",")
	for i, s := range urls {
		if u, err := url.Parse(strings.TrimSpace(s)); err == nil {
			urls[i] = u.Redacted()
		} else {
			urls[i] = "(no URL)"
		}
	}
	return strings.Join(urls, ",")
}
