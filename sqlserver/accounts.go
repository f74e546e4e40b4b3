package sqlserver

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

const (
	accountsFile = "accounts"
	passwordFile = "password"
	// firstAccount is made at the first start.
	firstAccount = "wiresql"
)

// account is an entry of the file of accounts.
type account struct {
	Name string `json:"name"`
	// Hash is the salted hash MySQL stores for caching_sha2_password
	// ($A$005$…: 5,000 rounds of SHA-256), in hex because the salt is binary.
	Hash string `json:"caching_sha2_password"`
	// Select lists what the account may read: schema.* or schema.table.
	Select []string `json:"select"`
	// Pin is the right to CALL pin and unpin.
	Pin bool `json:"pin,omitzero"`
	// Hunt is the right to CALL schedule, unschedule, finding_status and case_note.
	Hunt bool `json:"hunt,omitzero"`
	// Limits are what its statements may take, where that differs from others'.
	Limits engine.Limits `json:"limits,omitzero"`
}

// accounts tells who may log in. It is the wire's only authority: what it does
// not list has no access.
type accounts struct {
	list   []account
	mu     sync.Mutex
	failed map[string]failures
}

// openAccounts reads the file of accounts. Without one it makes the account
// wiresql with a random password, which it returns and keeps in a file that
// only the server's user can read.
func openAccounts(dir string) (a *accounts, password string, err error) {
	a = &accounts{failed: map[string]failures{}}
	name := filepath.Join(dir, accountsFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if password, err = firstAccounts(dir); err != nil {
			return nil, "", fmt.Errorf("make account: %w", err)
		}
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read accounts: %w", err)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, "", fmt.Errorf("read accounts: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, "", fmt.Errorf("accounts file %s can be read by others (mode %o): chmod 600 it", name, mode)
	}
	if err := json.Unmarshal(data, &a.list); err != nil {
		return nil, "", fmt.Errorf("accounts file %s: %w", name, err)
	}
	for _, acc := range a.list {
		if err := acc.validate(); err != nil {
			return nil, "", fmt.Errorf("accounts file %s: %w", name, err)
		}
	}
	return a, password, nil
}

func firstAccounts(dir string) (password string, err error) {
	password = rand.Text()
	hash, err := hashPassword(password)
	if err != nil {
		return "", err
	}
	data, err := json.MarshalIndent([]account{{Name: firstAccount, Hash: hash, Select: []string{tables.Main + ".*", tables.Ops + ".*", tables.Hunt + ".*"}, Pin: true, Hunt: true}}, "", "  ")
	if err != nil {
		return "", err
	}
	if err := disk.Replace(disk.Real{}, filepath.Join(dir, passwordFile), []byte(password+"\n"), 0o600); err != nil {
		return "", err
	}
	return password, disk.Replace(disk.Real{}, filepath.Join(dir, accountsFile), append(data, '\n'), 0o600)
}

func hashPassword(password string) (string, error) {
	salt, err := mysql.NewSalt()
	if err != nil {
		return "", err
	}
	hash, err := mysql.SerializeCachingSha2PasswordAuthString(password, salt, mysql.DefaultCachingSha2PasswordHashIterations)
	return hex.EncodeToString(hash), err
}

func (a account) validate() error {
	if a.Name == "" {
		return errors.New("an account has no name")
	}
	if hash, err := hex.DecodeString(a.Hash); err != nil || len(hash) < 70 || !strings.HasPrefix(string(hash), "$A$") {
		return fmt.Errorf("account %s has no caching_sha2_password hash: an account without a password could be used by anyone", a.Name)
	} else if _, _, _, _, err := mysql.DeserializeCachingSha2PasswordAuthString(hash); err != nil {
		return fmt.Errorf("account %s: %w", a.Name, err)
	}
	for _, s := range a.Select {
		if schema, table, ok := strings.Cut(s, "."); !ok || schema == "" || table == "" {
			return fmt.Errorf("account %s: select %q is not schema.* or schema.table", a.Name, s)
		}
	}
	if l := a.Limits; l.Statements < 0 || l.Rows < 0 || l.Bytes < 0 {
		return fmt.Errorf("account %s: a limit is below 0", a.Name)
	}
	return nil
}

// grant puts the accounts' rights into go-mysql-server, which checks them
// when it resolves a statement's tables. Statements of the process itself
// come without a user name, which nobody can log in with; they may read all.
func (a *accounts) grant(db *mysql_db.MySQLDb) {
	db.SetPersister(&mysql_db.NoopPersister{})
	edit := db.Editor()
	defer edit.Close()
	all := mysql_db.NewPrivilegeSet()
	all.AddGlobalStatic(sql.PrivilegeType_Select, sql.PrivilegeType_Process)
	edit.PutUser(&mysql_db.User{Host: "%", PrivilegeSet: all, Plugin: string(mysql.CachingSha2Password), Locked: true})
	for _, acc := range a.list {
		rights := mysql_db.NewPrivilegeSet()
		// SHOW PROCESSLIST asks for it; what it lists are one's own.
		rights.AddGlobalStatic(sql.PrivilegeType_Process)
		for _, s := range acc.Select {
			schema, table, _ := strings.Cut(s, ".")
			if table == "*" {
				rights.AddDatabase(schema, sql.PrivilegeType_Select)
			} else {
				rights.AddTable(schema, table, sql.PrivilegeType_Select)
			}
		}
		if acc.Pin {
			rights.AddDatabase(tables.Ops, sql.PrivilegeType_Execute)
		}
		if acc.Hunt {
			rights.AddDatabase(tables.Hunt, sql.PrivilegeType_Execute)
		}
		edit.PutUser(&mysql_db.User{User: acc.Name, Host: "%", PrivilegeSet: rights, Plugin: string(mysql.CachingSha2Password), Locked: true})
	}
	db.SetEnabled(true)
}

// nobody's hash is compared for names that do not exist, so that they take as
// long as those that do.
var nobody = sync.OnceValue(func() string {
	hash, err := hashPassword(rand.Text())
	if err != nil {
		return ""
	}
	return hash
})

// check tells whose a password is.
func (a *accounts) check(user, password string, remote net.Addr) (mysql.Getter, error) {
	host := hostOf(remote)
	if wait := a.waitFor(user, host); wait > 0 {
		seconds := "1 second"
		if n := int(wait.Seconds()) + 1; n > 1 {
			seconds = fmt.Sprintf("%d seconds", n)
		}
		return nil, newError(1045, fmt.Sprintf("Access denied for user '%s': too many wrong passwords, wait %s", user, seconds))
	}
	stored, known := nobody(), false
	for _, acc := range a.list {
		if acc.Name == user {
			stored, known = acc.Hash, true
		}
	}
	if !samePassword(stored, password) || !known || password == "" {
		a.fail(user, host)
		return nil, accessDenied(user, remote, true)
	}
	a.mu.Lock()
	delete(a.failed, user+"\x00"+host)
	a.mu.Unlock()
	return sql.MysqlConnectionUser{User: user, Host: host}, nil
}

func samePassword(stored, password string) bool {
	hash, err := hex.DecodeString(stored)
	if err != nil {
		return false
	}
	_, iterations, salt, _, err := mysql.DeserializeCachingSha2PasswordAuthString(hash)
	if err != nil {
		return false
	}
	got, err := mysql.SerializeCachingSha2PasswordAuthString(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare(got, hash) == 1
}

func accessDenied(user string, remote net.Addr, withPassword bool) error {
	answer := "NO"
	if withPassword {
		answer = "YES"
	}
	return newError(1045,
		fmt.Sprintf("Access denied for user '%s'@'%s' (using password: %s)", user, hostOf(remote), answer))
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// failures counts wrong passwords for a user from one address.
type failures struct {
	n     int
	until time.Time
}

const (
	// freeFailures are not answered with a delay; then it doubles from one
	// second to maxWait.
	freeFailures = 5
	maxWait      = time.Minute
	// maxFailed bounds the memory guessing can take.
	maxFailed = 10_000
)

func (a *accounts) waitFor(user, host string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Until(a.failed[user+"\x00"+host].until)
}

func (a *accounts) fail(user, host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := user + "\x00" + host
	f, ok := a.failed[key]
	if !ok && len(a.failed) >= maxFailed {
		for k, other := range a.failed {
			if time.Now().After(other.until) {
				delete(a.failed, k)
			}
		}
		if len(a.failed) >= maxFailed {
			return
		}
	}
	f.n++
	if f.n >= freeFailures {
		f.until = time.Now().Add(min(time.Second<<min(f.n-freeFailures, 10), maxWait))
	}
	a.failed[key] = f
}
