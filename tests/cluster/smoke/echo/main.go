// Echo answers with the name of its pod. On request it fetches an address as seen from inside the pod,
// reads the API of its cluster as its service account, or writes a file.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func relay(answer http.ResponseWriter, client *http.Client, request *http.Request) {
	got, err := client.Do(request)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadGateway)
		return
	}
	defer got.Body.Close()
	answer.WriteHeader(got.StatusCode)
	io.Copy(answer, got.Body)
}

func fetch(answer http.ResponseWriter, request *http.Request) {
	wanted, err := http.NewRequest("GET", request.URL.Query().Get("url"), nil)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	// A new connection each time, so that a Service chooses a pod each time.
	once := http.Transport{DisableKeepAlives: true}
	relay(answer, &http.Client{Timeout: 5 * time.Second, Transport: &once}, wanted)
}

func api(answer http.ResponseWriter, request *http.Request) {
	authority, _ := os.ReadFile(account + "ca.crt")
	token, _ := os.ReadFile(account + "token")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	}
	wanted, err := http.NewRequest("GET", "https://kubernetes.default.svc"+request.URL.Query().Get("of"), nil)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	wanted.Header.Set("Authorization", "Bearer "+string(token))
	relay(answer, &client, wanted)
}

func write(answer http.ResponseWriter, request *http.Request) {
	if err := os.WriteFile(request.URL.Query().Get("to"), []byte("written\n"), 0o644); err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
	}
}

func main() {
	name, _ := os.Hostname()
	http.HandleFunc("/fetch", fetch)
	http.HandleFunc("/api", api)
	http.HandleFunc("/write", write)
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, name) })
	fmt.Println("listening")
	fmt.Println(http.ListenAndServe(":8080", nil))
}
