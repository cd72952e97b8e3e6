package modules

import (
	"errors"
	"fmt"
	"sync"
)

// Loader loads modules, each once, in the order of its tables. It may be used from many goroutines.
type Loader struct {
	tables *Tables
	insert func(file string) error

	mu   sync.Mutex
	once map[string]func() error
}

// NewLoader uses insert to load one file, whose dependencies are there.
func NewLoader(t *Tables, insert func(file string) error) *Loader {
	return &Loader{tables: t, insert: insert, once: map[string]func() error{}}
}

// Load loads what a name or alias stands for; nothing if it is built in. A name that the kernel does not have is an error.
func (l *Loader) Load(name string) error {
	if !l.tables.Known(name) {
		return fmt.Errorf("loading module %q: the initrd does not have it", name)
	}
	return l.load(name)
}

// LoadFor loads what a device's modalias asks for; nothing if there is no such module.
func (l *Loader) LoadFor(modalias string) error { return l.load(modalias) }

func (l *Loader) load(name string) error {
	var errs []error
	for _, module := range l.tables.Order(name) {
		if err := l.single(module)(); err != nil {
			errs = append(errs, fmt.Errorf("loading module %q: %w", module, err))
		}
	}
	return errors.Join(errs...)
}

// single gives the one load of a module: who comes second waits for the first.
func (l *Loader) single(module string) func() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.once[module] == nil {
		l.once[module] = sync.OnceValue(func() error { return l.insert(l.tables.File(module)) })
	}
	return l.once[module]
}
