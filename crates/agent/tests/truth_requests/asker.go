// A server that does what it is asked for and logs every request, and a client of its own, inside
// Go's TLS.
//
//	asker serve ADDRESS PORT LOG CERTIFICATE KEY
//	asker ask ADDRESS PORT 1|2
//
// A line of LOG is one request. `us` are two times, in microseconds: the wait for the answer's
// beginning was longer than from the handler's start to its first write, and shorter than from
// before the client asked, which it says in a header, to the end of that write. What is written over
// HTTP/2 goes to a buffer, which is emptied when others have run: that may take longer by `buffered`.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const buffered = 100 * time.Millisecond

var statuses = map[string]int{"/missing": 404, "/broken": 500, "/none": 204, "/moved": 301}

type line struct {
	Protocol string  `json:"protocol"`
	Method   string  `json:"method"`
	Path     string  `json:"path"`
	Status   *int    `json:"status"`
	Outcome  string  `json:"outcome"`
	Us       []int64 `json:"us"`
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

type server struct {
	lock sync.Mutex
	log  *os.File
}

func (s *server) note(l line) {
	text, err := json.Marshal(l)
	check(err)
	s.lock.Lock()
	defer s.lock.Unlock()
	_, err = s.log.Write(append(text, '\n'))
	check(err)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	protocol := strings.Replace(strings.ToLower(r.Proto), "http/2.0", "http/2", 1)
	l := line{Protocol: protocol, Method: r.Method, Path: r.URL.Path, Outcome: "answered"}
	_, err := io.Copy(io.Discard, r.Body)
	check(err)
	if r.URL.Path == "/silent" {
		<-r.Context().Done()
		l.Outcome = "unanswered"
		s.note(l)
		// with no answer at all
		panic(http.ErrAbortHandler)
	}
	asked, err := strconv.ParseInt(r.Header.Get("x-asked-us"), 10, 64)
	check(err)
	if ms, err := strconv.Atoi(r.URL.Query().Get("ms")); err == nil {
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	status := 200
	if other, is := statuses[r.URL.Path]; is {
		status = other
	}
	low := time.Since(began).Microseconds()
	w.WriteHeader(status)
	if status != 204 {
		io.WriteString(w, "hi")
	}
	w.(http.Flusher).Flush()
	high := time.Now()
	if r.ProtoMajor == 2 {
		high = high.Add(buffered)
	}
	l.Status, l.Us = &status, []int64{low, high.UnixMicro() + 1 - asked}
	if size, err := strconv.Atoi(r.URL.Query().Get("bytes")); err == nil {
		io.WriteString(w, strings.Repeat("z", size))
	}
	s.note(l)
}

func serve(address string, files []string) {
	file, err := os.OpenFile(files[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(err)
	listener, err := net.Listen("tcp", address)
	check(err)
	fmt.Println("up")
	check(http.ServeTLS(listener, &server{log: file}, files[1], files[2]))
}

func asker(address string, isHTTP2 bool) func(method, path, body string) error {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: isHTTP2,
		MaxConnsPerHost:   2,
	}
	// a redirection is an answer like others
	last := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Transport: transport, CheckRedirect: last}
	return func(method, path, body string) error {
		request, err := http.NewRequest(method, "https://"+address+path, strings.NewReader(body))
		check(err)
		if path == "/silent" {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			request = request.WithContext(ctx)
		}
		request.Header.Set("x-asked-us", strconv.FormatInt(time.Now().UnixMicro(), 10))
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
}

func some(ask func(method, path, body string) error) {
	for n := 0; n < 20; n++ {
		check(ask("GET", fmt.Sprintf("/items/%d?key=value", n), ""))
	}
	for _, path := range []string{"/missing", "/broken", "/none", "/moved", "/large?bytes=300000"} {
		check(ask("GET", path, ""))
	}
	check(ask("HEAD", "/items/7", ""))
	check(ask("PUT", "/items/7", strings.Repeat("GET / HTTP/1.1\r\n\r\n", 5000)))
	check(ask("DELETE", "/items/7", ""))
	for n := 0; n < 10; n++ {
		check(ask("GET", fmt.Sprintf("/slow?ms=%d", 5*n), ""))
	}
}

func main() {
	address := net.JoinHostPort(os.Args[2], os.Args[3])
	if os.Args[1] == "serve" {
		serve(address, os.Args[4:])
		return
	}
	ask := asker(address, os.Args[4] == "2")
	var all sync.WaitGroup
	for n := 0; n < 3; n++ {
		all.Add(1)
		go func() {
			defer all.Done()
			some(ask)
		}()
	}
	all.Wait()
	if ask("GET", "/silent", "") == nil {
		log.Fatal("an answer to /silent")
	}
}
