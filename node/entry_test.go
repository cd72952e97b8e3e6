package node

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"
)

// inventory is a peer CA with what it signs.
type inventory struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newInventory(t testing.TB) inventory {
	t.Helper()
	i := inventory{t: t, key: newKey(t)}
	i.cert = i.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "demo peer CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, i.key)
	return i
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate, years old and over, for a key.
func (i inventory) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	i.t.Helper()
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	parent := i.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return cert
}

// entry signs an entry as one of a name and with usages.
func (i inventory) entry(e Entry, name string, usages ...x509.ExtKeyUsage) SignedEntry {
	i.t.Helper()
	key := newKey(i.t)
	cert := i.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: usages}, key)
	s, err := SignEntry(e, key, cert.Raw, rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	return s
}

func (i inventory) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(i.cert)
	return pool
}

// entryOf is what the inventory says of a config's own node.
func entryOf(c *Config) Entry {
	return Entry{Cluster: c.Cluster.ID, Epoch: c.Cluster.Epoch, Serial: 7, Node: c.Self().Public()}
}

func worker(t testing.TB) *Config {
	t.Helper()
	c, err := Parse(read(t, "worker.json"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVerifyEntry: only what the inventory's key signed, of this cluster and epoch, counts.
func TestVerifyEntry(t *testing.T) {
	ours, c := newInventory(t), worker(t)
	signing := x509.ExtKeyUsageCodeSigning
	good := ours.entry(entryOf(c), InventoryName, signing)
	e, err := c.VerifyEntry(good, ours.pool())
	if err != nil || e.Serial != 7 || e.Node.Name != "w1" || e.Node.Labels["example.org/rack"] != "a" {
		t.Fatalf("%+v, %v", e, err)
	}
	changed := func(change func(*Entry)) SignedEntry {
		e := entryOf(c)
		change(&e)
		return ours.entry(e, InventoryName, signing)
	}
	forged := good
	forged.Body = strings.Replace(good.Body, `"serial":7`, `"serial":8`, 1)
	for name, test := range map[string]struct {
		entry SignedEntry
		want  string
	}{
		"nothing":              {SignedEntry{}, "reading its certificate"},
		"another CA":           {newInventory(t).entry(entryOf(c), InventoryName, signing), "not signed by the inventory's key: x509"},
		"a node signs":         {ours.entry(entryOf(c), "cp1", x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth), "incompatible key usage"},
		"the operator signs":   {ours.entry(entryOf(c), OperatorName, x509.ExtKeyUsageClientAuth), "incompatible key usage"},
		"another name signs":   {ours.entry(entryOf(c), "cp1", signing), `its certificate is that of "cp1"`},
		"changed":              {forged, "its signature is wrong"},
		"no signature":         {SignedEntry{Body: good.Body, Certificate: good.Certificate}, "its signature is wrong"},
		"another cluster":      {changed(func(e *Entry) { e.Cluster = "other" }), "it is of other/2, and this cluster is prod/2"},
		"another epoch":        {changed(func(e *Entry) { e.Epoch = 1 }), "it is of prod/1, and this cluster is prod/2"},
		"no serial":            {changed(func(e *Entry) { e.Serial = 0 }), "serial 0 is below 1"},
		"no node":              {changed(func(e *Entry) { e.Node = Node{} }), "not a DNS label"},
		"the operator's name":  {changed(func(e *Entry) { e.Node.Name = OperatorName }), "the name is the operator's"},
		"the inventory's name": {changed(func(e *Entry) { e.Node.Name = InventoryName }), "the name is the operator's"},
		"pods elsewhere":       {changed(func(e *Entry) { e.Node.PodCIDR = c.Network.ServiceCIDR }), "no slice of"},
	} {
		if e, err := c.VerifyEntry(test.entry, ours.pool()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v, want %q", name, e, err, test.want)
		}
	}
}

// TestOwnEntry: a config whose entry says something else is refused when it is made, and when it is read.
func TestOwnEntry(t *testing.T) {
	c := worker(t)
	c.Nodes[2].Interface = "ens192"
	c.Entry = newInventory(t).entry(entryOf(c), InventoryName)
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(text)
	if err != nil || again.Entry.Body != c.Entry.Body {
		t.Fatalf("%v\n%s", err, text)
	}
	many := worker(t)
	many.Nodes[2].Labels = map[string]string{}
	for i := range 200 {
		many.Nodes[2].Labels[fmt.Sprint("example.org/", strings.Repeat("x", 50), i)] = strings.Repeat("y", 60)
	}
	many.Entry = newInventory(t).entry(entryOf(many), InventoryName)
	if err := many.Validate(); err == nil || !strings.Contains(err.Error(), "the node has too many labels") {
		t.Errorf("200 long labels: %v", err)
	}
	for what, change := range map[string]func(*Config){
		"address": func(c *Config) { c.Nodes[2].Address = c.Nodes[0].Address.Masked() },
		"roles":   func(c *Config) { c.Nodes[2].Roles = []Role{Worker, LB} },
		"epoch":   func(c *Config) { c.Cluster.Epoch++ },
		"label":   func(c *Config) { c.Nodes[2].Labels = nil },
	} {
		other := worker(t)
		other.Entry = c.Entry
		change(other)
		if err := other.Validate(); err == nil || !strings.Contains(err.Error(), `does not say what the config says of node "w1"`) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestParseEntry(t *testing.T) {
	good, err := json.Marshal(newInventory(t).entry(entryOf(worker(t)), InventoryName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseEntry(good); err != nil {
		t.Error(err)
	}
	for name, data := range map[string]string{
		"cut off":       string(good[:len(good)/2]),
		"two documents": string(good) + "{}",
		"a key twice":   strings.Replace(string(good), `{"body"`, `{"signature":"","body"`, 1),
		"unknown key":   `{"x":1}`,
		"too long":      strings.Repeat(" ", MaxEntry) + "{}",
	} {
		if _, err := ParseEntry([]byte(data)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// FuzzVerifyEntry: whatever comes, only what the key signed is believed.
func FuzzVerifyEntry(f *testing.F) {
	ours, c := newInventory(f), worker(f)
	good := ours.entry(entryOf(c), InventoryName, x509.ExtKeyUsageCodeSigning)
	data, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"body":"{}","signature":"","certificate":""}`))
	f.Add([]byte(`null`))
	pool := ours.pool()
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseEntry(data)
		if err != nil {
			return
		}
		if e, err := c.VerifyEntry(s, pool); err == nil && s.Body != good.Body {
			t.Errorf("believed %+v", e)
		}
	})
}
