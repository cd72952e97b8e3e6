package node

import (
	"errors"
	"fmt"
	"time"
)

// Tuning is for machines and networks that are much slower than most.
type Tuning struct {
	FormationGrace Duration `json:"formationGrace"` // how long a first formation waits for all etcd members before a majority begins
}

// MaxGrace bounds Tuning.FormationGrace.
const MaxGrace = time.Hour

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
	if time.Duration(t.FormationGrace) > MaxGrace {
		return errors.New("tuning.formationGrace: is above " + MaxGrace.String())
	}
	return nil
}
