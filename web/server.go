package web

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

//go:embed static
var static embed.FS

// Config is what the page needs.
type Config struct {
	// Listen is the address and port.
	Listen string
	// TLS is how browsers are spoken to, but on an address that only this
	// machine reaches, where nobody has to trust a certificate first.
	TLS *tls.Config
	// Dial opens a connection to the MySQL server for a browser at an address.
	Dial func(remote net.Addr) (net.Conn, error)
}

const (
	// maxConnections of browsers; each may have six.
	maxConnections = 512
	// maxForm bounds what a form may send, in bytes.
	maxForm = 1 << 20
	// writeTime is how long a browser may leave a piece unread.
	writeTime = time.Minute
)

// Server serves the page. New is inert, Start listens, Close stops.
type Server struct {
	cfg      Config
	log      *slog.Logger
	sessions *sessions
	http     *http.Server
	listener net.Listener
	secure   bool // browsers are spoken to over TLS
	serving  sync.WaitGroup
}

// New prepares the page. log may be nil.
func New(cfg Config, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Server{cfg: cfg, log: log, sessions: newSessions(cfg.Dial)}
}

// Start listens and serves in the background.
func (s *Server) Start() error {
	raw, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, port, _ := net.SplitHostPort(raw.Addr().String())
	s.sessions.cookie = "wiresql-" + port
	s.listener = netutil.LimitListener(raw, maxConnections)
	if s.secure = !local(raw.Addr()); s.secure {
		s.listener = tls.NewListener(s.listener, s.cfg.TLS)
	}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.serving.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("page ended", "error", err)
		}
	})
	return nil
}

// local tells whether an address is reached from this machine only.
func local(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// URL is where the page is.
func (s *Server) URL() string {
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	return scheme + "://" + s.listener.Addr().String() + "/"
}

// Close ends what is being answered, and all sessions.
func (s *Server) Close() error {
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	s.serving.Wait()
	s.sessions.close()
	return err
}

// handler is all routes: those of files and of logging in for everybody, the
// others for who has logged in.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", cached(http.FileServerFS(static)))
	mux.HandleFunc("GET /static/{$}", lost) // no listings
	mux.HandleFunc("GET /static/uplot/{$}", lost)
	mux.HandleFunc("GET /", lost)
	mux.HandleFunc("GET /login", s.loginForm)
	mux.HandleFunc("POST /login", s.login)
	for route, show := range map[string]func(*view){
		"GET /{$}":        overview,
		"GET /hunts":      hunts,
		"GET /hunt":       oneHunt,
		"GET /findings":   findings,
		"GET /finding":    finding,
		"POST /finding":   finding,
		"GET /sql":        statement,
		"POST /sql":       statement,
		"GET /host":       host,
		"GET /connection": connection,
		"GET /packet":     packet,
		"GET /search":     search,
		"GET /pcap":       capture,
		"GET /csv":        values,
		"POST /logout":    logout,
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) { s.show(w, r, show) })
	}
	// No other site can make a browser send a form.
	forms := http.NewCrossOriginProtection()
	return guarded(http.MaxBytesHandler(forms.Handler(mux), maxForm))
}

// policy lets a page have what this server serves, and no script that stands in
// it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guarded says how browsers must treat what they get.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // what is hunted for is nobody else's
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// lost answers for what is not there.
func lost(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	write(w, "lost", nil)
}

func cached(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		next.ServeHTTP(w, r)
	})
}

// remote is the address of the browser of a request.
func remote(r *http.Request) net.Addr {
	if a, err := net.ResolveTCPAddr("tcp", r.RemoteAddr); err == nil { // an address, nothing is looked up
		return a
	}
	return &net.TCPAddr{IP: net.IPv4zero}
}

// show answers a request of somebody who has logged in.
func (s *Server) show(w http.ResponseWriter, r *http.Request, show func(*view)) {
	who := s.sessions.of(r)
	if who == nil {
		toLogin(w, r)
		return
	}
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	defer context.AfterFunc(who.ended, stop)()
	r = r.WithContext(ctx)
	v := &view{w: w, r: r, who: who, sessions: s.sessions, control: http.NewResponseController(w)}
	if r.Method == http.MethodPost && !who.sent(r) {
		http.Error(w, "this form is of another session: load the page again", http.StatusForbidden)
		return
	}
	defer func() {
		if e := recover(); e != nil && e != http.ErrAbortHandler && r.Context().Err() == nil {
			s.log.Error("panic in a view", "path", r.URL.Path, "panic", e)
			panic(http.ErrAbortHandler) // what is written so far must not look whole
		} else if e != nil {
			panic(http.ErrAbortHandler)
		}
	}()
	show(v)
}

// context of a statement: it ends when the browser leaves, or with the session.
func (v *view) context() context.Context { return v.r.Context() }
