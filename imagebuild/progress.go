package imagebuild

import "time"

// Progress hears what the build does. Implementations print; the library is silent.
type Progress interface {
	Begin(step string)                    // a step starts
	Bytes(done, total int64)              // how far it is; total is known
	Note(text string)                     // a detail of the moment
	Line(text string)                     // what a person should know, once
	Start(part string)                    // a part of the step that may take minutes starts
	Finish(part string)                   // it is done
	End(step, detail string, cached bool) // it is done
}

// StepTime is how long one step took.
type StepTime struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
	Cached  bool    `json:"cached"`
}

// recorder times steps and passes them on.
type recorder struct {
	to    Progress
	now   func() time.Time
	start time.Time
	Steps []StepTime
}

func (r *recorder) begin(step string) {
	r.start = r.now()
	r.to.Begin(step)
}

func (r *recorder) end(step, detail string, cached bool) {
	r.Steps = append(r.Steps, StepTime{Step: step, Seconds: r.now().Sub(r.start).Round(time.Millisecond).Seconds(), Cached: cached})
	r.to.End(step, detail, cached)
}
