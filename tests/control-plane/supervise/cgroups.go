package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hierarchies are the folders where hierarchies of control groups are mounted:
// one per controller in version 1, one for all in version 2.
func hierarchies() ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		mount, source, whole := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(mount)
		kind, _, _ := strings.Cut(source, " ")
		if whole && len(fields) > 4 && (kind == "cgroup" || kind == "cgroup2") {
			found = append(found, fields[4])
		}
	}
	return found, lines.Err()
}

// joinGroup makes the group in every hierarchy, and moves this process into its
// subgroup `programs`: in version 2 no process may stand beside subgroups.
func joinGroup(name string) error {
	mounts, err := hierarchies()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		group := filepath.Join(mount, name)
		programs := filepath.Join(group, "programs")
		if err := os.MkdirAll(programs, 0o755); err != nil {
			return err
		}
		// In version 1 a set of processors begins empty, and takes nobody in.
		for _, set := range []string{"cpuset.cpus", "cpuset.mems"} {
			for _, folder := range []string{group, programs} {
				inherit(filepath.Join(filepath.Dir(folder), set), filepath.Join(folder, set))
			}
		}
		// Zero is whoever writes it.
		if err := os.WriteFile(filepath.Join(programs, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	return nil
}

// inherit gives a group what its parent has, if it is of that kind and has nothing.
func inherit(from, to string) {
	given, err := os.ReadFile(from)
	present, absent := os.ReadFile(to)
	if err == nil && absent == nil && strings.TrimSpace(string(present)) == "" {
		_ = os.WriteFile(to, given, 0)
	}
}

// removeGroup removes a group from every hierarchy, and says whether it did. What
// is in it has a while to end by itself, and is killed then.
func removeGroup(name string, grace time.Duration) bool {
	mounts, err := hierarchies()
	if err != nil {
		return false
	}
	for started := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		gone, kill := true, time.Since(started) >= grace
		for _, mount := range mounts {
			gone = removeTree(filepath.Join(mount, name), kill) && gone
		}
		if gone || time.Since(started) > grace+patience {
			return gone
		}
	}
}

func removeTree(group string, kill bool) bool {
	entries, err := os.ReadDir(group)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	for _, entry := range entries {
		if entry.IsDir() {
			removeTree(filepath.Join(group, entry.Name()), kill)
		}
	}
	if kill {
		killAll(filepath.Join(group, "cgroup.procs"))
	}
	return os.Remove(group) == nil
}

func killAll(list string) {
	processes, _ := os.ReadFile(list)
	for _, process := range strings.Fields(string(processes)) {
		// Zero stands for a process of another PID namespace, and would be all of ours.
		if pid, err := strconv.Atoi(process); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
