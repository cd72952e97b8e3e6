//go:build fleet && all

package fleet_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCertificates: a worker's certificates of the config end after two minutes, and all that control planes sign after three. While it is
// on, the kubelet renews its own, client and serving, and slipwayd the others; its Node is Ready all the time. Then it is off until
// all of them have ended, those for the peer API too, and comes back with nobody's help.
func TestCertificates(t *testing.T) {
	f := newFleet(t, "testdata/certificates.yaml")
	ends := time.Now().Add(2 * time.Minute)
	f.shorten("w1", ends, "kubelet-client", "kube-proxy", "slipwayd")
	f.Start()
	f.Wait(formLimit, "all nodes formed", f.formed)
	if time.Now().After(ends) {
		t.Fatal("the nodes took so long to form that the certificates have ended: nothing can be seen")
	}
	f.rotates("w1", ends)
	f.onlyItsOwn("w1")
	f.comesBack("w1")
}

// shorten lets certificates of a node begin now and end soon: signed as slipway does, by the CAs in the secrets, with which the next config
// takes them for good.
func (f *fleet) shorten(name string, ends time.Time, certificates ...string) {
	f.t.Helper()
	secrets := filepath.Join(f.dir, "secrets")
	for _, cert := range certificates {
		ca := filepath.Join(secrets, "ca")
		if cert == "slipwayd" {
			ca = filepath.Join(secrets, "slipway-ca")
		}
		issuer, err := tls.LoadX509KeyPair(ca+".crt", ca+".key")
		if err != nil {
			f.fatal(err)
		}
		file := filepath.Join(secrets, "nodes", name, cert+".crt")
		template := *f.certificate(file)
		template.NotBefore, template.NotAfter = time.Now(), ends
		der, err := x509.CreateCertificate(rand.Reader, &template, issuer.Leaf, template.PublicKey, issuer.PrivateKey)
		if err == nil {
			err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
		}
		if err != nil {
			f.fatal(err)
		}
	}
	f.slipway("ignition", "-f", f.spec, "-o", f.dir)
	for _, cert := range certificates {
		if got := f.certificate(filepath.Join(secrets, "nodes", name, cert+".crt")).NotAfter; got.After(ends) {
			f.fatalf("slipway ignition gave %s another %s, until %s", name, cert, got)
		}
	}
}

// certificate reads the first one of a file.
func (f *fleet) certificate(file string) *x509.Certificate {
	f.t.Helper()
	cert, err := certificateOf(file)
	if err != nil {
		f.fatal(err)
	}
	return cert
}

func certificateOf(file string) (*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(data)
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return x509.ParseCertificate(block.Bytes)
}

// ofConfig is a node's certificate as it came with its config, or was renewed since.
func (f *fleet) ofConfig(name, cert string) *x509.Certificate {
	f.t.Helper()
	return f.certificate(filepath.Join(f.node(name).etcUpper(), "slipway/pki", cert+".crt"))
}

// own is a certificate of a kubelet's own, "client" or "server".
func (f *fleet) own(name, kind string) (*x509.Certificate, error) {
	pki := filepath.Join(f.node(name).dir, "var/lib/kubelet/pki")
	to, err := os.Readlink(filepath.Join(pki, "kubelet-"+kind+"-current.pem"))
	if err != nil {
		return nil, err
	}
	return certificateOf(filepath.Join(pki, filepath.Base(to)))
}

// rotates waits until the kubelet calls the API by a certificate that it has got by itself, and serves by another one than it began with, both
// when that of its config has ended, and demands that its Node was Ready from the first moment to the last.
func (f *fleet) rotates(name string, ends time.Time) {
	f.t.Helper()
	since := f.readySince(name)
	first, serving, proxy := f.ofConfig(name, "kubelet-client"), f.serves(name), f.ofConfig(name, "kube-proxy")
	var own *x509.Certificate
	f.Wait(3*time.Minute, "the kubelet has got a certificate by itself", func() (err error) {
		own, err = f.own(name, "client")
		return err
	})
	f.t.Logf("the kubelet renewed its client certificate %v before its end", time.Until(ends).Round(time.Second))
	f.Wait(5*time.Minute, "it calls the API by that", func() error { return f.asksBy(name, own) })
	f.Wait(3*time.Minute, "it serves by another certificate", func() error {
		if f.serves(name).SerialNumber.Cmp(serving.SerialNumber) == 0 {
			return errors.New("it is the first one still")
		}
		_, err := f.kubectl("get", "--raw", "/api/v1/nodes/"+name+"/proxy/healthz")
		return err
	})
	f.Wait(time.Until(ends)+time.Minute, "a minute has passed since the end of the config's certificates", func() error {
		if time.Since(ends) < time.Minute {
			return fmt.Errorf("%v have", time.Since(ends).Round(time.Second))
		}
		return nil
	})
	if now := f.readySince(name); now != since {
		f.t.Errorf("%s was not Ready all the time: since %s, before since %s", name, now, since)
	}
	if now := f.ofConfig(name, "kube-proxy"); !now.NotAfter.After(proxy.NotAfter) || time.Now().After(now.NotAfter) {
		f.t.Errorf("slipwayd has not renewed kube-proxy's: it ends %s", now.NotAfter)
	}
	if own.SerialNumber.Cmp(first.SerialNumber) == 0 {
		f.t.Error("the kubelet's own is that of the config")
	}
	f.mayProxy(name)
}

// readySince is when a Node became Ready; it is now.
func (f *fleet) readySince(name string) string {
	f.t.Helper()
	said, err := f.kubectl("get", "node", name, "-o", `jsonpath={range .status.conditions[?(@.type=="Ready")]}{.status} {.lastTransitionTime}{end}`)
	since, ready := strings.CutPrefix(said, "True ")
	if err != nil || !ready {
		f.fatalf("%s: %q, %v", name, said, err)
	}
	return since
}

// serves is the certificate that the kubelet shows.
func (f *fleet) serves(name string) *x509.Certificate {
	f.t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", f.node(name).address+":10250", &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		f.fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// asksBy demands that the API server has been asked for a certificate by a kubelet that showed this one: it writes down by which.
func (f *fleet) asksBy(name string, shown *x509.Certificate) error {
	said, err := f.kubectl("get", "csr", "-o", "json")
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Spec struct {
				Username string
				Extra    map[string][]string
			}
		}
	}
	if err := json.Unmarshal([]byte(said), &list); err != nil {
		return err
	}
	sum := sha256.Sum256(shown.Raw)
	want := "X509SHA256=" + hex.EncodeToString(sum[:])
	for _, r := range list.Items {
		if r.Spec.Username == "system:node:"+name && slices.Contains(r.Spec.Extra["authentication.kubernetes.io/credential-id"], want) {
			return nil
		}
	}
	return fmt.Errorf("%d requests, none of them by it", len(list.Items))
}

// mayProxy demands that the API server takes a node's kube-proxy for what it is.
func (f *fleet) mayProxy(name string) {
	f.t.Helper()
	resp, err := f.as(name, "kube-proxy").Get("https://" + f.node("cp1").address + ":6443/apis/discovery.k8s.io/v1/endpointslices")
	if err != nil {
		f.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		f.t.Errorf("kube-proxy is told %s", resp.Status)
	}
}

// as is a client that shows a certificate of a node, and does not look at whom it calls.
func (f *fleet) as(name, cert string) *http.Client {
	f.t.Helper()
	pki := filepath.Join(f.node(name).etcUpper(), "slipway/pki")
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, cert+".crt"), filepath.Join(pki, cert+".key"))
	if err != nil {
		f.fatal(err)
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}}}
}

// onlyItsOwn asks a control plane by a worker's key, whose certificate for the peer API has ended: it is given a certificate of its own, and
// refused those of others, as the control plane tells. The API server refuses them as well.
func (f *fleet) onlyItsOwn(name string) {
	f.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(f.dir, "secrets/nodes", name, "kubelet-client.crt"), filepath.Join(f.dir, "secrets/nodes", name, "kubelet-client.key"))
	if err != nil {
		f.fatal(err)
	}
	if end := f.ofConfig(name, "slipwayd").NotAfter; time.Now().Before(end) {
		f.fatalf("its certificate for the peer API ends %s", end)
	}
	client := f.as(name, "slipwayd")
	for user, want := range map[string]string{"system:node:" + name: "", "system:node:cp1": `common name "system:node:cp1" is not "system:node:` + name, "kubernetes-admin": "is not"} {
		request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user, Organization: []string{"system:nodes"}}}, pair.PrivateKey.(crypto.Signer))
		if err != nil {
			f.fatal(err)
		}
		code, said := f.request(client, "kubelet-client", request)
		if granted := code == http.StatusOK; granted != (want == "") || !granted && (code != http.StatusForbidden || !strings.Contains(said, want)) {
			f.t.Errorf("for %q: %d, %.200s", user, code, said)
		}
	}
	said, err := f.send(name, "usurper", "kubernetes.io/kube-apiserver-client-kubelet", "client auth",
		&x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:cp1", Organization: []string{"system:nodes"}}})
	if err == nil || !strings.Contains(err.Error(), "can only create a node CSR with CN=system:node:"+name) {
		f.t.Errorf("the API server takes a request for another's name: %s, %v", said, err)
	}
	f.Wait(time.Minute, "the control plane tells of it", func() error { return f.noticed(f.spec, "cp1", "certificate refused", gateway, "asked for") })
}

// request asks cp1 for a certificate.
func (f *fleet) request(client *http.Client, cert string, request []byte) (code int, said string) {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{"name": cert, "request": request})
	if err != nil {
		f.fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "https://"+f.node("cp1").address+":7400/v1/certificate", bytes.NewReader(body))
	if err != nil {
		f.fatal(err)
	}
	req.Header.Set("Slipway-Cluster", f.cluster()+"/1")
	resp, err := client.Do(req)
	if err != nil {
		f.fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.fatal(err)
	}
	return resp.StatusCode, string(text)
}

// comesBack lets a worker be off until all of its certificates have ended. It says whom it waits for while its control plane is off as well,
// and comes back once that is there.
func (f *fleet) comesBack(name string) {
	f.t.Helper()
	f.PowerCut(name)
	var last time.Time
	keys := map[string]crypto.PublicKey{}
	for _, cert := range []string{"kubelet-client", "kube-proxy", "slipwayd"} {
		c := f.ofConfig(name, cert)
		keys[cert] = c.PublicKey
		last = later(last, c.NotAfter)
	}
	for _, kind := range []string{"client", "server"} {
		c, err := f.own(name, kind)
		if err != nil {
			f.fatal(err)
		}
		last = later(last, c.NotAfter)
	}
	f.t.Logf("%s is off for %v", name, (time.Until(last) + 10*time.Second).Round(time.Second))
	time.Sleep(time.Until(last) + 10*time.Second)

	f.PowerCut("cp1")
	f.Start(name)
	f.Wait(time.Minute, name+" says whom it waits for", func() error {
		s := f.status(name)
		if s.Step != "certificates" || !strings.Contains(s.WaitingFor, "from cp1: the former ended on ") || !strings.Contains(s.LastError, `introducing this node to "cp1": `) {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if said, _ := f.In(name, "systemctl is-active kubelet.service"); said == "active" || said == "activating" {
		f.t.Errorf("its kubelet is %s", said)
	}
	f.Start("cp1")
	began := time.Now()
	f.Wait(formLimit, "all nodes formed", f.formed)
	f.t.Logf("%s and its control plane were back after %v", name, time.Since(began).Round(time.Second/10))
	f.readySince(name)
	f.mayProxy(name)
	for _, cert := range []string{"kubelet-client", "kube-proxy"} {
		c := f.ofConfig(name, cert)
		if key, ok := keys[cert].(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(c.PublicKey) || !c.NotAfter.After(last) {
			f.t.Errorf("%s: the new certificate is of another key, or ends %s", cert, c.NotAfter)
		}
	}
	if said, err := f.In("cp1", `journalctl -b -u slipwayd -o cat | grep 'gave node "`+name+`" a new certificate "kubelet-client"'`); err != nil {
		f.t.Errorf("the control plane has no line of it: %s, %v", said, err)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
