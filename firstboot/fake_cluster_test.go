package firstboot

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"slipway/firstboot/kube"
	"slipway/firstboot/peer"
	"slipway/node"
)

// fakePeers answer for the other nodes, by name.
type fakePeers map[string]peer.Attestation

func (p fakePeers) Attest(_ context.Context, n node.Node) (peer.Attestation, error) {
	if a, ok := p[n.Name]; ok {
		return a, nil
	}
	return peer.Attestation{}, errors.New("no answer")
}

// fakeAPI is etcd's health, the API server and what the controllers and the kubelet do through it. What it keeps is
// in etcd: it survives power cuts.
type fakeAPI struct {
	w       *fakeWorld
	objects map[string]map[string]any
	node    string // boot that the kubelet reported
	csr     *kube.CSR
}

func newFakeAPI(w *fakeWorld) *fakeAPI {
	return &fakeAPI{w: w, objects: map[string]map[string]any{}}
}

// lines is the cluster as text.
func (a *fakeAPI) lines() []string {
	var lines []string
	for path, object := range a.objects {
		data, _ := json.Marshal(object)
		lines = append(lines, "object "+path+" "+sum(data)[:8])
	}
	if a.csr != nil {
		lines = append(lines, fmt.Sprintf("csr pending=%v", a.csr.Pending()))
	}
	return lines
}

// kubeletStarted asks for a serving certificate when there is none.
func (a *fakeAPI) kubeletStarted() {
	if a.csr != nil {
		return
	}
	a.csr = &kube.CSR{Metadata: kube.Metadata{Name: "csr-1", UID: "1"}, Spec: kube.CSRSpec{
		Request:    servingRequest(a.w.cfg.Self()),
		SignerName: kube.SignerKubeletServing, Usages: []string{"digital signature", "server auth"},
		Username: "system:node:" + a.w.cfg.Node, Groups: []string{"system:nodes", "system:authenticated"},
	}}
}

func servingRequest(n node.Node) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}},
		DNSNames: []string{n.Name}, IPAddresses: []net.IP{n.Address.Addr().AsSlice()},
	}, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// Client gives a Fetcher that asks this world, if the identity may.
func (a *fakeAPI) Client(id Identity) (Fetcher, error) { return fakeFetcher{a, id}, nil }

type fakeFetcher struct {
	api *fakeAPI
	id  Identity
}

// Do answers when the program that serves the port is there.
func (f fakeFetcher) Do(r *http.Request) (*http.Response, error) {
	unit := map[string]string{
		"2379": "etcd.service", "6443": "kube-apiserver.service", "7443": "kube-apiserver.service",
		"10257": "kube-controller-manager.service", "10259": "kube-scheduler.service",
	}[r.URL.Port()]
	if !f.api.w.active(unit) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	rec := httptest.NewRecorder()
	if want := f.wants(r.URL.Port()); f.id.Cert != want {
		http.Error(rec, `{"message":"who are you?"}`, http.StatusUnauthorized)
		return rec.Result(), nil
	}
	f.api.serve(rec, r)
	return rec.Result(), nil
}

func (f fakeFetcher) wants(port string) string {
	return map[string]string{"2379": node.CertEtcdCli, "6443": node.CertAdmin, "7443": node.CertKubelet}[port]
}

func (a *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/health":
		fmt.Fprintln(w, `{"health":"true","reason":""}`)
	case path == "/readyz" || path == "/healthz":
		fmt.Fprintln(w, "ok")
	case strings.HasPrefix(path, "/apis/certificates.k8s.io/"):
		a.serveCSR(w, r)
	case r.Method == http.MethodPatch:
		a.apply(w, r)
	case path == nodesPath:
		a.listNodes(w)
	case strings.HasPrefix(path, nodesPath+"/"):
		a.serveNode(w)
	default:
		a.read(w, path)
	}
}

func (a *fakeAPI) apply(w http.ResponseWriter, r *http.Request) {
	var object map[string]any
	if r.Header.Get("Content-Type") != "application/apply-patch+yaml" || r.URL.Query().Get("force") != "true" {
		http.Error(w, "no server-side apply", http.StatusUnsupportedMediaType)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&object); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.w.change("apply "+r.URL.Path, func() error { a.objects[r.URL.Path] = object; return nil })
	fmt.Fprintln(w, "{}")
}

// read gives an object; a deployment is available once the node could run it.
func (a *fakeAPI) read(w http.ResponseWriter, path string) {
	object, ok := a.objects[path]
	if !ok {
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
		return
	}
	answer := map[string]any{"metadata": object["metadata"]}
	if strings.Contains(path, "/deployments/") && a.w.active("kube-proxy.service") {
		answer["status"] = map[string]any{"availableReplicas": 1, "conditions": []kube.Condition{{Type: "Available", Status: "True"}}}
	}
	json.NewEncoder(w).Encode(answer)
}

func (a *fakeAPI) serveNode(w http.ResponseWriter) {
	if a.w.active("kubelet.service") {
		a.node = fmt.Sprintf("boot-%d", a.w.boot)
	}
	if a.node == "" {
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
		return
	}
	fmt.Fprintf(w, `{"metadata":{"name":%q},"status":{"nodeInfo":{"bootID":%q},"conditions":[{"type":"Ready","status":"True"}]}}`, a.w.cfg.Node, a.node)
}

// listNodes knows this node, with the labels that were applied, and one that is nobody's.
func (a *fakeAPI) listNodes(w http.ResponseWriter) {
	self := kube.Metadata{Name: a.w.cfg.Node, UID: "u1"}
	if applied, ok := a.objects[nodesPath+"/"+self.Name]["metadata"].(map[string]any); ok {
		labels, _ := applied["labels"].(map[string]any)
		self.Labels = map[string]string{}
		for key := range labels {
			self.Labels[key] = ""
		}
	}
	items := []meta{{Metadata: self}, {Metadata: kube.Metadata{Name: "stranger", UID: "u2"}}}
	json.NewEncoder(w).Encode(map[string]any{"items": items})
}

func (a *fakeAPI) serveCSR(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		var csr kube.CSR
		if err := json.NewDecoder(r.Body).Decode(&csr); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.w.change("approve "+csr.Metadata.Name, func() error {
			a.csr = &csr
			a.w.put(kubeletServing, "certificate")
			return nil
		})
		fmt.Fprintln(w, "{}")
		return
	}
	items := []kube.CSR{}
	if a.csr != nil {
		items = append(items, *a.csr)
	}
	json.NewEncoder(w).Encode(map[string]any{"metadata": kube.Metadata{ResourceVersion: "1"}, "items": items})
}
