package main

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// What sessions hold between statements is bounded for all together, in each of
// the ways to hold it, and given back when they leave.
func TestHeldBySessions(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	const ceiling, total, each = 256 << 20, 32 << 20, 16 << 20
	s := serveProcess(t, dir, "--memory-limit", strconv.Itoa(ceiling))
	ctx := t.Context()
	long := strings.Repeat("x", 200_000)
	ways := map[string]func(c *sql.Conn, i int) error{
		"variable": func(c *sql.Conn, i int) error {
			_, err := c.ExecContext(ctx, "SET @v"+strconv.Itoa(i)+" = REPEAT('x', 200000)")
			return err
		},
		"named statement": func(c *sql.Conn, i int) error {
			_, err := c.ExecContext(ctx, "PREPARE s"+strconv.Itoa(i)+" FROM 'SELECT /* "+long+" */ 1'")
			return err
		},
		"statement": func(c *sql.Conn, i int) error {
			_, err := c.PrepareContext(ctx, "SELECT '"+long+"'")
			return err
		},
	}
	for name, hold := range ways {
		t.Run(name, func(t *testing.T) {
			s.t = t
			before := s.rss()
			db := s.open(t, nil)
			held := 0
			var conns []*sql.Conn
			for len(conns) < 4 {
				c, err := db.Conn(ctx)
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
				for i := 0; ; i++ {
					err := hold(c, i)
					var e *mysql.MySQLError
					if errors.As(err, &e) && e.Number == 1041 {
						if own, all := i*len(long) > each-2*len(long), held+len(long) > total-2*len(long); !own && !all {
							t.Errorf("refused with %d bytes of its own and %d of all: %v", i*len(long), held, err)
						}
						break
					}
					if err != nil || held > total {
						t.Fatalf("%d bytes are held: %v", held, err)
					}
					held += len(long)
				}
			}
			if held < total-4*len(long) {
				t.Errorf("only %d bytes could be held", held)
			}
			// Who holds little still may.
			if _, err := conns[3].ExecContext(ctx, "SET @little = 'abc'"); err != nil {
				t.Error(err)
			}
			if st, err := conns[3].PrepareContext(ctx, "SELECT ?"); err != nil {
				t.Error(err)
			} else {
				st.Close()
			}
			t.Logf("%d MB more for %d held", (s.rss()-before)>>20, held>>20)
			for _, c := range conns {
				// The connection ends, with all it held.
				_ = c.Raw(func(any) error { return context.Canceled })
				c.Close()
			}
			db.Close()
			await(t, 10*time.Second, "room again", func() bool {
				again := s.open(t, nil)
				defer again.Close()
				c, err := again.Conn(ctx)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				for i := range 60 {
					if hold(c, i) != nil {
						return false
					}
				}
				return true
			})
		})
	}
	s.t = t
	var e *mysql.MySQLError
	for _, name := range []string{"optimizer_switch", "innodb_flush_method", "character_set_client", "init_connect"} {
		if _, err := s.second.Exec("SET SESSION " + name + " = REPEAT('x', 200000)"); !errors.As(err, &e) || e.Number == 1105 {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
	}
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
