package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// idleTime is how long a session stays that nobody uses.
	idleTime = 8 * time.Hour
	// maxSessions are kept, and of one account maxOfAccount: the one that was
	// used longest ago goes.
	maxSessions  = 512
	maxOfAccount = 64
	// maxStatements run at a time in one session; the server has its own
	// limits for the account.
	maxStatements = 4
)

// session is an account that has logged in from a browser.
type session struct {
	user string
	// form is in each form it is sent: no other page knows it.
	form string
	db   *sql.DB
	last time.Time // guarded by sessions
	// ended is done when the session is, and with it what it asks.
	ended context.Context
	end   context.CancelFunc
}

// sessions knows who has logged in. A session's key is only in its cookie.
type sessions struct {
	dial func(net.Addr) (net.Conn, error)
	// cookie is the name of theirs. It has the port in it: browsers send cookies to
	// all ports of a machine, where other pages may be.
	cookie string
	mu     sync.Mutex
	open   map[string]*session
}

func newSessions(dial func(net.Addr) (net.Conn, error)) *sessions {
	return &sessions{dial: dial, open: map[string]*session{}}
}

// newSession is an account's, with connections that dial opens.
func newSession(user, password string, dial func() (net.Conn, error)) (*session, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = user, password, "wiresql"
	config.Net, config.Addr = "inside", "wiresql"
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return dial() }
	// The other end is this process: there is nobody whose name to check.
	config.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	config.Params = map[string]string{"sql_select_limit": strconv.Itoa(maxRows + 1)}
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	s := &session{user: user, form: rand.Text(), db: sql.OpenDB(connector), last: time.Now()}
	s.ended, s.end = context.WithCancel(context.Background())
	s.db.SetMaxOpenConns(maxStatements)
	s.db.SetMaxIdleConns(1)
	s.db.SetConnMaxIdleTime(time.Minute)
	return s, nil
}

// login makes a session of an account whose password the server accepts. key
// is its cookie's value.
func (l *sessions) login(ctx context.Context, remote net.Addr, user, password string) (key string, err error) {
	s, err := newSession(user, password, func() (net.Conn, error) { return l.dial(remote) })
	if err != nil {
		return "", err
	}
	if err := s.db.PingContext(ctx); err != nil {
		s.end()
		s.db.Close()
		return "", err
	}
	key = rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(user)
	l.open[key] = s
	return key, nil
}

// expire makes room for one more session of an account.
func (l *sessions) expire(user string) {
	for key, s := range l.open {
		if time.Since(s.last) > idleTime {
			l.end(key)
		}
	}
	oldest := func(of func(*session) bool) (key string, n int) {
		for k, s := range l.open {
			if of(s) {
				if n++; key == "" || s.last.Before(l.open[key].last) {
					key = k
				}
			}
		}
		return key, n
	}
	if key, n := oldest(func(s *session) bool { return s.user == user }); n >= maxOfAccount {
		l.end(key)
	}
	if key, n := oldest(func(*session) bool { return true }); n >= maxSessions {
		l.end(key)
	}
}

// end closes a session; the lock is held.
func (l *sessions) end(key string) {
	if s := l.open[key]; s != nil {
		delete(l.open, key)
		s.end()
		go s.db.Close() // waits until what ran has ended
	}
}

func (l *sessions) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, s := range l.open {
		delete(l.open, key)
		s.end()
		s.db.Close()
	}
}

// of is the session of a request; nil without one.
func (l *sessions) of(r *http.Request) *session {
	c, err := r.Cookie(l.cookie)
	if err != nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.open[c.Value]
	if s == nil || time.Since(s.last) > idleTime {
		return nil
	}
	s.last = time.Now()
	return s
}

// sent tells whether a form is one this session was given.
func (s *session) sent(r *http.Request) bool {
	return subtle.ConstantTimeCompare([]byte(r.PostFormValue("form")), []byte(s.form)) == 1
}

func logout(v *view) {
	if c, err := v.r.Cookie(v.sessions.cookie); err == nil {
		v.sessions.mu.Lock()
		v.sessions.end(c.Value)
		v.sessions.mu.Unlock()
	}
	http.SetCookie(v.w, &http.Cookie{Name: v.sessions.cookie, Path: "/", MaxAge: -1, HttpOnly: true})
	http.Redirect(v.w, v.r, "/login", http.StatusSeeOther)
}

// toLogin asks who somebody is, and remembers where he wanted to go.
func toLogin(w http.ResponseWriter, r *http.Request) {
	to := "/login"
	if r.Method == http.MethodGet && r.URL.RequestURI() != "/" {
		to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// loginPage is what the form of logging in shows.
type loginPage struct {
	Next, User, Err string
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	write(w, "login", loginPage{Next: own(r.FormValue("next"))})
}

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	page := loginPage{Next: own(r.PostFormValue("next")), User: r.PostFormValue("user")}
	key, err := s.sessions.login(r.Context(), remote(r), page.User, r.PostFormValue("password"))
	if err != nil {
		var known *mysql.MySQLError
		if errors.As(err, &known) { // which the MySQL server logged
			page.Err = known.Message
		} else {
			s.log.Warn("login to the page failed", "client", r.RemoteAddr, "reason", err)
			page.Err = "the server does not answer"
		}
		w.WriteHeader(http.StatusUnauthorized)
		write(w, "login", page)
		return
	}
	// Lax: a link that somebody sent must open. Forms are guarded twice.
	http.SetCookie(w, &http.Cookie{Name: s.sessions.cookie, Value: key, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, page.Next, http.StatusSeeOther)
}

// own is an address of this page, whatever it is given: the start if it is none.
func own(to string) string {
	if u, err := url.Parse(to); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}
