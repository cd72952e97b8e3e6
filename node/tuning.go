package node

import (
	"errors"
	"fmt"
	"time"
)

// Tuning is for machines and networks that are slower or quicker than most. What is zero has its default.
type Tuning struct {
	FormationGrace  Duration `json:"formationGrace"`           // how long a first formation waits for all etcd members before a majority begins
	VRRPAdvert      Duration `json:"vrrpAdvert,omitzero"`      // how often the holder of the VIP says that it lives
	APICheckTimeout Duration `json:"apiCheckTimeout,omitzero"` // how long an API server may take to answer a balancer
	CertificateLife Duration `json:"certificateLife,omitzero"` // of what control planes sign
}

// MaxGrace bounds Tuning.FormationGrace.
const MaxGrace = time.Hour

// Tuning.VRRPAdvert counts in hundredths of a second, as VRRP's version 3 does (RFC 5798, section 5.2.7): adverts missing for
// some 3.3 times as long make another balancer take the address. The default lets a machine stand still for as long as virtual ones
// do when they are moved (ADR 30).
const (
	DefaultVRRPAdvert = 300 * time.Millisecond
	MinVRRPAdvert     = 10 * time.Millisecond
	MaxVRRPAdvert     = 10 * time.Second
)

// Tuning.APICheckTimeout, by default and at most.
const (
	DefaultAPICheckTimeout = time.Second
	MinAPICheckTimeout     = 100 * time.Millisecond
	MaxAPICheckTimeout     = time.Minute
)

// Tuning.CertificateLife, by default, which is upstream's, and at most, which is what certificates have that come with a config. Below
// the least a kubelet would ask for a new one as soon as it has one: it renews at 0.7 of a life at the earliest, of which upstream's signer has the
// first five minutes in the past.
const (
	DefaultCertificateLife = 365 * 24 * time.Hour
	MinCertificateLife     = 3 * time.Minute
	MaxCertificateLife     = 730 * 24 * time.Hour
)

// Advert is VRRPAdvert or its default.
func (t Tuning) Advert() time.Duration { return or(t.VRRPAdvert, DefaultVRRPAdvert) }

// CheckTimeout is APICheckTimeout or its default.
func (t Tuning) CheckTimeout() time.Duration { return or(t.APICheckTimeout, DefaultAPICheckTimeout) }

// SignedLife is CertificateLife or its default.
func (t Tuning) SignedLife() time.Duration { return or(t.CertificateLife, DefaultCertificateLife) }

func or(d Duration, byDefault time.Duration) time.Duration {
	if d == 0 {
		return byDefault
	}
	return time.Duration(d)
}

// RefuseAdvert says why a length of time cannot be VRRPAdvert, and what can; why is empty if it can.
func RefuseAdvert(d Duration) (why, hint string) {
	switch a := time.Duration(d); {
	case a < MinVRRPAdvert || a > MaxVRRPAdvert:
		return fmt.Sprintf("%s is not between %s and %s", a, MinVRRPAdvert, MaxVRRPAdvert), DefaultVRRPAdvert.String() + " is the default"
	case a%MinVRRPAdvert != 0:
		return fmt.Sprintf("%s is not in hundredths of a second, as VRRP counts", a), "write " + a.Round(MinVRRPAdvert).String()
	}
	return "", ""
}

// RefuseCheckTimeout is RefuseAdvert for APICheckTimeout.
func RefuseCheckTimeout(d Duration) (why, hint string) {
	if t := time.Duration(d); t < MinAPICheckTimeout || t > MaxAPICheckTimeout {
		return fmt.Sprintf("%s is not between %s and %s", t, MinAPICheckTimeout, MaxAPICheckTimeout), DefaultAPICheckTimeout.String() + " is the default"
	}
	return "", ""
}

// RefuseCertificateLife is RefuseAdvert for CertificateLife.
func RefuseCertificateLife(d Duration) (why, hint string) {
	if l := time.Duration(d); l < MinCertificateLife || l > MaxCertificateLife {
		return fmt.Sprintf("%s is not between %s and %s", l, MinCertificateLife, MaxCertificateLife), DefaultCertificateLife.String() + " is the default"
	}
	return "", ""
}

// Duration is a length of time, written as Go does: 20s, 1m30s.
type Duration time.Duration

// ParseDuration reads a length of time that is not negative.
func ParseDuration(text string) (Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length of time", text)
	}
	return Duration(d), nil
}

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// MarshalText writes it as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (t Tuning) validate() error {
	var errs []error
	if time.Duration(t.FormationGrace) > MaxGrace {
		errs = append(errs, errors.New("tuning.formationGrace: is above "+MaxGrace.String()))
	}
	if why, _ := RefuseAdvert(t.VRRPAdvert); why != "" && t.VRRPAdvert != 0 {
		errs = append(errs, errors.New("tuning.vrrpAdvert: "+why))
	}
	if why, _ := RefuseCheckTimeout(t.APICheckTimeout); why != "" && t.APICheckTimeout != 0 {
		errs = append(errs, errors.New("tuning.apiCheckTimeout: "+why))
	}
	if why, _ := RefuseCertificateLife(t.CertificateLife); why != "" && t.CertificateLife != 0 {
		errs = append(errs, errors.New("tuning.certificateLife: "+why))
	}
	return errors.Join(errs...)
}
