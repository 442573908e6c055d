// Command supervise starts programs on behalf of a test and ends them with it.
//
// It reads orders, one JSON object a line, from standard input, and answers with
// events, one JSON object a line, on standard output. Its standard input is a
// pipe that only the test holds: when the test ends, however it ends, the pipe
// closes, and supervise ends every program, removes the directory it was given
// and ends itself. On Linux its programs die with it, should it be killed.
//
//	supervise [-remove DIRECTORY] [-cgroup NAME]     take orders; at the end remove both
//	supervise init [CGROUP]                          be the first process of a PID namespace: take
//	                                                 orders there, as a member of the control group
//	supervise clean CGROUP...                        kill what is in control groups, and remove them
//	supervise certificates DIRECTORY [ADDRESS...]    write what an API server needs to start
//
// By the name of `pause` it only waits: as the program that holds a pod's
// namespaces. It knows nothing of Kubernetes but the file names in certificates.go.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long processes that were killed may take to be gone.
const patience = 30 * time.Second

// order is what the test asks for: start a program, or signal one.
type order struct {
	Do      string            `json:"do"` // start, signal
	Name    string            `json:"name"`
	Program string            `json:"program"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
	Log     string            `json:"log"`
	// Grace is how many milliseconds the program has after SIGTERM when the
	// test ends; zero means it is killed at once.
	Grace  int    `json:"grace"`
	Signal string `json:"signal"` // TERM, KILL
}

// event is what happened: a program started, could not be started, or exited.
type event struct {
	Event string `json:"event"` // started, failed, exited
	Name  string `json:"name"`
	Pid   int    `json:"pid,omitempty"`
	How   string `json:"how,omitempty"`
	Code  int    `json:"code"`
}

// program is one that runs, and how to tell that it no longer does.
type program struct {
	command *exec.Cmd
	grace   time.Duration
	gone    chan struct{}
}

type supervisor struct {
	guard    sync.Mutex
	programs map[string]*program
	events   *json.Encoder
}

func main() {
	// The death signal of children is tied to the thread that starts them.
	runtime.LockOSThread()
	if filepath.Base(os.Args[0]) == "pause" {
		pause()
		return
	}
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		if err := other(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	remove := flag.String("remove", "", "directory to remove at the end")
	group := flag.String("cgroup", "", "control group to remove at the end, with all that is in it")
	flag.Parse()
	devices := loops()
	// A reader that is gone must not end us before our programs have ended.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	s := &supervisor{programs: map[string]*program{}, events: json.NewEncoder(os.Stdout)}
	orders := make(chan order)
	go read(orders)
	s.obey(orders, ending)
	s.end()
	if *group != "" {
		removeGroup(*group, patience/6)
		// What was mounted in there had devices.
		removeLoops(devices)
	}
	if *remove != "" {
		removeAll(*remove)
	}
}

// other does what is no supervising.
func other(what string, args []string) error {
	switch {
	case what == "certificates" && len(args) > 0:
		return writeCertificates(args[0], args[1:])
	case what == "init" && len(args) < 2:
		return initialise(strings.Join(args, ""))
	case what == "clean":
		for _, group := range args {
			if !removeGroup(group, 0) {
				return fmt.Errorf("cannot remove the control group %s", group)
			}
		}
		return nil
	}
	return fmt.Errorf("supervise: unknown arguments: %s %s", what, strings.Join(args, " "))
}

// pause waits until it is asked to end.
func pause() {
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGINT, syscall.SIGTERM)
	<-ending
}

// read passes the orders on until the pipe closes.
func read(orders chan<- order) {
	defer close(orders)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var next order
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			fmt.Fprintln(os.Stderr, "supervise: unreadable order:", err)
			continue
		}
		orders <- next
	}
}

// obey runs on the main thread, because start does.
func (s *supervisor) obey(orders <-chan order, ending <-chan os.Signal) {
	for {
		select {
		case next, open := <-orders:
			if !open {
				return
			}
			switch next.Do {
			case "start":
				s.start(next)
			case "signal":
				s.signal(next)
			}
		case <-ending:
			return
		}
	}
}

func (s *supervisor) start(next order) {
	log, err := os.OpenFile(next.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.tell(event{Event: "failed", Name: next.Name, How: err.Error()})
		return
	}
	defer log.Close()
	command := exec.Command(next.Program, next.Args...)
	command.Stdout, command.Stderr = log, log
	command.Env = []string{}
	for key, value := range next.Env {
		command.Env = append(command.Env, key+"="+value)
	}
	command.SysProcAttr = dieWithParent()
	if err := command.Start(); err != nil {
		s.tell(event{Event: "failed", Name: next.Name, How: err.Error()})
		return
	}
	started := &program{command, time.Duration(next.Grace) * time.Millisecond, make(chan struct{})}
	s.guard.Lock()
	s.programs[next.Name] = started
	s.guard.Unlock()
	s.tell(event{Event: "started", Name: next.Name, Pid: command.Process.Pid})
	go func() {
		_ = command.Wait()
		close(started.gone)
		s.tell(event{Event: "exited", Name: next.Name, Pid: command.Process.Pid,
			How: command.ProcessState.String(), Code: command.ProcessState.ExitCode()})
	}()
}

func (s *supervisor) signal(next order) {
	s.guard.Lock()
	defer s.guard.Unlock()
	if running := s.programs[next.Name]; running != nil {
		if next.Signal == "KILL" {
			_ = running.command.Process.Kill()
		} else {
			_ = running.command.Process.Signal(syscall.SIGTERM)
		}
	}
}

// end stops everything, each program with the grace it was promised.
func (s *supervisor) end() {
	s.guard.Lock()
	defer s.guard.Unlock()
	var all sync.WaitGroup
	for _, running := range s.programs {
		all.Go(func() {
			if running.grace > 0 {
				_ = running.command.Process.Signal(syscall.SIGTERM)
				select {
				case <-running.gone:
				case <-time.After(running.grace):
				}
			}
			_ = running.command.Process.Kill()
			<-running.gone
		})
	}
	all.Wait()
}

func (s *supervisor) tell(what event) {
	s.guard.Lock()
	defer s.guard.Unlock()
	_ = s.events.Encode(what)
}

// removeAll tries again for a moment: the test itself may still be writing.
func removeAll(directory string) {
	for range 20 {
		if os.RemoveAll(directory) == nil {
			if _, err := os.Stat(directory); os.IsNotExist(err) {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}
