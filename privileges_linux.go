package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// confined in the environment says that this program began anew to have fewer
// rights: if it still has more, it would for ever.
const confined = "CONFINED_WIRESQL"

// endsWithParent is the signal we get when our parent dies. It is asked for
// before there are threads, which do not have it, and is lost with rights.
var endsWithParent = func() (signal int32) {
	if unix.Prctl(unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0, 0, 0) != nil {
		return 0
	}
	return signal
}()

// confine gives up the rights this program was started with: root becomes the
// account if one is given, and of a program that is not root nothing stays but,
// if it captures, CAP_NET_RAW: interfaces come back, and are opened anew. As
// rights belong to threads, of which there are some by now, the program begins
// anew; if there is nothing to give up, confine returns.
func confine(account string, captures bool, folders ...string) error {
	root := os.Geteuid() == 0
	if root && account == "" {
		return nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	if err := unix.Capget(&header, &has[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var keep [2]unix.CapUserData
	if raw := uint32(1 << unix.CAP_NET_RAW); captures && has[0].Permitted&raw != 0 {
		keep[0] = unix.CapUserData{Effective: raw, Permitted: raw, Inheritable: raw}
	}
	if !root && has[0].Permitted&^keep[0].Permitted == 0 && has[1].Permitted == 0 {
		return os.Unsetenv(confined) // which is not for children
	}
	if os.Getenv(confined) != "" {
		return fmt.Errorf("rights that should be given up are there again (capabilities %x)", has[0].Permitted)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if root {
		u, err := user.Lookup(account)
		if err != nil {
			return fmt.Errorf("account %s: %w", account, err)
		}
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
		if uid == 0 {
			return fmt.Errorf("account %s is root's", account)
		}
		for _, dir := range folders {
			if _, err := os.Stat(dir); !os.IsNotExist(err) {
				continue
			}
			if err := os.MkdirAll(dir, 0o750); err != nil { // an archive that will be theirs
				return err
			}
			if err := os.Chown(dir, uid, gid); err != nil {
				return err
			}
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // for good: it has other rights from here on
	do := func(what string, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", what, e)
		}
	}
	if root {
		do("keep capabilities", unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0))
		group := uint32(gid)
		do("set groups", raw(unix.SYS_SETGROUPS, 1, uintptr(unsafe.Pointer(&group)), 0))
		do("set group", raw(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)))
		do("set user", raw(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)))
	}
	do("clear capabilities", unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
	do("set capabilities", unix.Capset(&header, &keep[0]))
	if keep[0].Permitted != 0 {
		do("keep CAP_NET_RAW", unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_NET_RAW, 0, 0))
	}
	do("take no new rights", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if endsWithParent != 0 {
		do("end with the parent", unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(endsWithParent), 0, 0, 0))
	}
	if err != nil {
		return err
	}
	environment := append(os.Environ(), confined+"=1")
	err = syscall.Exec(binary, os.Args, environment)
	if errors.Is(err, os.ErrPermission) { // it lies where the account can't look
		err = syscall.Exec("/proc/self/exe", os.Args, environment)
	}
	return fmt.Errorf("begin anew: %w", err)
}

// raw changes rights of this thread alone, unlike package syscall.
func raw(call, a, b, c uintptr) error {
	if _, _, e := unix.RawSyscall(call, a, b, c); e != 0 {
		return e
	}
	return nil
}
