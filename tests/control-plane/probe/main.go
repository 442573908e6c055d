// Command probe is what containers of tests run: each order does one thing that a
// container can do well or badly, prints what came of it, and ends with 1 if it
// did not work.
//
//	probe serve PORT TEXT       answer every request with TEXT, until SIGTERM
//	probe ask URL               print the answer to a request
//	probe listen [HOST:]PORT... take every connection; udp:PORT answers datagrams
//	probe connect HOST:PORT...  say of each whether a connection can be made: open, refused, or no
//	                            answer (what a dropped packet looks like); of several, a line each,
//	                            all tried at once, and the end is 0; udp:HOST:PORT wants an answer;
//	                            -within 1s is another patience
//	probe write FILE TEXT       write a file
//	probe read FILE             print a file
//	probe fill FILE MIB         write that much to a file
//	probe hold MIB              use that much memory, until SIGTERM
//	probe say TEXT CODE         print TEXT, write it as the termination message, end with CODE
//	probe wait                  do nothing, until SIGTERM
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long an answer may take.
const patience = 3 * time.Second

func main() {
	if err := obey(os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func obey(words []string) error {
	word := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
	switch word(0) {
	case "serve":
		return serve(word(1), word(2))
	case "ask":
		return ask(word(1))
	case "listen":
		return listen(words[1:])
	case "connect":
		return connectAll(words[1:])
	case "write":
		return os.WriteFile(word(1), []byte(word(2)+"\n"), 0o644)
	case "read":
		text, err := os.ReadFile(word(1))
		fmt.Print(string(text))
		return err
	case "fill":
		return fill(word(1), word(2))
	case "hold":
		return hold(word(1))
	case "say":
		return say(word(1), word(2))
	case "wait":
		wait()
		return nil
	}
	return fmt.Errorf("unknown order: %q", words)
}

// wait returns when the container is asked to end.
func wait() {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	<-ending.Done()
}

func serve(port, text string) error {
	server := &http.Server{Addr: ":" + port, Handler: http.HandlerFunc(
		func(answer http.ResponseWriter, request *http.Request) {
			fmt.Printf("%s %s from %s\n", request.Method, request.URL.Path, request.RemoteAddr)
			fmt.Fprintln(answer, text)
		})}
	go func() {
		wait()
		_ = server.Shutdown(context.Background())
	}()
	fmt.Printf("serving %q at :%s\n", text, port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func ask(url string) error {
	client := &http.Client{Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	fmt.Print(string(body))
	if err == nil && answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return err
}

func listen(ports []string) error {
	for _, port := range ports {
		port, datagrams := strings.CutPrefix(port, "udp:")
		if !strings.Contains(port, ":") {
			port = ":" + port
		}
		if datagrams {
			socket, err := net.ListenPacket("udp", port)
			if err != nil {
				return err
			}
			go echo(socket)
			continue
		}
		listener, err := net.Listen("tcp", port)
		if err != nil {
			return err
		}
		go take(listener)
	}
	fmt.Println("listening")
	wait()
	return nil
}

func echo(socket net.PacketConn) {
	datagram := make([]byte, 1500)
	for {
		if length, from, err := socket.ReadFrom(datagram); err == nil {
			_, _ = socket.WriteTo(datagram[:length], from)
		}
	}
}

func take(listener net.Listener) {
	for {
		if connection, err := listener.Accept(); err == nil {
			_ = connection.Close()
		}
	}
}

func connectAll(targets []string) error {
	within := patience
	if len(targets) > 1 && targets[0] == "-within" {
		given, err := time.ParseDuration(targets[1])
		if err != nil {
			return err
		}
		within, targets = given, targets[2:]
	}
	said := make([]string, len(targets))
	var tries sync.WaitGroup
	for number, target := range targets {
		tries.Go(func() { said[number] = connect(target, within) })
	}
	tries.Wait()
	fmt.Println(strings.Join(said, "\n"))
	if len(said) == 1 && said[0] != "open" {
		os.Exit(1)
	}
	return nil
}

func connect(target string, within time.Duration) string {
	network, address := "tcp", target
	if datagram, is := strings.CutPrefix(target, "udp:"); is {
		network, address = "udp", datagram
	}
	connection, err := net.DialTimeout(network, address, within)
	if err == nil && network == "udp" {
		err = exchange(connection, within)
	}
	var failure net.Error
	switch {
	case err == nil:
		_ = connection.Close()
		return "open"
	case errors.As(err, &failure) && failure.Timeout():
		return "no answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return err.Error()
}

// exchange sends a datagram that a name server can answer, too: a question for the root.
func exchange(connection net.Conn, within time.Duration) error {
	question := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1}
	if _, err := connection.Write(question); err != nil {
		return err
	}
	_ = connection.SetReadDeadline(time.Now().Add(within))
	_, err := connection.Read(make([]byte, 1500))
	return err
}

func fill(path, size string) error {
	mebibytes, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	block := make([]byte, 1<<20)
	for written := range mebibytes {
		if _, err := file.Write(block); err != nil {
			return fmt.Errorf("after %d MiB: %w", written, err)
		}
	}
	return file.Sync()
}

func hold(size string) error {
	mebibytes, err := strconv.Atoi(size)
	if err != nil {
		return err
	}
	var held [][]byte
	for range mebibytes {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		held = append(held, block)
	}
	fmt.Printf("holding %d MiB\n", len(held))
	wait()
	return nil
}

func say(text, code string) error {
	number, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	fmt.Println(text)
	// Only a container has one.
	_ = os.WriteFile("/dev/termination-log", []byte(text), 0o644)
	os.Exit(number)
	return nil
}
